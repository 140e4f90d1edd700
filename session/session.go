package session

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/admission"
	"github.com/ginforge/gateway/session/auth"
)

// conn is what a session needs of its connection; *engine.Conn implements it.
// Its methods may be called from any goroutine and must not block.
type conn interface {
	room.Conn
	SendText(payload []byte) error
	SetDeadline(d time.Duration)
	Handler() engine.Handler // the session
}

var (
	_ conn           = (*engine.Conn)(nil)
	_ engine.Handler = (*Session)(nil)
)

// Session is one connection of a user: socket, identity and membership in one
// allocation. There is one for each connection, so every field counts.
type Session struct {
	// Set before the upgrade, then unchanged.
	manager *Manager
	number  uint32 // the how manieth session of this node

	// Of the token; refresh replaces it.
	issued atomic.Uint32 // Unix seconds; 0 when it does not say; set by the poller
	token  atomic.Uint64 // auth.TokenID; set by the poller
	caps   *auth.Caps    // owned by the connection's poller

	// Owned by the connection's poller.
	frames bucket // what the client may send
	bytes  bucket // and how much
	abuse  bucket // what of it may be malformed, or too fast

	ticket admission.Ticket // set before the upgrade, then unchanged

	socket engine.Conn // safe from any goroutine
	member room.Member // owned by the hub, but for who it is
}

func newSession(m *Manager, who auth.Identity) *Session {
	s := &Session{manager: m, number: m.numbers.Add(1)}
	s.hold(who)
	s.member.Init(&s.socket, who.UserID, who.Name)
	return s
}

// hold notes what the token lets its holder do and what it can be revoked by.
// Called before the upgrade and then by the poller.
func (s *Session) hold(who auth.Identity) {
	s.caps = who.Caps
	s.issued.Store(uint32(min(max(issuedAt(who), 0), math.MaxUint32)))
	s.token.Store(uint64(who.Token))
}

// issuedAt is a token's iat in Unix seconds, 0 when it does not say.
func issuedAt(who auth.Identity) int64 {
	if who.Issued.IsZero() {
		return 0
	}
	return who.Issued.Unix()
}

// held is what the session's token can be revoked by.
func (s *Session) held() auth.Held {
	return auth.Held{
		User: s.member.UserID(), Device: s.deviceID(),
		Token: auth.TokenID(s.token.Load()), Issued: int64(s.issued.Load()),
	}
}

// wouldHold is what held will be with another token.
func (s *Session) wouldHold(who auth.Identity) auth.Held {
	h := s.held()
	h.Token, h.Issued = who.Token, issuedAt(who)
	return h
}

// expireAt ends the session when its token does.
func (s *Session) expireAt(t time.Time) {
	if t.IsZero() {
		s.conn().SetDeadline(0)
		return
	}
	s.conn().SetDeadline(max(time.Until(t), time.Nanosecond))
}

// sessionOf is the session of a member of this node's hub.
func sessionOf(m *room.Member) *Session { return m.Conn().(conn).Handler().(*Session) }

// conn is the session's connection: &socket, but in tests. The member holds it
// already, and a second reference would cost 16 bytes a connection.
func (s *Session) conn() conn { return s.member.Conn().(conn) }

// clientID is the connection's name in welcome and in logs.
func (s *Session) clientID() string { return fmt.Sprintf("%016x", s.manager.idOf(s.number)) }

// deviceID is what the client calls its device, "" when it does not say.
func (s *Session) deviceID() string { return s.manager.devices.of(s.number) }

// Who returns whose session it is: the user, what the client calls its device ("":
// it does not say), and the connection's id as in welcome. It may be called from any
// goroutine.
func (s *Session) Who() (userID, deviceID, clientID string) {
	return s.member.UserID(), s.deviceID(), s.clientID()
}

// MarshalZerologObject implements zerolog.LogObjectMarshaler: what a log line
// says of a session.
func (s *Session) MarshalZerologObject(e *zerolog.Event) {
	e.Str("client", s.clientID()).Str("user", s.member.UserID())
}

// attach enters the session into the hub. Called on the poller, after the
// upgrade.
func (s *Session) attach(who auth.Identity) {
	s.expireAt(who.Expires)
	rooms := who.Rooms
	attach := func() { s.enter(rooms) }
	if s.manager.limit != nil {
		s.limited(attach)
		return
	}
	attach()
}

// enter brings the session into the hub.
func (s *Session) enter(rooms []string) {
	if s.manager.cfg.Inbox.kept() {
		s.attachInbox(rooms)
		return
	}
	s.manager.hub.Attach(&s.member, func(err error) { s.attached(err, rooms) })
}

// attached greets the client once the bus delivers its user's channels, so that
// nothing sent to it after welcome is missed; when the bus is away it is not
// kept waiting for long. Then the token's rooms are joined. Called by a worker.
func (s *Session) attached(err error, rooms []string) {
	s.settled()
	if errors.Is(err, room.ErrGone) {
		return
	}
	s.greet(nil, rooms)
}

// settled notes that the hub knows the session, or that it has ended before.
func (s *Session) settled() {
	s.manager.gate.Finish()
	if s.manager.limit != nil {
		s.manager.limit.Settled(s.member.UserID(), s.clientID())
	}
}

// greet sends welcome and joins the token's rooms. Called by a worker.
func (s *Session) greet(inbox *message.Inbox, rooms []string) {
	s.welcome(inbox)
	s.warnOfWeather()
	for _, name := range rooms {
		s.join("", name, nil)
	}
}

func (s *Session) welcome(inbox *message.Inbox) {
	cfg := &s.manager.cfg
	s.reply(func(dst []byte) []byte {
		return message.AppendWelcome(dst, message.Welcome{
			ClientID:        s.clientID(),
			UserID:          s.member.UserID(),
			Node:            cfg.Node,
			Time:            time.Now(),
			PingInterval:    cfg.PingInterval,
			ReconnectWindow: s.manager.nodes.Window(),
			Inbox:           inbox,
		})
	})
}

// close ends the session for a reason of the table.
func (s *Session) close(r reason) { s.conn().Close(r.close(s.manager.delay(r))) }

// OnSlow implements engine.Handler.
func (s *Session) OnSlow() { s.close(reasonSlow) }

// OnCaughtUp implements engine.Handler: the next part of the inbox may follow.
func (s *Session) OnCaughtUp() { s.manager.hub.CaughtUp(&s.member) }

// OnDeadline implements engine.Handler: the token has expired.
func (s *Session) OnDeadline() { s.close(reasonExpired) }

// OnClose implements engine.Handler.
func (s *Session) OnClose(code engine.CloseCode) {
	s.manager.hub.Detach(&s.member)
	s.manager.undecided.remove(s.number)
	s.manager.gate.Leave(s.ticket)
	s.manager.devices.forget(s.number)
	s.manager.log.Debug().EmbedObject(s).Uint16("code", uint16(code)).Msg("disconnected")
}
