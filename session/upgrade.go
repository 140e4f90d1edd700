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
	if why, bad := m.closedDoor(); bad {
		m.turnAway(w, r, protocol, why, http.StatusServiceUnavailable)
		return
	}
	who, err := m.verifier.Verify(token)
	if err != nil {
		why := reasonBadToken
		if errors.Is(err, auth.ErrExpired) {
			why = reasonExpired
		}
		m.log.Debug().Err(err).Str("remote", r.RemoteAddr).Msg("token refused")
		m.turnAway(w, r, protocol, why, http.StatusUnauthorized)
		return
	}
	s := newSession(m, who)
	if err := m.engine.Upgrade(w, r, m.endpoint, protocol, &s.Conn, s); err != nil {
		m.upgradeFailed(w, err)
		return
	}
	m.stats.handshake(handshakeOK)
	s.attach(who.Expires)
	m.log.Debug().Str("client", s.clientID()).Str("user", who.UserID).Str("remote", r.RemoteAddr).Msg("connected")
}

// closedDoor says why nobody is let in at the moment.
func (m *Manager) closedDoor() (reason, bool) {
	switch {
	case m.draining.Load():
		return reasonDraining, true
	case m.engine.OverCapacity():
		return reasonOverCapacity, true
	default:
		return reason{}, false
	}
}

// turnAway refuses a request, as a WebSocket close for those who understand it.
func (m *Manager) turnAway(w http.ResponseWriter, r *http.Request, protocol string, why reason, status int) {
	m.stats.handshake(resultOf(why))
	if !engine.IsWebSocket(r) {
		writeError(w, status, why.name)
		return
	}
	err := m.engine.Refuse(w, r, m.endpoint, protocol, why.close(m.cfg.ReconnectWindow))
	if herr := (*engine.HandshakeError)(nil); errors.As(err, &herr) {
		writeError(w, herr.Status, herr.Message)
	}
}

// upgradeFailed answers a request that is no proper handshake.
func (m *Manager) upgradeFailed(w http.ResponseWriter, err error) {
	m.stats.handshake(handshakeBadRequest)
	if herr := (*engine.HandshakeError)(nil); errors.As(err, &herr) {
		if herr.Status == http.StatusUpgradeRequired {
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Sec-WebSocket-Version", "13")
		}
		writeError(w, herr.Status, herr.Message)
		return
	}
	m.log.Debug().Err(err).Msg("upgrade failed")
}
