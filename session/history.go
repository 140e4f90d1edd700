package session

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
)

// History says how much of what a room or a user is sent is kept.
type History struct {
	Size int           // messages; 0 keeps none
	TTL  time.Duration // of a message
}

// kept reports whether anything is.
func (h History) kept() bool { return h.Size > 0 }

// MaxHistory is how many messages a log may keep.
const MaxHistory = 100_000

func (h History) validate(name string) error {
	switch {
	case h.Size < 0 || h.Size > MaxHistory:
		return fmt.Errorf("session: %s.size is %d: allowed is 0 to %d", name, h.Size, MaxHistory)
	case h.kept() && h.TTL < time.Second:
		return fmt.Errorf("session: %s.ttl is %s: allowed is 1s and up", name, h.TTL)
	}
	return nil
}

// LogMessage is a message for the log of a room or user.
type LogMessage struct {
	Key room.Key
	History
	Payload []byte
	// Dedupe, unless empty, makes the message a duplicate when one with the same
	// was appended shortly before.
	Dedupe string
	// Taken is how far this node has heard: the message comes behind.
	Taken room.Position
}

// Logs keeps messages. Like a Publisher it never waits, and calls done once
// unless it returns an error.
type Logs interface {
	// Append keeps a message and sends it to the members, in one step.
	Append(m LogMessage, done func(at room.Position, duplicate bool, err error)) error
	// ReadInbox reads at most limit messages of a user behind an offset.
	ReadInbox(userID string, after uint64, limit int, done func([]room.Entry, error)) error
	// AckInbox notes that a device has everything up to an offset.
	AckInbox(userID, device string, offset uint64, done func(error)) error
}

// HistoryOf says what is kept of a room's or user's messages.
func (c *Config) HistoryOf(key room.Key) History {
	switch key.Kind {
	case room.KindRoom:
		return c.Namespaces.of(key.Name).History
	case room.KindUser:
		return c.Inbox
	default:
		return History{}
	}
}

// LogFrame makes what clients get of a kept message; it is what
// room.History.Frame wants. One that cannot be read is counted, and something
// stands for it, so that nobody misses its offset.
func (m *Manager) LogFrame(key room.Key, offset uint64, payload string) *engine.Frame {
	w := logWork.Get().(*logScratch)
	defer w.put()
	w.raw = append(w.raw[:0], payload...)
	if err := m.cfg.Limits.frames().DecodePayload(w.raw, &w.env); err != nil {
		m.stats.dropped(causeOf(err))
		w.out = message.AppendUnreadable(w.out[:0], roomOf(key), offset)
		return engine.NewFrame(engine.OpText, w.out)
	}
	fill := message.Fill{Offset: offset, Timestamp: time.Now().Unix(), Room: roomOf(key), NoRoom: key.Kind == room.KindUser}
	if key.Kind == room.KindUser && w.env.Type == message.TypeNotification {
		fill.NotificationID = notificationOf(&w.env, key, offset)
	}
	w.out = w.env.AppendDelivery(w.out[:0], fill)
	m.stats.received(w.env.Type)
	frame := engine.NewFrame(engine.OpText, w.out)
	if m.watch != nil {
		to := ToRoom
		if key.Kind == room.KindUser {
			to = ToUser
		}
		m.watch(to, key.Name, offset, payload, frame)
	}
	return frame
}

// notificationOf names a notification of an inbox that has no name of its own, as
// every node does.
func notificationOf(env *message.Envelope, key room.Key, offset uint64) string {
	if env.ID != "" {
		return env.ID
	}
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key.Name, offset)))[:32]
}

// RenewedFrame makes what members are told when messages of their room or inbox
// were lost; it is what room.History.Renewed wants.
func (m *Manager) RenewedFrame(key room.Key, at room.Position) *engine.Frame {
	return engine.NewFrame(engine.OpText, message.AppendJoinedLog(nil, "", roomOf(key), message.Joined{Position: message.Position(at)}))
}

// roomOf is the name of a room, empty for a user.
func roomOf(key room.Key) string {
	if key.Kind == room.KindRoom {
		return key.Name
	}
	return ""
}

// ForLog makes what is kept of a payload that was published on a channel of
// Redis: the envelope with what it lacks, so that every node delivers the same.
// id is that of the envelope, empty when it has none; at is the time of one that
// has none. A payload that cannot be
// delivered is counted, and refused with an error of package message. It may be
// called from any goroutine.
func (m *Manager) ForLog(to Target, name string, payload []byte, at time.Time) (kept []byte, id string, err error) {
	w := logWork.Get().(*logScratch)
	defer w.put()
	w.raw = append(w.raw[:0], payload...)
	if err := m.cfg.Limits.frames().DecodePayload(w.raw, &w.env); err != nil {
		m.stats.dropped(causeOf(err))
		return nil, "", err
	}
	fill := fillFor(to, name, &w.env, w.raw, at)
	return w.env.AppendDelivery(make([]byte, 0, len(payload)+64), fill), w.env.ID, nil
}

// logScratch is memory for making frames.
type logScratch struct {
	env      message.Envelope
	raw, out []byte
}

var logWork = sync.Pool{New: func() any { return new(logScratch) }}

func (w *logScratch) put() {
	if cap(w.raw) > maxReplyBuffer {
		w.raw = nil
	}
	if cap(w.out) > maxReplyBuffer {
		w.out = nil
	}
	logWork.Put(w)
}

// keep appends a client's message to the log of key. It answers the message.
func (s *Session) keep(key room.Key, rules History, id, dedupe string, payload []byte) {
	m := LogMessage{Key: key, History: rules, Payload: payload, Dedupe: dedupe, Taken: s.manager.hub.LogPosition(key)}
	err := s.manager.logs.Append(m, func(at room.Position, duplicate bool, err error) {
		if err != nil {
			s.fail(id, errNotSent)
			return
		}
		s.ack(id, message.AppendTaken(nil, at.Offset, duplicate))
	})
	if err != nil {
		s.fail(id, errNotSent)
	}
}

// dedupeKey is by what a client's message is known when it comes again: sender,
// id and what it says, so that only the same message is ever taken for a
// duplicate. It is empty for a message without an id.
func (s *Session) dedupeKey(env *message.Envelope) string {
	if env.ID == "" {
		return ""
	}
	h := sha256.New()
	for _, part := range [...][]byte{[]byte(s.member.UserID()), []byte(env.ID), env.Content, env.Data} {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}
