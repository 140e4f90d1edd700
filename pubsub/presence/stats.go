package presence

import "sync/atomic"

// Stats is a snapshot of the counters.
type Stats struct {
	Written  uint64 // users compared with Redis
	Edges    uint64 // changes that others were told of
	Missed   uint64 // what clients were told afterwards, this node having been cut off
	Failures uint64 // round trips that failed and were tried again
	Reaped   uint64 // users taken off after their node had died
	Waiting  int    // users that are to be written
	Admitted uint64 // devices let in
	Refused  uint64 // devices refused by the limit
	Replaced uint64 // devices that had to go for another
	Unasked  uint64 // devices let in because Redis could not be asked
}

type counters struct {
	written, edges, missed               atomic.Uint64
	failures, reaped                     atomic.Uint64
	admitted, refused, replaced, unasked atomic.Uint64
}

// Stats may be called from any goroutine.
func (p *Presence) Stats() Stats {
	p.mu.Lock()
	waiting := len(p.dirty) + p.taken
	p.mu.Unlock()
	c := &p.stats
	return Stats{
		Written: c.written.Load(), Edges: c.edges.Load(), Missed: c.missed.Load(), Failures: c.failures.Load(), Reaped: c.reaped.Load(),
		Waiting:  waiting,
		Admitted: c.admitted.Load(), Refused: c.refused.Load(), Replaced: c.replaced.Load(), Unasked: c.unasked.Load(),
	}
}
