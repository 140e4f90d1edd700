package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrSettling is returned for what is appended while nodes may have to put back
// what a failover has lost. The message was not sent; it may be appended later.
var ErrSettling = errors.New("stream: redis is settling after a failure")

// Careful appends for those who repeat what has no answer. An append that is
// repeated must not reach a new master before the nodes have put back what it
// lacks (Restore): the message may be among that, and would be taken twice. So
// behind every failure appends wait until Redis answers, and then for the time in
// which nodes do so.
//
// Its methods may be called from any goroutine.
type Careful struct {
	store  *Store
	settle time.Duration

	mu     sync.Mutex // guards the fields below
	loaded bool       // the scripts were, where they are needed now
	broken bool       // something has failed, and Redis has not answered since
	until  time.Time  // nothing is appended before
}

// Careful returns what appends to s with care; settle is how long nodes may take
// to put back what is missing, from when Redis answers.
func (s *Store) Careful(settle time.Duration) *Careful { return &Careful{store: s, settle: settle} }

// Append is Store.Append, but sends nothing a second time by itself, and returns
// ErrSettling for all of the batch while it waits.
func (c *Careful) Append(ctx context.Context, batch []Append) []Result {
	if err := c.ready(ctx, batch); err != nil {
		return failed(batch, err)
	}
	pipe := c.store.client.Pipeline()
	queued := c.store.Queue(ctx, func(Key) redis.Pipeliner { return pipe }, batch)
	queued.once = true
	_, _ = pipe.Exec(ctx) // each command has its own error, that of the connection included
	results := queued.Results(ctx)
	for _, r := range results {
		if r.Err != nil && !Hopeless(r.Err) {
			c.mu.Lock()
			c.broken, c.loaded = true, false
			c.mu.Unlock()
			break
		}
	}
	return results
}

// ready reports why nothing may be appended yet.
func (c *Careful) ready(ctx context.Context, batch []Append) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		if _, err := c.store.Positions(ctx, keysOf(batch)); err != nil {
			return err
		}
		c.broken, c.until = false, time.Now().Add(c.settle)
	}
	if time.Now().Before(c.until) {
		return ErrSettling
	}
	if !c.loaded {
		c.store.Load(ctx)
		c.loaded = true
	}
	return nil
}

func keysOf(batch []Append) (keys []Key) {
	seen := make(map[Key]struct{}, 1)
	for i := range batch {
		k := batch[i].Key
		if _, known := seen[k]; !known && k.Name != "" {
			seen[k] = struct{}{}
			keys = append(keys, k)
		}
	}
	return keys
}

// failed answers a whole batch with err.
func failed(batch []Append, err error) []Result {
	results := make([]Result, len(batch))
	for i := range results {
		results[i].Err = err
	}
	return results
}
