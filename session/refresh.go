package session

import (
	"errors"
	"time"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

// refreshCost is what a refresh takes of the client's rate: a signature is
// checked.
const refreshCost = 10

// refresh replaces the connection's token by another of the same user: when it
// expires, what it may be revoked by and which rooms it allows to join and send to
// are the new one's. Rooms that were joined stay so, those that the new token
// lists are not joined, and the name is that of the first. A token that is not
// good changes nothing. Called by the poller.
func (s *Session) refresh(env *message.Envelope) error {
	token, err := message.TokenOf(env.Content)
	switch {
	case err != nil:
		return err
	case token == "":
		return errNoToken
	}
	m := s.manager
	if extra := min(refreshCost, m.frameRate.burst) - 1; !s.frames.take(m.frameRate, m.now(), extra) {
		return errTooFast
	}
	who, err := m.verifier.Verify(token)
	switch {
	case errors.Is(err, auth.ErrExpired):
		return errExpired
	case err != nil:
		return errBadToken
	case who.UserID != s.member.UserID():
		return errOtherUser
	case m.revoked.Covers(s.wouldHold(who), time.Now()):
		return errRevoked
	}
	s.hold(who)
	s.expireAt(who.Expires)
	// It may have been revoked meanwhile, when Revoke saw the old one.
	if m.isRevoked(s) {
		s.close(reasonRevoked)
		return nil
	}
	s.ack(env.ID, nil)
	return nil
}

// isRevoked reports whether the session's token has been revoked.
func (m *Manager) isRevoked(s *Session) bool {
	return m.revoked.Len() > 0 && m.revoked.Covers(s.held(), time.Now())
}

// Revoke closes the connections whose tokens are revoked with 4301, and from now
// on lets nobody in by them. It may be called from any goroutine and does not
// wait.
func (m *Manager) Revoke(revocations ...auth.Revocation) {
	m.revoked.Add(revocations...)
	check := func(member *room.Member) {
		if s := sessionOf(member); m.isRevoked(s) {
			s.close(reasonRevoked)
		}
	}
	if len(revocations) == 1 && revocations[0].User != "" {
		m.hub.EachIn(room.User(revocations[0].User), check)
		return
	}
	if len(revocations) > 0 {
		m.hub.Each(check)
	}
}

// ForgetRevoked drops the revocations that are over; to be called once in a while.
func (m *Manager) ForgetRevoked() { m.revoked.Forget(time.Now()) }
