package session

import (
	"errors"
	"time"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

// What clients send to others goes out through the bus, and comes back through
// Manager.Receive on every node that has somebody to get it, this one included.

func (s *Session) roomMessage(env *message.Envelope) error {
	_, inContent, err := message.TargetOf(env.Content)
	if err != nil {
		return err
	}
	return s.sendToRoom(env, inContent)
}

func (s *Session) userMessage(env *message.Envelope) error {
	inContent, _, err := message.TargetOf(env.Content)
	if err != nil {
		return err
	}
	return s.sendToUser(env, inContent)
}

// chat is user_message or room_message, whichever its target says.
func (s *Session) chat(env *message.Envelope) error {
	to, inContent, err := message.TargetOf(env.Content)
	if err != nil {
		return err
	}
	toUser := env.To != "" || to != ""
	toRoom := env.Room != "" || inContent != ""
	switch {
	case toUser && toRoom:
		return errTwoTargets
	case toUser:
		return s.sendToUser(env, to)
	case toRoom:
		return s.sendToRoom(env, inContent)
	default:
		return errNoTarget
	}
}

// sendToRoom publishes a message to a room. Whether the sender is a member is
// asked behind its earlier joins and leaves, so that a client need not wait for
// joined before it speaks.
func (s *Session) sendToRoom(env *message.Envelope, inContent string) error {
	name, err := s.roomName(env, inContent)
	if err != nil {
		return err
	}
	rules := s.manager.cfg.Namespaces.of(name)
	if !rules.Publish.allows(s.caps, func(c *auth.Caps) bool { return c.CanPublish(name) }) {
		return errMayNotSend
	}
	payload, err := s.stamped(env, message.Stamp{Type: message.TypeRoomMessage, Room: name}, rules.MessageBytes)
	if err != nil {
		return err
	}
	id, dedupe := env.ID, ""
	if rules.History.kept() {
		dedupe = s.dedupeKey(env)
	}
	s.manager.hub.InOrder(&s.member, room.Room(name), func(err error) {
		if err != nil {
			s.fail(id, refusalOf(err))
			return
		}
		if rules.History.kept() {
			s.keep(room.Room(name), rules.History, id, dedupe, payload)
			return
		}
		sent := s.whenSent(id)
		err = s.manager.bus.PublishRoom(name, payload, sent)
		switch {
		case errors.Is(err, ErrAway) && s.manager.locals.put(name, payload):
			s.ack(id, sentLocally)
		case err != nil:
			sent(err)
		}
	})
	return nil
}

// sendToUser publishes a message to all devices of a user.
func (s *Session) sendToUser(env *message.Envelope, inContent string) error {
	to := env.To
	switch {
	case to == "":
		to = inContent
	case inContent != "" && inContent != to:
		return errTwoTargets
	}
	if !auth.ValidUserID(to) {
		return errUserID
	}
	payload, err := s.stamped(env, message.Stamp{Type: message.TypeUserMessage, To: to}, 0)
	if err != nil {
		return err
	}
	if inbox := s.manager.cfg.Inbox; inbox.kept() {
		s.keep(room.User(to), inbox, env.ID, s.dedupeKey(env), payload)
		return nil
	}
	sent := s.whenSent(env.ID)
	if err := s.manager.bus.PublishUser(to, payload, sent); err != nil {
		sent(err)
	}
	return nil
}

// stamped is the message as it is published: who sent it is the gateway's to
// say. limit bounds its size below Limits.MessageBytes, which every node holds
// payloads to; 0 means that limit.
func (s *Session) stamped(env *message.Envelope, stamp message.Stamp, limit int) ([]byte, error) {
	stamp.From, stamp.FromName = s.member.UserID(), s.member.UserName()
	stamp.Timestamp = time.Now().Unix()
	payload := env.AppendForward(make([]byte, 0, stampedSize(env, &stamp)), stamp)
	if most := s.manager.cfg.Limits.MessageBytes; limit == 0 || limit > most {
		limit = most
	}
	if len(payload) > limit {
		return nil, errTooBig
	}
	return payload, nil
}

// stampedSize is about what a message takes when it is published: more than that
// when the client adds members of its own.
func stampedSize(env *message.Envelope, stamp *message.Stamp) int {
	const names = len(`{"type":"room_message","room":"","to":"","from":"","from_name":"","content":,"data":,"id":"","timestamp":1697356800}`)
	return names + len(stamp.Room) + len(stamp.To) + len(stamp.From) + len(stamp.FromName) +
		len(env.ID) + len(env.Content) + len(env.Data)
}

// whenSent answers a message once Redis has taken it, or when it could not be
// sent.
func (s *Session) whenSent(id string) func(error) {
	return func(err error) {
		if err != nil {
			s.fail(id, errNotSent)
			return
		}
		s.ack(id, nil)
	}
}
