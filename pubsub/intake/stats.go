package intake

import "sync/atomic"

// Stats is what has happened since New.
type Stats struct {
	Taken      uint64 // entries appended or published
	Duplicates uint64 // entries that had been, before
	Reclaimed  uint64 // entries that another node had taken and not done
	Poison     uint64 // entries set aside
	Errors     uint64 // times that Redis failed, after which entries are tried again
	Holding    bool   // this node takes the entries
}

type counters struct {
	taken, duplicates, reclaimed, poison, errors atomic.Uint64
	holding                                      atomic.Bool
}

// Stats returns a snapshot.
func (i *Intake) Stats() Stats {
	c := &i.stats
	return Stats{
		Taken: c.taken.Load(), Duplicates: c.duplicates.Load(), Reclaimed: c.reclaimed.Load(),
		Poison: c.poison.Load(), Errors: c.errors.Load(), Holding: c.holding.Load(),
	}
}
