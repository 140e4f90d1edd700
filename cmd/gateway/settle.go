package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"
)

// A storm of connects leaves garbage behind: requests, tokens, tables that have
// outgrown their arrays. The next garbage collection would come when the heap has
// doubled, which on a node whose clients are quiet may be hours away, and until
// then this memory is missed elsewhere. So the node collects when a storm is over,
// and once more when what was kept in mind of each handshake for some seconds, its
// time limit and its user's budget, is forgotten too.
//
// After that a node whose clients are quiet fills its memory up again, slowly, with what
// its upkeep leaves behind: leases of other nodes, looks at Redis. So it also collects
// when it has not done so for a minute and there is something to collect. Where there
// are messages, the collector comes more often by itself.
const (
	settleEvery = 2 * time.Second
	// settleAfter is how many connections must have come or gone since the last
	// time to be worth a collection.
	settleAfter = 1000
	// A period counts as quiet when less than one in settleQuiet of those came
	// or went in it.
	settleQuiet = 50
	// settleAgain is how many periods later the second collection comes: longer than
	// engine.handshake_timeout is as a rule, and than package admission keeps in mind
	// what nobody needs.
	settleAgain = 6
	// settleRest is how many periods without a collection are a rest.
	settleRest = 30
	// settleGarbage is how many bytes must have been allocated in a rest.
	settleGarbage = 1 << 20
)

// gcPercent is GOGC unless the environment says otherwise. The heap of a node is
// its connections, nearly all of it long-lived, so a smaller share of garbage
// costs little time; and what is collected while a storm is on is filled again
// with sessions, not left as holes between them. With 15,000 users in one room a
// connection took 1,064 bytes of resident memory and 91 µs of CPU for its
// handshake, welcome and join at 80; 985 bytes and 97 µs at 50; 962 bytes and
// 100 µs at 35; 940 bytes and 117 µs at 25.
const gcPercent = 50

// tuneGC sets the collector's target, once for the process.
func tuneGC(environ []string) {
	for _, e := range environ {
		if strings.HasPrefix(e, "GOGC=") {
			return
		}
	}
	debug.SetGCPercent(gcPercent)
}

// settler decides when to give memory back.
type settler struct {
	last    uint64 // connections that had come and gone one period ago
	settled uint64 // and when memory was last given back after a storm
	again   int    // periods until it is given back once more; 0: it is not

	collected collected // as it was at the first look after a collection
	rest      int       // periods since
}

// collected is what the collector has done so far.
type collected struct {
	cycles    uint64
	allocated uint64 // bytes
}

// due reports whether a storm has ended, now or settleAgain periods ago, given the
// connections that have come and gone so far, or whether a rest has left something to
// collect; it is called once in a period.
func (s *settler) due(turnover uint64, c collected) bool {
	return s.stormOver(turnover) || s.rested(c)
}

func (s *settler) stormOver(turnover uint64) bool {
	recent := turnover - s.last
	s.last = turnover
	since := turnover - s.settled
	if since >= settleAfter && recent*settleQuiet <= since {
		s.settled, s.again = turnover, settleAgain
		return true
	}
	if s.again == 0 {
		return false
	}
	s.again--
	return s.again == 0
}

func (s *settler) rested(c collected) bool {
	if c.cycles != s.collected.cycles {
		s.collected, s.rest = c, 0
	}
	s.rest++
	return s.rest > settleRest && c.allocated-s.collected.allocated >= settleGarbage
}

// settle gives memory back to the kernel after storms, and at rest, until ctx ends.
func (n *node) settle(ctx context.Context) error {
	t := time.NewTicker(settleEvery)
	defer t.Stop()
	var s settler
	gc := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/allocs:bytes"}}
	for {
		select {
		case <-t.C:
			e := n.engine.Stats()
			metrics.Read(gc)
			c := collected{cycles: gc[0].Value.Uint64(), allocated: gc[1].Value.Uint64()}
			if s.due(2*e.Accepted-uint64(e.Open), c) { // each has come, and those not open have gone
				debug.FreeOSMemory()
			}
		case <-ctx.Done():
			return nil
		}
	}
}
