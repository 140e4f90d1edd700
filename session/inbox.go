package session

import (
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
)

// A user whose messages are kept has an inbox: what comes to the user has
// offsets, each device confirms by ack up to where it has them, and is sent the
// rest when it connects. Devices without a name share one position.

// maxDeviceBytes bounds the name of a device.
const maxDeviceBytes = 64

// deviceOf is the name that a device gives itself in ?device=, empty for none. It
// reports false when that is not 1 to 64 bytes of A-Z a-z 0-9 . _ -
func deviceOf(r *http.Request) (name string, ok bool) {
	// Most have none, and a parsed query is a map; an escape may hide the name.
	if raw := r.URL.RawQuery; !strings.Contains(raw, "device") && !strings.Contains(raw, "%") {
		return "", true
	}
	query := r.URL.Query()
	if !query.Has("device") {
		return "", true
	}
	name = query.Get("device")
	strange := strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._-", c)
	})
	return name, name != "" && len(name) <= maxDeviceBytes && !strange
}

// devices remembers the names of the devices that have one: others should not pay
// for it in each session.
type devices struct {
	mu    sync.Mutex
	names map[uint32]string // guarded by mu: by Session.number
}

func (d *devices) set(session uint32, name string) {
	if name == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names == nil {
		d.names = map[uint32]string{}
	}
	d.names[session] = strings.Clone(name) // else all of the request would be kept
}

func (d *devices) of(session uint32) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.names[session]
}

func (d *devices) forget(session uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.names, session)
}

// attachInbox is attach for a user with an inbox. The client is greeted when its
// inbox was read, and what it has not confirmed follows; when Redis is away it is
// greeted without that, and told when it is there.
func (s *Session) attachInbox(rooms []string) {
	device := s.manager.devices.of(s.number)
	welcomed := false // owned by the worker, as all of this
	s.manager.hub.AttachInbox(&s.member, device, func(at room.Admission, err error) {
		if welcomed {
			s.reply(func(dst []byte) []byte { return message.AppendInboxOpened(dst, inboxAt(at)) })
			return
		}
		welcomed = true
		s.settled()
		switch {
		case err == nil:
			in := inboxAt(at)
			s.greet(&in, rooms)
		case !errors.Is(err, room.ErrGone):
			s.greet(nil, rooms)
		}
	})
}

func inboxAt(at room.Admission) message.Inbox {
	return message.Inbox{Position: message.Position(at.Position), Unread: at.Unread, Recovered: at.Recovered}
}

// ackInbox notes what this device has received.
func (s *Session) ackInbox(env *message.Envelope) error {
	if !s.manager.cfg.Inbox.kept() {
		return errUnsupported
	}
	offset, messageID, err := message.AckOf(env.Content)
	switch {
	case err != nil:
		return err
	case (offset == nil) == (messageID == ""):
		return errWhatAcked
	case offset != nil:
		s.ackOffset(env.ID, *offset)
		return nil
	case !s.frames.take(s.manager.frameRate, s.manager.now(), searchCost-1):
		return errTooFast
	}
	s.ackMessage(env.ID, messageID)
	return nil
}

// searchCost is how many frames it counts as to confirm a message by its id, which
// has to be looked for.
const searchCost = 10

// ackOffset confirms everything up to offset. While the inbox is still being sent,
// that counts when it was sent so far.
func (s *Session) ackOffset(id string, offset uint64) {
	done := s.whenSent(id)
	device := s.manager.devices.of(s.number)
	taken := s.manager.hub.WhenSent(&s.member, offset, func() {
		if err := s.manager.logs.AckInbox(s.member.UserID(), device, offset, done); err != nil {
			done(err)
		}
	})
	if !taken {
		s.fail(id, errNotSent)
	}
}

// ackMessage confirms everything up to the message with an id, which may be a
// notification's.
func (s *Session) ackMessage(id, messageID string) {
	err := s.manager.logs.ReadInbox(s.member.UserID(), 0, s.manager.cfg.Inbox.Size, func(entries []room.Entry, err error) {
		switch offset := s.manager.offsetOf(entries, messageID, s.member.UserID()); {
		case err != nil:
			s.fail(id, errNotSent)
		case offset == 0:
			s.fail(id, errNotInInbox)
		default:
			s.ackOffset(id, offset)
		}
	})
	if err != nil {
		s.fail(id, errNotSent)
	}
}

// offsetOf finds a message by its id or notification id, 0 when it is not there.
// Of several the last counts.
func (m *Manager) offsetOf(entries []room.Entry, id, userID string) uint64 {
	var env message.Envelope
	for i := len(entries) - 1; i >= 0; i-- {
		e := entries[i]
		if m.cfg.Limits.frames().DecodePayload([]byte(e.Payload), &env) != nil {
			continue
		}
		if env.ID == id || message.NotificationID(env.Data) == id ||
			env.Type == message.TypeNotification && notificationOf(&env, room.User(userID), e.Offset) == id {
			return e.Offset
		}
	}
	return 0
}
