package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Page is what a log has to say after some offset.
type Page struct {
	Position // the current one: that of the log's last message
	// First is the offset of the oldest message that is kept, Offset + 1 when
	// none is.
	First uint64
	// Entries are the messages asked for, in order. One that is not there
	// between First and Offset was lost in a failover.
	Entries []Entry
}

// Read returns the log's position, and at most limit of the messages after
// offset after, of MaxReadBytes together but at least one. A log that Redis
// does not know begins here, with a new epoch.
func (s *Store) Read(ctx context.Context, k Key, after uint64, limit int) (Page, error) {
	n := s.names(k)
	answer, err := s.run(ctx, readScript, []string{n.meta(), n.entries()},
		newEpoch(), min(after, MaxOffset), max(limit, 0), MaxReadBytes, s.metaTTL(0))
	r := answerReader{rest: answer, err: err}
	if err == nil {
		p := Page{Position: r.position(), First: r.offset(), Entries: r.entries()}
		if r.err == nil {
			return p, nil
		}
	}
	return Page{}, fmt.Errorf("stream: read %s: %w", k, r.err)
}

// Positions returns the positions of logs, in their order, in one round trip.
// That of a log that Redis does not know is zero. An error is that of the
// whole.
func (s *Store) Positions(ctx context.Context, keys []Key) (positions []Position, err error) {
	err = s.redirected(ctx, func() error {
		positions, err = s.positions(ctx, keys)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("stream: positions of %d logs: %w", len(keys), err)
	}
	return positions, nil
}

func (s *Store) positions(ctx context.Context, keys []Key) ([]Position, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	pipe := s.client.Pipeline()
	answers := make([]*redis.SliceCmd, len(keys))
	for i, k := range keys {
		answers[i] = pipe.HMGet(ctx, s.names(k).meta(), "e", "o")
	}
	_, err := pipe.Exec(ctx)
	if err != nil {
		return nil, err
	}
	positions := make([]Position, len(keys))
	for i, a := range answers {
		epoch, known := a.Val()[0].(string)
		if !known {
			continue
		}
		offset, _ := a.Val()[1].(string)
		r := answerReader{rest: []string{epoch, offset}}
		if positions[i] = r.position(); r.err != nil {
			return nil, r.err
		}
	}
	return positions, nil
}

// Restore is what a node knows of a log whose history Redis has lost the end
// of.
type Restore struct {
	Key
	Rules
	// Known is the position that the caller has seen.
	Known Position
	// Entries are messages of that epoch that the caller still has, in order,
	// none beyond Known.
	Entries []Entry
	// DedupeWindow is how long their dedupe keys are remembered again
	// (2 minutes when zero).
	DedupeWindow time.Duration
}

// Restored is the answer to a Restore.
type Restored struct {
	Position // the current one
	// Conflict says that the log's history is not the caller's any more, and
	// that offsets the caller has seen mean other messages or none: its
	// epoch is another now.
	Conflict bool
}

// Restore puts back the messages that Redis lost in a failover, or by being
// emptied, under the offsets they had. Offsets up to Known that nobody can put
// back stay free, so that no later message gets one. When another message has
// taken an offset meanwhile, the epoch is changed. What it changed is
// announced on the live channel. To Restore what is there changes nothing.
func (s *Store) Restore(ctx context.Context, o Restore) (Restored, error) {
	if o.Name == "" || !o.valid() || o.Known.Epoch == "" {
		return Restored{}, fmt.Errorf("%w: restore %s at %s", ErrRules, o.Key, o.Known)
	}
	n := s.names(o.Key)
	keys := []string{n.meta(), n.entries(), n.channel}
	window := o.DedupeWindow
	if window < time.Millisecond {
		window = DefaultDedupeWindow
	}
	args := []any{
		newEpoch(), o.Size, o.TTL.Milliseconds(), s.metaTTL(o.TTL), s.publish(),
		window.Milliseconds(), o.Known.Epoch, o.Known.Offset,
	}
	for _, e := range o.Entries {
		if e.Token != "" {
			keys = append(keys, n.seen(e.Token))
		}
		args = append(args, e.Offset, wire(e.Token), e.Payload)
	}
	answer, err := s.run(ctx, restoreScript, keys, args...)
	r := answerReader{rest: answer, err: err}
	if err == nil {
		restored := Restored{Position: r.position(), Conflict: r.text() == "1"}
		if r.err == nil {
			return restored, nil
		}
	}
	return Restored{}, fmt.Errorf("stream: restore %s: %w", o.Key, r.err)
}
