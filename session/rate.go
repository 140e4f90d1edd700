package session

import "time"

// rate is how often something may happen: once in every period, and up to burst
// times at once by those who have saved up.
type rate struct {
	period time.Duration
	burst  int
}

// bucket is a token bucket in one word: the time, since the manager was made, at
// which it is full again. The zero bucket is full. A session has two, and holds
// them for as long as its client is there.
type bucket time.Duration

// take takes n tokens at the time now and reports whether there were as many.
func (b *bucket) take(r rate, now time.Duration, n int) bool {
	full := max(time.Duration(*b), now) + time.Duration(n)*r.period
	if full-now > time.Duration(r.burst)*r.period {
		return false
	}
	*b = bucket(full)
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
