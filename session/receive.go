package session

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
)

// Target says whom a payload from Redis is for.
type Target uint8

// Targets, one for each kind of channel.
const (
	ToAll Target = iota
	ToUser
	ToUserNotification
	ToRoom
)

// String names the kind of channel.
func (t Target) String() string {
	return [...]string{"broadcast", "user", "notification", "room"}[t]
}

// inbound is the memory in which one payload after another becomes a frame. Owned
// by one goroutine, the reader of the bus or DeliverLocal's.
type inbound struct {
	env   message.Envelope
	raw   []byte // what was published
	out   []byte // what browsers get
	drops dropLog
}

// Receive brings a payload that Redis delivered to the connections of this node.
// What cannot be delivered is counted, logged once in a while, and dropped. It
// is called by one goroutine, the reader of the bus, and may wait when this node
// is behind. Received has to follow, after one payload or after many.
func (m *Manager) Receive(to Target, name, payload string) {
	if frame := m.frameOf(&m.in, to, name, payload); frame != nil {
		m.deliver(to, name, frame)
	}
}

// frameOf makes the frame that browsers get of a payload, nil when it is dropped.
func (m *Manager) frameOf(in *inbound, to Target, name, payload string) *engine.Frame {
	in.raw = append(in.raw[:0], payload...)
	if err := m.cfg.Limits.frames().DecodePayload(in.raw, &in.env); err != nil {
		m.stats.dropped(causeOf(err))
		in.drops.warn(m.log, to, name, err)
		return nil
	}
	fill := fillFor(to, name, &in.env, in.raw, time.Now())
	in.out = in.env.AppendDelivery(in.out[:0], fill)
	typ := cmp.Or(fill.Type, in.env.Type)
	m.stats.received(typ)
	frame := m.classed(engine.NewFrame(engine.OpText, in.out), to, name, typ, &in.env)
	if m.watch != nil {
		m.watch(to, name, 0, payload, frame)
	}
	return frame
}

// Watch has f see every frame that is made of a message from Redis, before it goes
// to anybody, with the payload it is made of and, where history is kept, its
// offset. It is called before the bus runs; f is called on the goroutines that make
// frames and must not block.
func (m *Manager) Watch(f func(to Target, name string, offset uint64, payload string, frame *engine.Frame)) {
	m.watch = f
}

// fillFor says what a payload lacks, or what its channel says better.
func fillFor(to Target, name string, env *message.Envelope, payload []byte, now time.Time) message.Fill {
	fill := message.Fill{Timestamp: now.Unix()}
	switch to {
	case ToUserNotification:
		fill.Type = message.TypeNotification
		fill.NotificationID = notificationID(name, env, payload, now)
	case ToRoom:
		fill.Room = name
	}
	return fill
}

func (m *Manager) deliver(to Target, name string, frame *engine.Frame) {
	switch to {
	case ToAll:
		m.hub.Broadcast(frame)
	case ToUser, ToUserNotification:
		m.hub.Enqueue(room.User(name), frame)
	case ToRoom:
		m.hub.Enqueue(room.Room(name), frame)
	}
}

// Received has what Receive brought sent out; it is to be called when no more is
// at hand.
func (m *Manager) Received() { m.hub.Flush() }

// causeOf says which of the causes made package message refuse a payload.
func causeOf(err error) int {
	switch {
	case errors.Is(err, message.ErrTooLarge):
		return dropTooLarge
	case errors.Is(err, message.ErrTooDeep):
		return dropTooDeep
	case errors.Is(err, message.ErrNotUTF8):
		return dropNotUTF8
	default:
		return dropMalformed
	}
}

// notificationPeriod separates equal payloads: within it they are the same
// notification.
const notificationPeriod = 10 * time.Second

// notificationID names a notification that has no name of its own. Every node
// that hears it should come to the same name, so it is the message's id, or a
// digest of what was published and, for a payload without a time, of the period
// in which it was heard. Two nodes that hear such a payload on either side of a
// period's end name it differently; publishers who mind give it an id or a
// timestamp.
func notificationID(userID string, env *message.Envelope, payload []byte, now time.Time) string {
	if env.ID != "" {
		return env.ID
	}
	h := sha256.New()
	h.Write([]byte(userID))
	h.Write([]byte{0}) // no user id holds it
	h.Write(payload)
	if env.Timestamp == nil {
		var period [8]byte
		binary.BigEndian.PutUint64(period[:], uint64(now.Truncate(notificationPeriod).Unix()))
		h.Write(period[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
