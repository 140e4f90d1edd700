package main

import (
	"context"
	"runtime/debug"
	"time"
)

// A storm of connects leaves garbage behind: requests, tokens, tables that have
// outgrown their arrays. The next garbage collection would come when the heap has
// doubled, which on a node whose clients are quiet may be hours away, and until
// then this memory is missed elsewhere. So the node collects once when a storm is
// over.
const (
	settleEvery = 5 * time.Second
	// settleAfter is how many connections must have come or gone since the last
	// time to be worth a collection.
	settleAfter = 1000
	// A period counts as quiet when less than one in settleQuiet of those came
	// or went in it.
	settleQuiet = 50
)

// settler decides when to give memory back.
type settler struct {
	last    uint64 // connections that had come and gone one period ago
	settled uint64 // and when memory was last given back
}

// due reports whether a storm has ended, given the connections that have come and
// gone so far; it is called once in a period.
func (s *settler) due(turnover uint64) bool {
	recent := turnover - s.last
	s.last = turnover
	since := turnover - s.settled
	if since < settleAfter || recent*settleQuiet > since {
		return false
	}
	s.settled = turnover
	return true
}

// settle gives memory back to the kernel after storms, until ctx ends.
func (n *node) settle(ctx context.Context) error {
	t := time.NewTicker(settleEvery)
	defer t.Stop()
	var s settler
	for {
		select {
		case <-t.C:
			e := n.engine.Stats()
			if s.due(2*e.Accepted - uint64(e.Open)) { // each has come, and those not open have gone
				debug.FreeOSMemory()
			}
		case <-ctx.Done():
			return nil
		}
	}
}
