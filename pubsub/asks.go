package pubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// askWorkers is how many questions are asked at once.
const askWorkers = 8

// ask is one question to Redis, or any other work that waits for it.
type ask struct {
	do   func(ctx context.Context, to *route) error // on a worker
	done func(error)                                // on the same, or the last: never nil
}

// asks is the bounded queue between the callers and the workers that wait for
// Redis in their place. What is asked at once has no order.
type asks struct {
	queue    chan ask
	shards   *shards // nil but in a Cluster
	counters *counters

	mu     sync.Mutex // guards the fields below
	to     *route     // nil while Redis is away
	closed bool
}

func newAsks(size int, s *shards, c *counters) *asks {
	return &asks{queue: make(chan ask, size), shards: s, counters: c}
}

// put accepts q, or says why not.
func (a *asks) put(q ask) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := ErrBusy
	switch {
	case a.closed:
		err = ErrClosed
	case a.to == nil:
		err = ErrAway
	default:
		select {
		case a.queue <- q:
			return nil
		default:
		}
	}
	a.counters.asksRefused.Add(1)
	return err
}

// setRoute says where to ask from now on; nil refuses further questions.
func (a *asks) setRoute(to *route) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.to = to
}

func (a *asks) route() *route {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.to
}

// close refuses further questions for good.
func (a *asks) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed, a.to = true, nil
}

// work asks until ctx ends, and then answers what is left with ErrClosed.
func (a *asks) work(ctx context.Context) {
	for {
		select {
		case q := <-a.queue:
			a.ask(ctx, q)
		case <-ctx.Done():
			a.close()
			a.drain()
			return
		}
	}
}

// drain answers what is queued with ErrClosed.
func (a *asks) drain() {
	for {
		select {
		case q := <-a.queue:
			a.counters.askErrors.Add(1)
			q.done(ErrClosed)
		default:
			return
		}
	}
}

// ask asks one question and answers its caller.
func (a *asks) ask(ctx context.Context, q ask) {
	err := ErrAway
	if to := a.route(); ctx.Err() != nil {
		err = ErrClosed
	} else if to != nil {
		err = askError(ctx, q.do(ctx, to))
	}
	if errors.Is(err, ErrAway) {
		a.shards.reload()
	}
	if err != nil {
		a.counters.askErrors.Add(1)
	} else {
		a.counters.asks.Add(1)
	}
	q.done(err)
}

// askError says what an error means to who asked.
func askError(ctx context.Context, err error) error {
	var refusal redis.Error
	switch {
	case err == nil, errors.As(err, &refusal), errors.Is(err, stream.ErrRules), errors.Is(err, stream.ErrAnswer):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrClosed, err)
	default:
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
}
