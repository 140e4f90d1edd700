package session

import (
	"sync/atomic"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

// maxPresentUsers bounds the answer to a presence query for a room.
const maxPresentUsers = 1000

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
	}
	name, err := s.roomName(env, inContent)
	if err != nil {
		return err
	}
	return s.sendToRoom(env, name)
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
	id := env.ID
	s.published(id, s.manager.bus.PublishUser(to, payload, s.whenPublished(id)))
	return nil
}

func (s *Session) presence(env *message.Envelope) error {
	users, inContent, err := message.UsersOf(env.Content, s.manager.cfg.Limits.WatchedUsers)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		if inContent != "" || env.Room != "" {
			return errTwoTargets
		}
		s.answerUsers(env.ID, users)
		return nil
	}
	name, err := s.roomName(env, inContent)
	if err != nil {
		return err
	}
	if !s.manager.cfg.Namespaces.of(name).Presence {
		return errNoPresence
	}
	id := env.ID
	s.manager.hub.InOrder(&s.member, room.Room(name), func(err error) {
		switch {
		case isGone(err):
		case err != nil:
			s.sendError(id, refusalOf(err))
		default:
			s.answerRoom(id, name)
		}
	})
	return nil
}

func (s *Session) answerUsers(id string, users []string) {
	online := map[string]bool{}
	for _, u := range s.manager.hub.Online(users) {
		online[u] = true
	}
	_ = s.SendText(message.AppendUserPresence(nil, id, users, func(u string) bool { return online[u] }))
	s.ack(id, nil)
}

// answerRoom tells who is in a room. Called by a worker.
func (s *Session) answerRoom(id, name string) {
	present, connections := s.manager.hub.InRoom(name, maxPresentUsers)
	_ = s.SendText(message.AppendRoomPresence(nil, id, name, presentUsers(present), connections))
	s.ack(id, nil)
}

func presentUsers(present []room.Presence) []message.PresentUser {
	users := make([]message.PresentUser, len(present))
	for i, p := range present {
		users[i] = message.PresentUser{ID: p.UserID, Name: p.UserName, Devices: p.Devices}
	}
	return users
}

func (s *Session) watch(env *message.Envelope) error {
	return s.watching(env, func(key room.Key, done func(error)) {
		s.manager.hub.Join(&s.member, key, false, done)
	}, true)
}

func (s *Session) unwatch(env *message.Envelope) error {
	return s.watching(env, func(key room.Key, done func(error)) {
		s.manager.hub.Leave(&s.member, key, func(err error) {
			if refusalOf(err) == errNotMember {
				err = nil // not watched is what was asked for
			}
			done(err)
		})
	}, false)
}

// watching applies change to each of the users, answers once with the first
// failure or an ack, and says in the ack of a watch who is online.
func (s *Session) watching(env *message.Envelope, change func(room.Key, func(error)), tell bool) error {
	users, _, err := message.UsersOf(env.Content, s.manager.cfg.Limits.WatchedUsers)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		return malformed("content.users is missing")
	}
	id := env.ID
	var (
		left    atomic.Int32
		failure atomic.Pointer[refusal]
	)
	left.Store(int32(len(users)))
	done := func(err error) {
		if isGone(err) {
			return
		}
		if err != nil {
			failure.CompareAndSwap(nil, refusalOf(err))
		}
		if left.Add(-1) > 0 {
			return
		}
		switch f := failure.Load(); {
		case f != nil:
			s.sendError(id, f)
		case tell:
			s.ack(id, message.AppendOnline(nil, s.manager.hub.Online(users)))
		default:
			s.ack(id, nil)
		}
	}
	for _, u := range users {
		change(room.Watch(u), done)
	}
	return nil
}
