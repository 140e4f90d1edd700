package session

import (
	"errors"
	"slices"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

const (
	// maxPresentUsers bounds the answer to a presence query for a room.
	maxPresentUsers = 1000
	// roomPresenceCost is what such a query takes of the client's rate: all
	// members of the room are looked through.
	roomPresenceCost = 10
)

// usersOf returns the users that a frame lists, if any, and the room that its
// content names. Every id is checked: those of a watch are kept.
func (s *Session) usersOf(env *message.Envelope) (users []string, inContent string, err error) {
	users, inContent, err = message.UsersOf(env.Content, s.manager.cfg.Limits.WatchedUsers)
	if err != nil {
		return nil, "", err
	}
	if slices.ContainsFunc(users, func(u string) bool { return !auth.ValidUserID(u) }) {
		return nil, "", errUserIDs
	}
	return users, inContent, nil
}

// presence tells who of some users is online, or who is in a room.
func (s *Session) presence(env *message.Envelope) error {
	users, inContent, err := s.usersOf(env)
	switch {
	case err != nil:
		return err
	case len(users) == 0:
		return s.presenceOfRoom(env, inContent)
	case inContent != "" || env.Room != "":
		return errTwoTargets
	}
	return s.presenceOfUsers(env.ID, users)
}

func (s *Session) presenceOfUsers(id string, users []string) error {
	asked := s.manager.nodes.Online(users, func(online []bool) {
		s.reply(func(dst []byte) []byte { return message.AppendUserPresence(dst, id, users, online) })
		s.ack(id, nil)
	})
	if !asked {
		return errBusy
	}
	return nil
}

// presenceOfRoom answers members only. Called by the poller.
func (s *Session) presenceOfRoom(env *message.Envelope, inContent string) error {
	name, err := s.roomName(env, inContent)
	if err != nil {
		return err
	}
	m := s.manager
	if !m.cfg.Namespaces.of(name).Presence {
		return errNoPresence
	}
	if extra := min(roomPresenceCost, m.frameRate.burst) - 1; !s.frames.take(m.frameRate, m.now(), extra) {
		return errTooFast
	}
	id := env.ID
	m.hub.InOrder(&s.member, room.Room(name), func(err error) {
		if err != nil {
			s.fail(id, refusalOf(err))
			return
		}
		asked := m.nodes.InRoom(name, maxPresentUsers, func(present []room.Presence, connections int) {
			s.reply(func(dst []byte) []byte {
				return message.AppendRoomPresence(dst, id, name, presentUsers(present), connections)
			})
			s.ack(id, nil)
		})
		if !asked {
			s.fail(id, errBusy)
		}
	})
	return nil
}

func presentUsers(present []room.Presence) []message.PresentUser {
	users := make([]message.PresentUser, len(present))
	for i, p := range present {
		users[i] = message.PresentUser{ID: p.UserID, Name: p.UserName, Devices: p.Devices}
	}
	return users
}

// watch has the client told of the users' status from now on; the ack says who
// of them is online.
func (s *Session) watch(env *message.Envelope) error {
	id := env.ID
	return s.eachUser(env, func(key room.Key, done func(error)) {
		s.manager.hub.Join(&s.member, key, false, done)
	}, func(users []string) {
		asked := s.manager.nodes.Online(users, func(online []bool) { s.ack(id, message.AppendOnline(nil, users, online)) })
		if !asked {
			s.fail(id, errBusy)
		}
	})
}

func (s *Session) unwatch(env *message.Envelope) error {
	id := env.ID
	return s.eachUser(env, func(key room.Key, done func(error)) {
		s.manager.hub.Leave(&s.member, key, func(err error) {
			if errors.Is(err, room.ErrNotMember) {
				err = nil // not watched is what was asked for
			}
			done(err)
		})
	}, func([]string) {
		s.ack(id, nil)
	})
}

// eachUser applies change to the watchers of each of the users that a frame
// lists. When the last change is done it answers the frame: with the first
// failure, or by succeeded. Changes that were made before a failure stay.
func (s *Session) eachUser(env *message.Envelope, change func(room.Key, func(error)), succeeded func(users []string)) error {
	users, _, err := s.usersOf(env)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		return errNoUsers
	}
	id := env.ID
	// All changes are of one member, so one worker calls done, and owns these.
	pending, failure := len(users), error(nil)
	done := func(err error) {
		if failure == nil {
			failure = err
		}
		if pending--; pending > 0 {
			return
		}
		if failure != nil {
			s.fail(id, refusalOf(failure))
			return
		}
		succeeded(users)
	}
	for _, u := range users {
		change(room.Watch(u), done)
	}
	return nil
}
