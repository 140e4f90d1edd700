package pubsub

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// The most that goes to Redis in one round trip.
const (
	maxBatchMessages = 256
	maxBatchBytes    = 1 << 20
)

// publish is the publisher: it sends what the outbox holds until ctx ends, and
// then answers what is left with ErrClosed.
func (b *Bus) publish(ctx context.Context) {
	var spare []outgoing
	var held waiting
	for {
		select {
		case <-ctx.Done():
			b.outbox.close()
			b.refuse(held.take(), ErrClosed)
			b.refuse(b.outbox.fetch(nil), ErrClosed)
			return
		case <-held.due():
			to := b.outbox.route()
			b.sendAll(ctx, to, held.ready(b))
		case <-b.outbox.wake:
		}
		fetched := b.outbox.fetch(spare)
		to := b.outbox.route()
		b.sendAll(ctx, to, held.split(b, fetched))
		clear(fetched) // let go of the payloads
		spare = fetched[:0]
	}
}

// sendAll sends messages in batches, by a route that was there before anybody asked
// which of them have to wait: where the next one leads they may have to.
func (b *Bus) sendAll(ctx context.Context, to *route, messages []outgoing) {
	for len(messages) > 0 {
		n := batchSize(messages)
		b.send(ctx, to, messages[:n])
		messages = messages[n:]
	}
}

// batchSize returns how many of messages go into one round trip: at least one.
func batchSize(messages []outgoing) int {
	bytes := 0
	for i := range messages {
		bytes += len(messages[i].payload)
		if i == maxBatchMessages || i > 0 && bytes > maxBatchBytes {
			return i
		}
	}
	return len(messages)
}

// send publishes one batch in one round trip and answers each message.
func (b *Bus) send(ctx context.Context, to *route, batch []outgoing) {
	if ctx.Err() != nil {
		b.refuse(batch, ErrClosed)
		return
	}
	if to == nil || to != b.outbox.route() {
		b.refuse(batch, ErrAway)
		return
	}
	results := b.exchange(ctx, to, batch)
	b.release(batch)
	for i := range batch {
		r := results[i]
		r.Err = publishError(ctx, r.Err)
		if errors.Is(r.Err, ErrAway) {
			b.shards.reload()
		}
		b.count(&batch[i], r)
		batch[i].answer(r.Appended, r.Err)
	}
}

// exchange sends one batch, in its order, and returns what Redis answered.
func (b *Bus) exchange(ctx context.Context, to *route, batch []outgoing) []stream.Result {
	results := make([]stream.Result, len(batch))
	trip := newTrip(ctx, to, b.cfg.WaitReplicas)
	commands := make([]*redis.IntCmd, len(batch))
	var queued []queuedRun
	for i := 0; i < len(batch); {
		m := &batch[i]
		if m.log == nil {
			commands[i] = trip.channels().Publish(ctx, channelName(b.cfg.Prefix, m.kind, m.name), m.payload)
			i++
			continue
		}
		run := appendRun(batch[i:])
		to.prepare(ctx)
		queued = append(queued, queuedRun{i, to.store.Queue(ctx, trip.log, run)})
		i += len(run)
	}
	trip.exec()
	for i, c := range commands {
		if c != nil {
			results[i].Err = c.Err()
		}
	}
	for _, q := range queued {
		for i, r := range q.Results(ctx) {
			results[q.at+i] = trip.check(batch[q.at+i].log.append.Key, r)
		}
	}
	return results
}

// queuedRun are appends that stand in a row in a batch, from at on.
type queuedRun struct {
	at int
	*stream.Queued
}

// appendRun returns the appends that batch begins with.
func appendRun(batch []outgoing) (run []stream.Append) {
	for i := range batch {
		if batch[i].log == nil {
			break
		}
		run = append(run, batch[i].log.append)
	}
	return run
}

// count counts an answered message.
func (b *Bus) count(m *outgoing, r stream.Result) {
	if r.Err != nil {
		b.counters.publishErrors.Add(1)
		return
	}
	b.counters.publishedMessages.Add(1)
	b.counters.publishedBytes.Add(int64(len(m.payload)))
	if m.log != nil {
		b.counters.appendedMessages.Add(1)
	}
	if r.Duplicate {
		b.counters.duplicateMessages.Add(1)
	}
}

// refuse answers messages that are not sent.
func (b *Bus) refuse(messages []outgoing, err error) {
	b.release(messages)
	b.counters.publishErrors.Add(int64(len(messages)))
	for i := range messages {
		messages[i].answer(stream.Appended{}, err)
	}
}

// release takes messages off the outbox's bounds, before they are answered so
// that an answer may publish.
func (b *Bus) release(messages []outgoing) {
	bytes := 0
	for i := range messages {
		bytes += len(messages[i].payload)
	}
	b.outbox.release(len(messages), bytes)
}

// publishError says what an error of go-redis means to a publisher: Redis said
// no, the Bus is ending, or Redis could not be reached.
func publishError(ctx context.Context, err error) error {
	var refusal redis.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal), errors.Is(err, stream.ErrRules), errors.Is(err, stream.ErrAnswer),
		errors.Is(err, ErrReplicas):
		return fmt.Errorf("pubsub: publish: %w", err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrClosed, err)
	default:
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
}
