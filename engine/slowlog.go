package engine

import "github.com/rs/zerolog"

// slowLog writes a line when connections have become slow, at most one in
// slowEvery ticks. Owned by the wheel's goroutine.
type slowLog struct {
	crowdings uint64 // at the last line
	ticks     int    // since then
}

const slowEvery = 10

// tick is called once a second.
func (l *slowLog) tick(log zerolog.Logger, s *counters) {
	l.ticks++
	crowdings := s.crowdings.Load()
	if crowdings == l.crowdings || l.ticks < slowEvery {
		return
	}
	var dropped uint64
	for class := range s.losses {
		for why := range s.losses[class] {
			dropped += s.losses[class][why].Load()
		}
	}
	log.Warn().Uint64("became_slow", crowdings-l.crowdings).Int64("slow", s.crowded.Load()).
		Int64("waiting_bytes", s.pending.Load()).Uint64("dropped_total", dropped).
		Msg("clients read too slowly: dropping what their messages' classes allow")
	l.crowdings, l.ticks = crowdings, 0
}
