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
// One that does not say it, since this user may not ask (INFO), or has none, may be
// another with each new link; and its script cannot refuse what was meant for another.

// settling is which server answers, or is the master of some slots, and until when
// appends wait there.
type settling struct {
	mu      sync.Mutex // guards the fields below
	known   bool       // somebody has looked
	history string     // of the server, as was said last; "" when it never was
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
// if it is another than the last, or may be: one of the two does not say. What one
// has said stays, to be compared with what the next says.
func (s *settling) note(history string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known && (history == "" || history != s.history) {
		s.until = time.Now().Add(d)
	}
	s.known = true
	if history != "" {
		s.history = history
	}
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
	if err != nil && !errors.As(err, &refusal) { // the embedded Redis has no such section, others may not allow it
		return err
	}
	history := infoField(info, "master_replid")
	if history == "" && b.embedded == nil {
		b.nameless.Do(func() {
			b.log.Warn().Err(err).Msg("redis does not say its replication history, which INFO has: " +
				"messages with history wait after each new connection, and may come twice or be lost after a failover")
		})
	}
	s.note(history, b.cfg.Settle)
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
	next     time.Time   // when the first server of theirs has settled
	timer    *time.Timer // fires then; nil while there are none
}

// due returns the channel on which it comes that some of them may go.
func (w *waiting) due() <-chan time.Time {
	if w.timer == nil {
		return nil
	}
	return w.timer.C
}

// ready returns those that need not wait any more. Each server has its own time, and
// may have got another one meanwhile.
func (w *waiting) ready(b *Bus) []outgoing { return w.split(b, w.take()) }

// split moves those of messages that have to wait, and returns the others, in
// the same memory.
func (w *waiting) split(b *Bus, messages []outgoing) []outgoing {
	now := time.Now()
	going := messages[:0]
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
		if left > 0 {
			w.lookAt(now.Add(left))
		}
	}
	return going
}

// lookAt has the timer fire at t, or before if it would.
func (w *waiting) lookAt(t time.Time) {
	switch {
	case w.timer == nil:
		w.timer = time.NewTimer(time.Until(t))
	case t.Before(w.next):
		w.timer.Reset(time.Until(t))
	default:
		return
	}
	w.next = t
}

// take returns all that waits and forgets it.
func (w *waiting) take() []outgoing {
	if w.timer != nil {
		w.timer.Stop()
	}
	messages := w.messages
	*w = waiting{}
	return messages
}
