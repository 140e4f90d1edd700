package session

import (
	"fmt"

	"github.com/ginforge/gateway/room"
)

// fakeLog is the log of a room or user, and what its messages were appended with.
type fakeLog struct {
	epoch    string
	entries  []room.Entry
	messages []LogMessage
	seen     map[string]uint64
}

var (
	_ Logs       = (*fakeBus)(nil)
	_ room.Store = (*fakeBus)(nil)
)

func newFakeBus() *fakeBus {
	return &fakeBus{logs: map[room.Key]*fakeLog{}, acked: map[string]uint64{}}
}

// log returns the log of key. The caller holds mu.
func (b *fakeBus) log(key room.Key) *fakeLog {
	if b.logs[key] == nil {
		b.logs[key] = &fakeLog{epoch: "e1", seen: map[string]uint64{}}
	}
	return b.logs[key]
}

func (b *fakeBus) isAway() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.away
}

// Append implements Logs. What it appends is not pushed: see world.push.
func (b *fakeBus) Append(m LogMessage, done func(room.Position, bool, error)) error {
	b.mu.Lock()
	away, failing := b.away, b.failing
	l := b.log(m.Key)
	offset, duplicate := l.seen[m.Dedupe]
	if !away && !failing && !duplicate {
		offset = uint64(len(l.entries) + 1)
		l.entries = append(l.entries, room.Entry{Offset: offset, Payload: string(m.Payload)})
		l.messages = append(l.messages, m)
		if m.Dedupe != "" {
			l.seen[m.Dedupe] = offset
		}
	}
	b.mu.Unlock()
	switch {
	case away:
		return errAway
	case failing:
		done(room.Position{}, false, errFailed)
		return nil
	}
	done(room.Position{Epoch: l.epoch, Offset: offset}, duplicate, nil)
	return nil
}

func (b *fakeBus) ReadInbox(user string, after uint64, limit int, done func([]room.Entry, error)) error {
	if b.isAway() {
		return errAway
	}
	b.Read(room.User(user), after, limit, func(p room.Page, err error) { done(p.Entries, err) })
	return nil
}

func (b *fakeBus) AckInbox(user, device string, offset uint64, done func(error)) error {
	b.mu.Lock()
	away := b.away
	if !away {
		b.acked[user+"/"+device] = offset
	}
	b.mu.Unlock()
	if away {
		return errAway
	}
	done(nil)
	return nil
}

// page reads what is behind after. The caller holds mu.
func (b *fakeBus) page(key room.Key, after uint64) room.Page {
	l := b.log(key)
	last := uint64(len(l.entries))
	return room.Page{
		Position: room.Position{Epoch: l.epoch, Offset: last},
		Entries:  append([]room.Entry(nil), l.entries[min(after, last):]...),
	}
}

// Read implements room.Store.
func (b *fakeBus) Read(key room.Key, after uint64, _ int, done func(room.Page, error)) {
	b.mu.Lock()
	away, p := b.away, b.page(key, after)
	b.mu.Unlock()
	if away {
		done(room.Page{}, errAway)
		return
	}
	done(p, nil)
}

// Positions implements room.Store.
func (b *fakeBus) Positions(keys []room.Key, done func([]room.Position, error)) {
	at := make([]room.Position, len(keys))
	b.mu.Lock()
	for i, key := range keys {
		at[i] = b.page(key, 0).Position
	}
	b.mu.Unlock()
	done(at, nil)
}

// Restore implements room.Store; nothing is ever lost.
func (b *fakeBus) Restore(_ room.Key, known room.Position, _ []room.Entry, done func(room.Position, error)) {
	done(known, nil)
}

// OpenInbox implements room.Store.
func (b *fakeBus) OpenInbox(q room.InboxQuery, done func(room.Inbox, error)) {
	b.mu.Lock()
	away, acked := b.away, b.acked[q.UserID+"/"+q.Device]
	key := room.User(q.UserID)
	in := room.Inbox{After: acked, Unread: len(b.page(key, acked).Entries)}
	if q.After.Epoch == b.log(key).epoch {
		in.After = q.After.Offset
	}
	in.Page = b.page(key, in.After)
	size := 0
	for i := 0; i < len(in.Entries); i++ {
		if size += len(in.Entries[i].Payload); i == q.Limit || i > 0 && size > q.Bytes {
			in.Entries = in.Entries[:i]
		}
	}
	b.mu.Unlock()
	if away {
		done(room.Inbox{}, errAway)
		return
	}
	done(in, nil)
}

// publish appends a message as a backend would, and pushes it.
func (w *world) publish(key room.Key, payload string) {
	err := w.bus.Append(LogMessage{Key: key, Payload: []byte(payload)}, func(room.Position, bool, error) {})
	if err != nil {
		panic(fmt.Sprintf("append: %v", err)) // the tests do this while the bus is there
	}
	w.push(key)
}

// push brings the latest message of a log to the hub, as the bus does.
func (w *world) push(key room.Key) {
	w.bus.mu.Lock()
	l := w.bus.log(key)
	e := l.entries[len(l.entries)-1]
	w.bus.mu.Unlock()
	w.hub.DeliverLog(key, l.epoch, e)
	w.hub.Flush()
}
