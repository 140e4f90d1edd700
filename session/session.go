package session

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

// Session is one connection of a user: socket, identity and membership in one
// allocation.
type Session struct {
	engine.Conn
	member room.Member

	// Set before the upgrade, then unchanged.
	manager *Manager
	id      uint64
	caps    *auth.Caps
	rooms   []string // of the token; joined once the user is attached, then nil

	// limiters is made by the first frame. Owned by the connection's poller.
	limiters *limiters
}

// limiters hold a client to its rates.
type limiters struct {
	frames *rate.Limiter
	errors *rate.Limiter
}

var _ engine.Handler = (*Session)(nil)

func newSession(m *Manager, who auth.Identity) *Session {
	s := &Session{manager: m, id: m.nextID(), caps: who.Caps, rooms: who.Rooms}
	s.member.Init(&s.Conn, who.UserID, who.Name)
	return s
}

// clientID is the connection's name in welcome and in logs.
func (s *Session) clientID() string { return fmt.Sprintf("%016x", s.id) }

// attach enters the session into the hub. Called on the poller, after the
// upgrade.
func (s *Session) attach(expires time.Time) {
	if !expires.IsZero() {
		s.SetDeadline(max(time.Until(expires), time.Nanosecond))
	}
	s.manager.hub.Attach(&s.member, s.welcome)
}

// welcome greets the client once the bus delivers its user's channels, so that
// nothing sent to it after welcome is missed; when the bus is away it is not
// kept waiting for long. Then the token's rooms are joined. Called by a worker.
func (s *Session) welcome(err error) {
	if isGone(err) {
		return
	}
	s.manager.sendWelcome(s)
	rooms := s.rooms
	s.rooms = nil
	for _, name := range rooms {
		rules := s.manager.cfg.Namespaces.of(name)
		s.manager.hub.Join(&s.member, room.Room(name), rules.Presence, func(err error) {
			s.joined("", name, err)
		})
	}
}

// close ends the session for a reason of the table.
func (s *Session) close(r reason) { s.Close(r.close(s.manager.cfg.ReconnectWindow)) }

// OnSlow implements engine.Handler.
func (s *Session) OnSlow() { s.close(reasonSlow) }

// OnDeadline implements engine.Handler: the token has expired.
func (s *Session) OnDeadline() { s.close(reasonExpired) }

// OnClose implements engine.Handler.
func (s *Session) OnClose(code engine.CloseCode) {
	s.manager.hub.Detach(&s.member)
	s.manager.log.Debug().Str("client", s.clientID()).Str("user", s.member.UserID()).
		Uint16("code", uint16(code)).Msg("disconnected")
}

// allow takes one frame from the client's rate. Called by the poller.
func (s *Session) allow() bool {
	if s.limiters == nil {
		l := s.manager.cfg.Limits
		s.limiters = &limiters{
			frames: rate.NewLimiter(rate.Limit(l.FramesPerSecond), l.FramesBurst),
			errors: rate.NewLimiter(rate.Limit(float64(l.ProtocolErrors)/60), l.ProtocolErrors),
		}
	}
	return s.limiters.frames.Allow()
}
