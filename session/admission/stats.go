package admission

import "sync/atomic"

// Stats is a snapshot of a gate's gauges and counters.
type Stats struct {
	InFlight  int64            // handshakes between their request and their welcome
	Admitted  uint64           // handshakes that were let in, whatever became of them
	Refused   map[Cause]uint64 // and those that were not; all causes are there
	Addresses int              // entries of the tables
	Users     int
	Untracked uint64 // times that a table was full and somebody was not counted
}

// counters are the live counters behind Stats.
type counters struct {
	admitted, untracked atomic.Uint64
	refused             [NumCauses]atomic.Uint64
}

// Stats may be called from any goroutine.
func (g *Gate) Stats() Stats {
	s := Stats{
		InFlight:  g.inFlight.Load(),
		Admitted:  g.stats.admitted.Load(),
		Refused:   map[Cause]uint64{},
		Addresses: g.addresses.len(),
		Users:     g.users.len(),
		Untracked: g.stats.untracked.Load(),
	}
	for c := Admitted + 1; c < NumCauses; c++ {
		s.Refused[c] = g.stats.refused[c].Load()
	}
	return s
}
