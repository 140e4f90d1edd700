package main

import (
	"testing"
	"time"
)

// TestServe_RefreshOutlivesTheFirstToken: a client that gives a fresh token in
// time stays connected when the first one expires.
func TestServe_RefreshOutlivesTheFirstToken(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	short := func(user string) string {
		return sign(map[string]any{"user_id": user, "exp": time.Now().Add(8 * time.Second).Unix()})
	}
	fresh, stale := s.a.connectWith(t, short("ann")), s.a.connectWith(t, short("ann"))
	fresh.request(`{"type":"refresh","id":"ID","content":{"token":` + quote(tokenOf("ann")) + `}}`)
	fresh.refused(4003, `{"type":"refresh","id":"ID","content":{"token":`+quote(tokenOf("bob"))+`}}`)
	fresh.refused(4001, `{"type":"refresh","id":"ID","content":{"token":"nonsense"}}`)
	stale.refused(4300, `{"type":"refresh","id":"ID","content":{"token":`+
		quote(sign(map[string]any{"user_id": "ann", "exp": time.Now().Add(-time.Minute).Unix()}))+`}}`)
	stale.closed(4300)
	fresh.alive()
}
