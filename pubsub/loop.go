package pubsub

import (
	"context"
	"math/rand/v2"
	"time"
)

// The sweeper looks for channels whose time is over this often.
const (
	minSweep = 10 * time.Millisecond
	maxSweep = 2 * time.Second
)

// keepConnected serves one link after the other until ctx ends.
func (b *Bus) keepConnected(ctx context.Context) {
	for attempt := 0; ; attempt++ {
		err := b.serveLink(ctx, b.newLink(b.target, b.interest, nil))
		if ctx.Err() != nil {
			return
		}
		up := b.status.uptime()
		if up > 0 {
			b.counters.disconnects.Add(1)
		} else {
			b.counters.connectErrors.Add(1)
		}
		// A connection that does not last is no reason to hurry.
		if up >= b.cfg.MaxBackoff {
			attempt = 0
		}
		b.status.away(err)
		pause(ctx, b.backoff(attempt))
	}
}

// backoff returns how long to wait after the failed attempt of that number:
// MinBackoff doubled each time up to MaxBackoff, of which a random half.
func (b *Bus) backoff(attempt int) time.Duration {
	d := b.cfg.MinBackoff
	for ; attempt > 0 && d < b.cfg.MaxBackoff; attempt-- {
		d *= 2
	}
	d = min(d, b.cfg.MaxBackoff)
	return d/2 + rand.N(d/2+1)
}

// sweep has channels left whose time to linger is over, until ctx ends.
func (b *Bus) sweep(ctx context.Context) {
	ticker := time.NewTicker(min(max(b.cfg.Linger/8, minSweep), maxSweep))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			b.interest.expire(now)
			if b.shards != nil {
				b.shards.expire(now)
			}
		}
	}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
