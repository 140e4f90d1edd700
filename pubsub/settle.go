package pubsub

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// After a failover the new master may lack messages that nodes have delivered.
// They put them back (Restore) as soon as they are connected. An append that
// came first would take the offset of one of them, and make two histories of
// one; so appends wait for Config.Settle where another server answers than
// before. What is published on channels does not wait.
//
// A server is known by its replication history, which Redis names by random
// digits: they change when a replica takes over, and when a server is restarted.

// settling is which server answers, or is the master of some slots, and until when
// appends wait there.
type settling struct {
	mu      sync.Mutex // guards the fields below
	known   bool       // somebody has looked
	history string     // of the server; "" when it does not say
	until   time.Time
}

// begin has appends wait for d from now on.
func (s *settling) begin(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = time.Now().Add(d)
}

// left returns how long they still wait, which is not positive when it is over.
func (s *settling) left(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until.Sub(now)
}

// note takes the history of the server that answers, and has appends wait for d
// if it is another than the last.
func (s *settling) note(history string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known && s.history != "" && history != "" && history != s.history {
		s.until = time.Now().Add(d)
	}
	s.known, s.history = true, history
}

// settled returns the history of a server at which appends need not wait. It
// reports false when they do, or nobody knows the server yet.
func (s *settling) settled(now time.Time) (history string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.history, s.known && !s.until.After(now)
}

// settlingOf returns the settling of the server that has a log.
func (b *Bus) settlingOf(k stream.Key) *settling {
	if b.shards == nil {
		return &b.settling
	}
	return &b.shards.ownerOf(topic{LogKind(k.Kind), k.Name}).settling
}

// noteServer takes the history of the server of a new link, before anything is
// appended by it.
func (b *Bus) noteServer(ctx context.Context, l *link) error {
	s := &b.settling
	switch {
	case l.shard != nil:
		s = &l.shard.settling
	case b.shards != nil:
		return nil // any master of the Cluster
	}
	info, err := l.node.Info(ctx, "replication").Result()
	var refusal redis.Error
	if err != nil && !errors.As(err, &refusal) { // the embedded Redis has no such section
		return err
	}
	s.note(infoField(info, "master_replid"), b.cfg.Settle)
	return nil
}

// infoField finds a field in an answer to INFO, "" if it has none.
func infoField(info, name string) string {
	for lines := bufio.NewScanner(strings.NewReader(info)); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			return value
		}
	}
	return ""
}

// waiting are appends that wait until servers have settled. It is owned by the
// publisher.
type waiting struct {
	messages []outgoing // in order
	logs     map[stream.Key]struct{}
	until    *time.Timer // fires when all of them may go; nil while there are none
}

// due returns the channel on which the end of the wait comes.
func (w *waiting) due() <-chan time.Time {
	if w.until == nil {
		return nil
	}
	return w.until.C
}

// split moves those of messages that have to wait, and returns the others, in
// the same memory.
func (w *waiting) split(b *Bus, messages []outgoing) []outgoing {
	now := time.Now()
	going := messages[:0]
	var most time.Duration
	for _, m := range messages {
		if m.log == nil {
			going = append(going, m)
			continue
		}
		key := m.log.append.Key
		left := b.settlingOf(key).left(now)
		if _, behind := w.logs[key]; left <= 0 && !behind {
			going = append(going, m)
			continue
		}
		if w.logs == nil {
			w.logs = map[stream.Key]struct{}{}
		}
		w.logs[key] = struct{}{}
		w.messages = append(w.messages, m)
		most = max(most, left)
	}
	if most > 0 {
		w.extend(most)
	}
	return going
}

// extend has all that waits go after d.
func (w *waiting) extend(d time.Duration) {
	if w.until == nil {
		w.until = time.NewTimer(d)
		return
	}
	w.until.Reset(d)
}

// take returns all that waits and forgets it.
func (w *waiting) take() []outgoing {
	if w.until != nil {
		w.until.Stop()
	}
	messages := w.messages
	*w = waiting{}
	return messages
}
