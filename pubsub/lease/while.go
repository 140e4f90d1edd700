package lease

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
)

// ErrLost is the cause of the end of a context whose lease is over or may be.
var ErrLost = errors.New("lease: lost")

// While has do called while this process holds a lease, until ctx ends. It asks
// for the lease every third of its TTL. do gets a context that ends, with
// ErrLost, before the lease does unless it could be renewed; it should return
// soon then. When do returns earlier the lease is given up, and asked for again.
func (s *Store) While(ctx context.Context, a Ask, log zerolog.Logger, do func(ctx context.Context, g Grant)) {
	tick := time.NewTicker(a.TTL / 3)
	defer tick.Stop()
	for ctx.Err() == nil {
		if g, err := s.Acquire(ctx, a); err != nil {
			log.Debug().Err(err).Str("lease", a.Name).Msg("lease not acquired")
		} else if g.Held {
			log.Info().Str("lease", a.Name).Uint64("term", g.Term).Msg("lease held")
			s.hold(ctx, a, g, do)
			log.Info().Str("lease", a.Name).Uint64("term", g.Term).Msg("lease given up")
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// hold runs do and renews the lease until either ends, and releases the lease.
func (s *Store) hold(ctx context.Context, a Ask, g Grant, do func(context.Context, Grant)) {
	held, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() { // ends with do
		defer close(done)
		do(held, g)
	}()
	s.renew(held, a, g, done)
	cancel(ErrLost)
	<-done
	// Even when ctx has ended others should not have to wait.
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), a.TTL/3)
	defer stop()
	_ = s.Release(last, a.Name, a.Owner, g.Term, time.Now()) // else it ends by itself
}

// renew renews the lease until it is lost, ctx ends, or done.
func (s *Store) renew(ctx context.Context, a Ask, g Grant, done <-chan struct{}) {
	a.Renew = true
	tick := time.NewTicker(a.TTL / 3)
	defer tick.Stop()
	over := time.NewTimer(time.Until(g.Until))
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-done:
			return
		case <-over.C:
			return
		case <-tick.C:
		}
		asking, cancel := context.WithDeadline(ctx, g.Until)
		renewed, err := s.Acquire(asking, a)
		cancel()
		switch {
		case err != nil: // there is time until it is over
		case !renewed.Held || renewed.Term != g.Term:
			return
		default:
			g.Until = renewed.Until
			over.Reset(time.Until(g.Until))
		}
	}
}
