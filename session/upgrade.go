package session

import (
	"errors"
	"net/http"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/session/admission"
	"github.com/ginforge/gateway/session/auth"
)

// ServeHTTP answers /ws. A browser's script cannot see the status of a failed
// handshake, so a WebSocket client that is refused is upgraded and closed with a
// code; a plain request gets a status. The gate is asked before anything of the
// request is looked at but where it comes from. Called on a poller.
func (m *Manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if why, shut := m.shut(); shut {
		m.turnAway(w, r, why, m.delay(why), resultOf(why))
		return
	}
	client := m.gate.Client(r)
	ticket, verdict := m.gate.Enter(client)
	if verdict.Cause != admission.Admitted {
		m.refusals.warn(m.log, verdict.Cause.String(), client, verdict.Delay)
		m.turnAway(w, r, reasonOf(verdict.Cause), verdict.Delay, refusedFor(verdict.Cause))
		return
	}
	if !m.handshake(w, r, ticket) {
		m.gate.Finish()
		m.gate.Leave(ticket)
	}
}

// handshake makes a session of a request that the gate has let in, and reports
// whether there is one now; it holds the ticket, and is attached or about to be.
func (m *Manager) handshake(w http.ResponseWriter, r *http.Request, ticket admission.Ticket) bool {
	token, protocol := m.offered(r)
	who, err := m.verifier.Verify(token)
	if err != nil {
		m.log.Debug().Err(err).Str("remote", r.RemoteAddr).Msg("token refused")
		why := tokenReason(err)
		m.turnAway(w, r, why, 0, resultOf(why))
		return false
	}
	if v := m.gate.User(who.UserID); v.Cause != admission.Admitted {
		m.refusals.warn(m.log, v.Cause.String(), m.gate.Client(r), v.Delay)
		m.turnAway(w, r, reasonOf(v.Cause), v.Delay, refusedFor(v.Cause))
		return false
	}
	device, ok := deviceOf(r)
	if !ok {
		m.turnAway(w, r, reasonBadDevice, 0, resultOf(reasonBadDevice))
		return false
	}
	s := newSession(m, who)
	m.devices.set(s.number, device) // before OnClose, which forgets it
	if m.isRevoked(s) {
		m.devices.forget(s.number)
		m.turnAway(w, r, reasonRevoked, 0, resultOf(reasonRevoked))
		return false
	}
	s.ticket = ticket
	if err := m.engine.UpgradeSoon(w, r, m.endpoint, protocol, &s.socket, s); err != nil {
		m.devices.forget(s.number)
		m.badHandshake(w, err)
		return false
	}
	m.stats.handshake(handshakeOK)
	m.log.Debug().EmbedObject(s).Str("remote", r.RemoteAddr).Msg("connected")
	s.attach(who)
	m.recheck(s)
	return true
}

// recheck ends a session that was let in by what does not hold any more: Drain may
// have begun since shut was asked, and the token have been revoked. Either whoever
// did that finds the session in the hub, or it was done before the session got
// there.
func (m *Manager) recheck(s *Session) {
	if m.Draining() {
		s.close(reasonDraining)
	}
	if m.isRevoked(s) {
		s.close(reasonRevoked)
	}
}

// offered is the token of a request and the subprotocol to confirm.
func (m *Manager) offered(r *http.Request) (token, protocol string) {
	token, protocol = auth.FromRequest(r, m.cfg.Cookie)
	if protocol == "" {
		protocol = engine.SelectProtocol(r, m.cfg.Subprotocols)
	}
	return token, protocol
}

// shut says why nobody is let in at the moment.
func (m *Manager) shut() (why reason, shut bool) {
	switch {
	case m.Draining():
		return reasonDraining, true
	case m.engine.OverCapacity():
		return reasonOverCapacity, true
	default:
		return reason{}, false
	}
}

// tokenReason says what the holder of a refused token should do.
func tokenReason(err error) reason {
	if errors.Is(err, auth.ErrExpired) {
		return reasonExpired
	}
	return reasonBadToken
}

// reasonOf is what somebody is told whom the gate does not let in.
func reasonOf(c admission.Cause) reason {
	if c.OfNode() {
		return reasonOverCapacity
	}
	return reasonRate
}

// turnAway refuses a request, as a WebSocket close for those who understand it.
func (m *Manager) turnAway(w http.ResponseWriter, r *http.Request, why reason, delay time.Duration, result int) {
	if engine.IsWebSocket(r) {
		_, protocol := m.offered(r)
		if err := m.engine.Refuse(w, r, m.endpoint, protocol, why.close(delay)); err != nil {
			m.badHandshake(w, err)
			return
		}
	} else {
		writeReason(w, why, delay)
	}
	m.stats.handshake(result)
}

// badHandshake answers a request that is no proper handshake.
func (m *Manager) badHandshake(w http.ResponseWriter, err error) {
	m.stats.handshake(handshakeBadRequest)
	var herr *engine.HandshakeError
	if !errors.As(err, &herr) {
		m.log.Debug().Err(err).Msg("upgrade failed")
		writeError(w, http.StatusInternalServerError, "this connection cannot be upgraded")
		return
	}
	herr.SetHeader(w.Header())
	writeError(w, herr.Status, herr.Message)
}
