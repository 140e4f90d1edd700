package pubsub

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// Append hands a message over to be appended to a log: given its offset, kept,
// and published on the log's live channel, in one step. It returns without
// waiting, as Publish does, through the same queue: messages of one caller for
// the same log or channel reach Redis in the order of its calls.
//
// For an accepted message done, which may be nil, is called exactly once, on
// the publisher goroutine, where it must not block, with the position or an
// error as Publish's. After ErrAway it is not known whether the message was
// taken: with a dedupe key it may be appended again. The caller leaves
// m.Payload unchanged until then.
func (b *Bus) Append(m stream.Append, done func(stream.Appended, error)) error {
	return b.outbox.put(outgoing{payload: m.Payload, log: &logMessage{m, done}})
}

// ReadLog reads the messages of a log after offset after, at most limit and
// stream.MaxReadBytes; see stream.Store.Read.
//
// It returns without waiting: with nil when the question was accepted, else
// with ErrAway, ErrBusy or ErrClosed, and then done is not called. For an
// accepted one done is called exactly once, on one of the Bus's workers, where
// it may take a while but must not wait for another question. Its error wraps
// ErrAway when Redis could not be reached and ErrClosed when the Bus ended
// first. All questions below are alike.
func (b *Bus) ReadLog(k stream.Key, after uint64, limit int, done func(stream.Page, error)) error {
	return question(b, done, func(ctx context.Context, s *stream.Store) (stream.Page, error) {
		return s.Read(ctx, k, after, limit)
	})
}

// Positions asks for the positions of logs; see stream.Store.Positions. keys
// must stay unchanged until done.
func (b *Bus) Positions(keys []stream.Key, done func([]stream.Position, error)) error {
	return question(b, done, func(ctx context.Context, s *stream.Store) ([]stream.Position, error) {
		return s.Positions(ctx, keys)
	})
}

// Restore puts back what Redis lost of a log; see stream.Store.Restore.
func (b *Bus) Restore(r stream.Restore, done func(stream.Restored, error)) error {
	return question(b, done, func(ctx context.Context, s *stream.Store) (stream.Restored, error) {
		return s.Restore(ctx, r)
	})
}

// OpenInbox asks what waits for a device; see stream.Store.OpenInbox.
func (b *Bus) OpenInbox(q stream.InboxQuery, done func(stream.Inbox, error)) error {
	return question(b, done, func(ctx context.Context, s *stream.Store) (stream.Inbox, error) {
		return s.OpenInbox(ctx, q)
	})
}

// AckInbox notes how far a device is; see stream.Store.AckInbox.
func (b *Bus) AckInbox(user, device string, offset uint64, done func(acked uint64, err error)) error {
	return question(b, done, func(ctx context.Context, s *stream.Store) (uint64, error) {
		return s.AckInbox(ctx, user, device, offset)
	})
}

// NewClient returns a client of the Bus's Redis with connections of its own,
// for what holds one for long: blocking reads, subscriptions. It retries
// nothing. The caller closes it. For commands that are answered soon there is
// Commands.
func (b *Bus) NewClient() redis.UniversalClient {
	t := b.target // a copy
	t.options.ConnMaxLifetime = t.lifetime()
	return newClient(t)
}

// question asks the store something on a worker, and hands done the answer.
func question[T any](b *Bus, done func(T, error), do func(context.Context, *stream.Store) (T, error)) error {
	var answer T
	return b.asks.put(ask{
		do: func(ctx context.Context, to *route) (err error) {
			answer, err = do(ctx, to.store)
			return err
		},
		done: func(err error) {
			if done != nil {
				done(answer, err)
			}
		},
	})
}
