package session

import "time"

// rate is how often something may happen: count times in a period in the long run,
// and up to burst times at once by those who have saved up. The time in which a
// burst is saved up is at most LongestBurst.
type rate struct {
	count  int64
	per    time.Duration
	burst  int
	saving uint32 // the time in which a burst is saved up, in microseconds
}

// LongestBurst bounds a burst: it is what comes in this time at the sustained rate.
const LongestBurst = 30 * time.Minute

func newRate(count int, per time.Duration, burst int) rate {
	r := rate{count: int64(count), per: per, burst: burst}
	r.saving = r.cost(int64(burst))
	return r
}

// cost is the time in which n tokens come, in microseconds.
func (r rate) cost(n int64) uint32 { return uint32(n * r.per.Microseconds() / r.count) }

// bucket is a token bucket in four bytes: the time at which it is full again, in
// microseconds since the manager was made, of which the upper bits are left out.
// The zero bucket is full. A session has three, and holds them for as long as its
// client is there.
//
// The time wraps around every 72 minutes. What lies ahead of now by more than the
// bucket can hold is in the past; a client that was quiet for just so long that a
// past time is taken for one that lies ahead has less than a full burst.
type bucket uint32

// take takes n tokens at the time now and reports whether there were as many.
func (b *bucket) take(r rate, now time.Duration, n int) bool {
	if n > r.burst {
		return false
	}
	at := uint32(now.Microseconds())
	ahead := uint32(*b) - at
	if ahead > r.saving || *b == 0 {
		ahead = 0
	}
	if ahead += r.cost(int64(n)); ahead > r.saving {
		return false
	}
	*b = max(1, bucket(at+ahead))
	return true
}

// frameRate is how fast one client may send frames, and byteRate their bytes.
func (l Limits) frameRate() rate { return newRate(l.FramesPerSecond, time.Second, l.FramesBurst) }
func (l Limits) byteRate() rate  { return newRate(l.BytesPerSecond, time.Second, l.BytesBurst) }

// abuseRate is how often a client may send what is malformed or too fast before
// its connection is closed.
func (l Limits) abuseRate() rate { return newRate(l.ProtocolErrors, time.Minute, l.ProtocolErrors) }

// now is the time that buckets count in.
func (m *Manager) now() time.Duration { return time.Since(m.made) }
