package session

import (
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

// Receive brings a payload that Redis delivered to the connections of this node.
// What cannot be delivered is counted, logged once in a while, and dropped. It
// is called by one goroutine, the reader of the bus, and may wait when this node
// is behind.
func (m *Manager) Receive(to Target, name, payload string) {
	env := envelopes.Get().(*message.Envelope)
	defer envelopes.Put(env)
	raw := []byte(payload)
	if err := m.cfg.Limits.frames().DecodePayload(raw, env); err != nil {
		m.drop(to, name, err)
		return
	}
	now := time.Now()
	fill := message.Fill{Timestamp: now.Unix()}
	switch to {
	case ToUserNotification:
		fill.Type = message.TypeNotification
		fill.NotificationID = notificationID(name, env, raw, now)
	case ToRoom:
		fill.Room = name
	}
	frame := engine.NewFrame(engine.OpText, env.AppendDelivery(nil, fill))
	m.stats.received(env.Type)
	switch to {
	case ToAll:
		m.hub.Broadcast(frame)
	case ToUser, ToUserNotification:
		m.hub.Deliver(room.User(name), frame)
	case ToRoom:
		m.hub.Deliver(room.Room(name), frame)
	}
}

func (m *Manager) drop(to Target, name string, err error) {
	why := dropMalformed
	switch {
	case errors.Is(err, message.ErrTooLarge):
		why = dropTooLarge
	case errors.Is(err, message.ErrNotUTF8):
		why = dropNotUTF8
	case errors.Is(err, message.ErrTooDeep):
		why = dropTooDeep
	}
	m.stats.dropped(why)
	m.drops.warn(to, name, err)
}

// notificationPeriod separates equal payloads: within it they are the same
// notification.
const notificationPeriod = 10 * time.Second

// notificationID names a notification that has no name of its own. Every node
// that hears it must come to the same name, so it is the message's id, or a
// digest of what was published and, for a payload without a time, of when.
func notificationID(userID string, env *message.Envelope, payload []byte, now time.Time) string {
	if env.ID != "" {
		return env.ID
	}
	h := sha256.New()
	h.Write([]byte(userID))
	h.Write([]byte{0})
	h.Write(payload)
	if env.Timestamp == nil {
		var period [8]byte
		binary.BigEndian.PutUint64(period[:], uint64(now.Truncate(notificationPeriod).Unix()))
		h.Write(period[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
