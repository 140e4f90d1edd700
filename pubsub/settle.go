package pubsub

import (
	"sync"
	"time"

	"github.com/ginforge/gateway/pubsub/stream"
)

// After a failover the new master may lack messages that nodes have delivered.
// They put them back (Restore) as soon as they are connected. An append that
// came first would take the offset of one of them, and make two histories of
// one; so appends wait for Config.Settle where another server answers than
// before. What is published on channels does not wait.
//
// A server is known by its replication history, which Redis names by random
// digits: they change when a replica takes over, and when a server is restarted. Only
// a link that is subscribed there can say that it is there (history.go).
// One that does not say it, since this user may not ask (INFO), or has none, may be
// another with each new link; and its script cannot refuse what was meant for another.

// settling is which server answers, or is the master of some slots, and until when
// appends wait there.
type settling struct {
	mu      sync.Mutex // guards the fields below
	known   bool       // a link has looked
	history string     // of the server, as a link of it was told last; "" when none ever was
	until   time.Time
	moved   bool   // another server answers in its place, to which no link has come yet
	leave   func() // ends the link that has looked last; nil when that is to end
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

// note takes the history that a link has from its own server, and has appends wait for
// d if it is another than the last, or may be: one of the two does not say. What one
// has said stays, to be compared with what the next says. leave ends the link.
func (s *settling) note(history string, d time.Duration, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known && (history == "" || history != s.history) {
		s.until = time.Now().Add(d)
	}
	s.known, s.moved, s.leave = true, false, leave
	if history != "" {
		s.history = history
	}
}

// elsewhere takes that another server has answered in place of the one with that
// history. The link to that one ends, unless the next has come to another since, and
// nothing has settled before a link has noted who is there now.
func (s *settling) elsewhere(history string) {
	s.mu.Lock()
	var leave func()
	if s.known && s.history == history {
		s.moved, leave, s.leave = true, s.leave, nil
	}
	s.mu.Unlock()
	if leave != nil {
		leave()
	}
}

// settled returns the history of a server at which appends need not wait. It
// reports false when they do, or no link is known to be at the server that answers.
func (s *settling) settled(now time.Time) (history string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.history, s.known && !s.moved && !s.until.After(now)
}

// Settled returns the replication history of the server that this node is subscribed
// at, "" if it has not said. It reports false while there is none, and when appends have
// to wait there: other nodes may still be at the server before, and not hear what is
// published. In a Cluster, where any master brings it to all, there is no such time.
func (b *Bus) Settled() (history string, ok bool) {
	if b.shards != nil {
		return "", true
	}
	if b.outbox.route() == nil {
		return "", false
	}
	return b.settling.settled(time.Now())
}

// settlingOf returns the settling of the server that has a log.
func (b *Bus) settlingOf(k stream.Key) *settling {
	if b.shards == nil {
		return &b.settling
	}
	return &b.shards.ownerOf(topic{LogKind(k.Kind), k.Name}).settling
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
