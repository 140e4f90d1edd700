package session

import (
	"errors"
	"strconv"

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
	if limit := s.manager.cfg.Limits.RoomNameBytes; !ValidRoomName(name, limit) {
		return "", malformed("room must be 1 to " + strconv.Itoa(limit) + " bytes without control characters")
	}
	return name, nil
}

// enteredRoom is roomName for frames whose content may be the name itself.
func (s *Session) enteredRoom(env *message.Envelope) (string, error) {
	inContent, err := message.RoomOf(env.Content)
	if err != nil {
		return "", err
	}
	return s.roomName(env, inContent)
}

func (s *Session) joinRoom(env *message.Envelope) error {
	name, err := s.enteredRoom(env)
	if err != nil {
		return err
	}
	rules := s.manager.cfg.Namespaces.of(name)
	if !rules.Join.allows(s.caps, func(c *auth.Caps) bool { return c.CanJoin(name) }) {
		return errMayNotJoin
	}
	var since *room.Position
	if rules.History.kept() {
		asked, err := message.SinceOf(env.Content)
		if err != nil {
			return err
		}
		since = (*room.Position)(asked)
	}
	s.join(env.ID, name, since)
	return nil
}

// join enters the session into a room, whoever asked for it: the client, or the
// token at connect, which has no id. With since, what a room with history was
// sent behind it is replayed.
func (s *Session) join(id, name string, since *room.Position) {
	presence := s.manager.cfg.Namespaces.of(name).Presence
	s.manager.hub.JoinLog(&s.member, room.Room(name), presence, since, func(at room.Admission, err error) {
		switch {
		case errors.Is(err, room.ErrGone) && id == "":
			// Nobody waits for an answer: the client has left the room again, or
			// its connection has ended.
		case err != nil:
			s.fail(id, refusalOf(err))
		default:
			s.joined(id, name, at)
			s.ack(id, nil)
		}
	})
}

// joined tells the client that it is in a room, and where in its history.
func (s *Session) joined(id, name string, at room.Admission) {
	s.reply(func(dst []byte) []byte {
		if !at.Logged {
			return message.AppendJoined(dst, id, name)
		}
		return message.AppendJoinedLog(dst, id, name, message.Joined{Position: message.Position(at.Position), Recovered: at.Recovered})
	})
}

func (s *Session) leaveRoom(env *message.Envelope) error {
	name, err := s.enteredRoom(env)
	if err != nil {
		return err
	}
	id := env.ID
	s.manager.hub.Leave(&s.member, room.Room(name), func(err error) {
		if err != nil {
			s.fail(id, refusalOf(err))
			return
		}
		s.reply(func(dst []byte) []byte { return message.AppendLeft(dst, id, name) })
		s.ack(id, nil)
	})
	return nil
}
