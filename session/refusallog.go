package session

import (
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// refusalEvery is the least time between two lines about refused handshakes.
const refusalEvery = 10 * time.Second

// refusalLog writes of handshakes that were refused for the sake of a budget, once
// in a while: when it happens it happens a thousand times a second.
type refusalLog struct {
	mu      sync.Mutex
	last    time.Time // of the last line; guarded by mu, as below
	skipped int       // refusals since then
}

// warn writes who was refused and why, or only counts it.
func (l *refusalLog) warn(log zerolog.Logger, why string, client netip.Addr, delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.last) < refusalEvery {
		l.skipped++
		return
	}
	log.Warn().Str("cause", why).Stringer("client", client).Dur("delay", delay).Int("skipped", l.skipped).
		Msg("handshake refused")
	l.last, l.skipped = now, 0
}
