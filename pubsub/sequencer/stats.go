package sequencer

import "sync/atomic"

// Stats is what has happened since New, and how things are.
type Stats struct {
	Sequenced    uint64 // messages that got their place in a log from this node
	Duplicates   uint64 // messages that were in their logs already
	Invalid      uint64 // messages that Prepare refused
	Failed       uint64 // messages that Redis refused for good
	Overflowed   uint64 // messages dropped because too many waited: see Counters
	Unidentified uint64 // messages given up after two faults at a time: see Counters
	Retries      uint64 // batches that were tried again
	Takeovers    uint64 // times this node has begun to lead a partition
	Breaks       uint64 // times the connection that follows the channels was lost
	BadMarks     uint64 // messages on the mark channel that are no marks

	Buffered      int // messages that may not be in their logs yet
	BufferedBytes int
	Leading       int // partitions
	Standby       int // partitions that this node could take over
}

type counters struct {
	sequenced, duplicates, invalid, failed, retries atomic.Uint64
	outdated                                        atomic.Uint64 // given up as the log has a later chain
	takeovers, breaks, badMarks                     atomic.Uint64

	// Written by Run's goroutine alone.
	overflowed, unidentified                   atomic.Uint64
	buffered, bufferedBytes, leading, standing atomic.Int64
}

// Stats returns a snapshot.
func (s *Sequencer) Stats() Stats {
	c := &s.stats
	return Stats{
		Sequenced: c.sequenced.Load(), Duplicates: c.duplicates.Load(), Invalid: c.invalid.Load(), Failed: c.failed.Load(),
		Overflowed: c.overflowed.Load(), Unidentified: c.unidentified.Load() + c.outdated.Load(), Retries: c.retries.Load(),
		Takeovers: c.takeovers.Load(), Breaks: c.breaks.Load(), BadMarks: c.badMarks.Load(),
		Buffered: int(c.buffered.Load()), BufferedBytes: int(c.bufferedBytes.Load()),
		Leading: int(c.leading.Load()), Standby: int(c.standing.Load()),
	}
}

// count refreshes what only Run's goroutine knows.
func (s *Sequencer) count() {
	var messages, bytes, leading, standing int64
	var given Counters
	for _, p := range s.partitions {
		m, b, c := p.machine.Stats()
		messages, bytes = messages+int64(m), bytes+int64(b)
		given.Overflowed += c.Overflowed
		given.Unidentified += c.Unidentified
		switch {
		case p.machine.Role() == Leading:
			leading++
		case p.standby && p.machine.Ready():
			standing++
		}
	}
	c := &s.stats
	c.buffered.Store(messages)
	c.bufferedBytes.Store(bytes)
	c.leading.Store(leading)
	c.standing.Store(standing)
	c.overflowed.Store(given.Overflowed)
	c.unidentified.Store(given.Unidentified)
}
