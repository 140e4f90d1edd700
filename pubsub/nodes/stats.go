package nodes

import "sync/atomic"

// Stats is a snapshot of a registry's counters and gauges.
type Stats struct {
	Live      int    // nodes whose leases hold, this one included
	Lives     uint64 // of this node; more than one: its lease was lost
	Failures  uint64 // renewals that failed
	Orders    uint64 // orders of other nodes carried out
	Dropped   uint64 // orders and answers beyond what may wait
	Late      uint64 // answers that came after their time
	Malformed uint64 // what was no order
}

type counters struct {
	lives, failures, orders, dropped, late, malformed atomic.Uint64
}

// Stats may be called from any goroutine.
func (r *Registry) Stats() Stats {
	c := &r.stats
	return Stats{
		Live:      len(r.Live()),
		Lives:     c.lives.Load(),
		Failures:  c.failures.Load(),
		Orders:    c.orders.Load(),
		Dropped:   c.dropped.Load(),
		Late:      c.late.Load(),
		Malformed: c.malformed.Load(),
	}
}
