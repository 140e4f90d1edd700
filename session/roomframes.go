package session

import (
	"time"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

// roomName finds the room that a frame is about: in the envelope, in the
// content, or in both if they agree.
func (s *Session) roomName(env *message.Envelope, inContent string) (string, error) {
	name := env.Room
	switch {
	case name == "":
		name = inContent
	case inContent != "" && inContent != name:
		return "", errTwoTargets
	}
	if !validRoomName(name, s.manager.cfg.Limits.RoomNameBytes) {
		return "", errRoomName
	}
	return name, nil
}

func (s *Session) joinRoom(env *message.Envelope) error {
	inContent, err := message.RoomOf(env.Content)
	if err != nil {
		return err
	}
	name, err := s.roomName(env, inContent)
	if err != nil {
		return err
	}
	rules := s.manager.cfg.Namespaces.of(name)
	if !rules.Join.allows(s.caps, func(c *auth.Caps) bool { return c.CanJoin(name) }) {
		return errMayNotJoin
	}
	id := env.ID
	s.manager.hub.Join(&s.member, room.Room(name), rules.Presence, func(err error) { s.joined(id, name, err) })
	return nil
}

// joined answers a join. Called by a worker.
func (s *Session) joined(id, name string, err error) {
	switch {
	case isGone(err):
	case err != nil:
		s.sendError(id, refusalOf(err))
	default:
		var scratch [384]byte
		_ = s.SendText(message.AppendJoined(scratch[:0], id, name)) // the client is gone or too slow
		s.ack(id, nil)
	}
}

func (s *Session) leaveRoom(env *message.Envelope) error {
	inContent, err := message.RoomOf(env.Content)
	if err != nil {
		return err
	}
	name, err := s.roomName(env, inContent)
	if err != nil {
		return err
	}
	id := env.ID
	s.manager.hub.Leave(&s.member, room.Room(name), func(err error) {
		if err != nil {
			s.sendError(id, refusalOf(err))
			return
		}
		var scratch [384]byte
		_ = s.SendText(message.AppendLeft(scratch[:0], id, name)) // the client is gone or too slow
		s.ack(id, nil)
	})
	return nil
}

func (s *Session) roomMessage(env *message.Envelope) error {
	_, inContent, err := message.TargetOf(env.Content)
	if err != nil {
		return err
	}
	name, err := s.roomName(env, inContent)
	if err != nil {
		return err
	}
	return s.sendToRoom(env, name)
}

// sendToRoom publishes a message to a room. Whether the sender is a member is
// asked behind its earlier joins and leaves, so that a client need not wait for
// joined before it speaks.
func (s *Session) sendToRoom(env *message.Envelope, name string) error {
	rules := s.manager.cfg.Namespaces.of(name)
	if !rules.Publish.allows(s.caps, func(c *auth.Caps) bool { return c.CanPublish(name) }) {
		return errMayNotSend
	}
	payload, err := s.stamped(env, message.Stamp{Type: message.TypeRoomMessage, Room: name}, rules.MessageBytes)
	if err != nil {
		return err
	}
	id := env.ID
	s.manager.hub.InOrder(&s.member, room.Room(name), func(err error) {
		switch {
		case isGone(err):
		case err != nil:
			s.sendError(id, refusalOf(err))
		default:
			s.published(id, s.manager.bus.PublishRoom(name, payload, s.whenPublished(id)))
		}
	})
	return nil
}

// stamped is the message as it is published: who sent it is the gateway's to
// say. limit bounds its size below Limits.MessageBytes; 0 means that limit.
func (s *Session) stamped(env *message.Envelope, stamp message.Stamp, limit int) ([]byte, error) {
	stamp.From, stamp.FromName = s.member.UserID(), s.member.UserName()
	stamp.Timestamp = time.Now().Unix()
	payload := env.AppendForward(nil, stamp)
	if most := s.manager.cfg.Limits.MessageBytes; limit == 0 || limit > most {
		limit = most
	}
	if len(payload) > limit {
		return nil, errTooBig
	}
	return payload, nil
}

// whenPublished answers a message once Redis has taken it.
func (s *Session) whenPublished(id string) func(error) {
	return func(err error) {
		if err != nil {
			s.sendError(id, errNotSent)
			return
		}
		s.ack(id, nil)
	}
}

// published answers a message that the bus did not even accept.
func (s *Session) published(id string, err error) {
	if err != nil {
		s.sendError(id, errNotSent)
	}
}
