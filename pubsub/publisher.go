package pubsub

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
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
	for {
		select {
		case <-ctx.Done():
			b.outbox.close()
			b.refuse(b.outbox.fetch(nil), ErrClosed)
			return
		case <-b.outbox.wake:
		}
		fetched := b.outbox.fetch(spare)
		for rest := fetched; len(rest) > 0; {
			n := batchSize(rest)
			b.send(ctx, rest[:n])
			rest = rest[n:]
		}
		clear(fetched) // let go of the payloads
		spare = fetched[:0]
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
func (b *Bus) send(ctx context.Context, batch []outgoing) {
	if ctx.Err() != nil {
		b.refuse(batch, ErrClosed)
		return
	}
	client := b.outbox.route()
	if client == nil {
		b.refuse(batch, ErrAway)
		return
	}
	pipe := client.Pipeline()
	for i := range batch {
		pipe.Publish(ctx, channelName(b.cfg.Prefix, batch[i].kind, batch[i].name), batch[i].payload)
	}
	// Each command has its own error, that of the connection included.
	commands, _ := pipe.Exec(ctx)
	b.release(batch)
	for i := range batch {
		err := publishError(ctx, commands[i].Err())
		if err != nil {
			b.counters.publishErrors.Add(1)
		} else {
			b.counters.publishedMessages.Add(1)
			b.counters.publishedBytes.Add(int64(len(batch[i].payload)))
		}
		batch[i].answer(err)
	}
}

// refuse answers messages that are not sent.
func (b *Bus) refuse(messages []outgoing, err error) {
	b.release(messages)
	b.counters.publishErrors.Add(int64(len(messages)))
	for i := range messages {
		messages[i].answer(err)
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
	case errors.As(err, &refusal):
		return fmt.Errorf("pubsub: publish: %w", err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrClosed, err)
	default:
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
}
