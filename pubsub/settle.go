package pubsub

import (
	"bufio"
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ginforge/gateway/pubsub/stream"
)

// After a failover the new master may lack messages that nodes have delivered.
// They put them back (Restore) as soon as they are connected. An append that
// came first would take the offset of one of them, and make two histories of
// one; so appends wait for Config.Settle where another server answers than
// before. What is published on channels does not wait.

// settling is until when appends wait at one server.
type settling struct {
	until atomic.Int64 // Unix nanoseconds, 0 at first
}

// begin has appends wait for d from now on.
func (s *settling) begin(d time.Duration) { s.until.Store(time.Now().Add(d).UnixNano()) }

// left returns how long they still wait, which is negative when it is over.
func (s *settling) left(now time.Time) time.Duration {
	return time.Duration(s.until.Load() - now.UnixNano())
}

// settlingOf returns the settling of the server that has a log.
func (b *Bus) settlingOf(k stream.Key) *settling {
	if b.shards == nil {
		return &b.settling
	}
	return b.shards.settlingOf(topic{LogKind(k.Kind), k.Name})
}

// noteServer takes the run id of the server of a new link, and has appends wait
// if it is another than the last. It is called by the one goroutine that dials.
// A Cluster's link may be to any master: there shards does this.
func (b *Bus) noteServer(ctx context.Context, l *link) {
	if b.shards != nil || l.shard != nil {
		return
	}
	info, err := l.node.Info(ctx, "server").Result()
	if err != nil {
		return // the embedded Redis has no such section, and never another server
	}
	run := runID(info)
	if b.server != "" && run != "" && run != b.server {
		b.settling.begin(b.cfg.Settle)
	}
	b.server = run
}

// runID finds the run id in an answer to INFO, "" if there is none.
func runID(info string) string {
	for lines := bufio.NewScanner(strings.NewReader(info)); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "run_id:"); ok {
			return id
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
