package session

import (
	"errors"
	"net/http"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/session/auth"
)

// ServeHTTP answers /ws. A browser's script cannot see the status of a failed
// handshake, so a WebSocket client whose token is bad is upgraded and closed with
// a code; a plain request gets a status. Called on a poller.
func (m *Manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, protocol := auth.FromRequest(r, m.cfg.Cookie)
	if protocol == "" {
		protocol = engine.SelectProtocol(r, m.cfg.Subprotocols)
	}
	if why, shut := m.shut(); shut {
		m.turnAway(w, r, protocol, why)
		return
	}
	who, err := m.verifier.Verify(token)
	if err != nil {
		m.log.Debug().Err(err).Str("remote", r.RemoteAddr).Msg("token refused")
		m.turnAway(w, r, protocol, tokenReason(err))
		return
	}
	s := newSession(m, who)
	if m.isRevoked(s) {
		m.turnAway(w, r, protocol, reasonRevoked)
		return
	}
	if err := m.engine.Upgrade(w, r, m.endpoint, protocol, &s.socket, s); err != nil {
		m.badHandshake(w, err)
		return
	}
	m.stats.handshake(handshakeOK)
	m.log.Debug().EmbedObject(s).Str("remote", r.RemoteAddr).Msg("connected")
	s.attach(who)
	// Drain may have begun since shut was asked. Either it finds the session in
	// the hub, or it has set draining before the session got there.
	if m.Draining() {
		s.close(reasonDraining)
	}
	// So may the token have been revoked.
	if m.isRevoked(s) {
		s.close(reasonRevoked)
	}
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

// turnAway refuses a request, as a WebSocket close for those who understand it.
func (m *Manager) turnAway(w http.ResponseWriter, r *http.Request, protocol string, why reason) {
	if engine.IsWebSocket(r) {
		if err := m.engine.Refuse(w, r, m.endpoint, protocol, why.close(m.cfg.ReconnectWindow)); err != nil {
			m.badHandshake(w, err)
			return
		}
	} else {
		writeReason(w, why)
	}
	m.stats.handshake(resultOf(why))
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
