package session

import "time"

// rate is how often something may happen: once in every period, and up to burst
// times at once by those who have saved up.
type rate struct {
	period time.Duration
	burst  int
}

// bucket is a token bucket in four bytes: the tick, since the manager was made,
// at which it is full again. The zero bucket is full. A session has two, and
// holds them for as long as its client is there.
//
// A tick is the ticksPerPeriod-th part of the rate's period. Ticks are counted
// modulo 2³². A bucket that would be full later than any bucket can be is one
// that was full long ago; a client that was silent for a whole number of rounds
// (2²⁶ periods each, which is 15 days at 50 a second) may so find its bucket
// emptier than it is, by one burst at most.
type bucket uint32

const ticksPerPeriod = 64

// take takes n tokens at the time now and reports whether there were as many.
func (b *bucket) take(r rate, now time.Duration, n int) bool {
	tick := uint32(uint64(now) * ticksPerPeriod / uint64(r.period)) // exact for nine years
	size := uint32(r.burst) * ticksPerPeriod
	missing := uint32(*b) - tick
	if missing > size || *b == 0 {
		missing = 0
	}
	if missing += uint32(n) * ticksPerPeriod; missing > size {
		return false
	}
	*b = max(1, bucket(tick+missing))
	return true
}

// frameRate is how fast one client may send.
func (l Limits) frameRate() rate {
	return rate{time.Second / time.Duration(l.FramesPerSecond), l.FramesBurst}
}

// abuseRate is how often a client may send what is malformed or too fast before
// its connection is closed.
func (l Limits) abuseRate() rate {
	return rate{time.Minute / time.Duration(l.ProtocolErrors), l.ProtocolErrors}
}

// now is the time that buckets count in.
func (m *Manager) now() time.Duration { return time.Since(m.made) }
