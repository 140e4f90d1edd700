package main

import (
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// TestServe_RefreshOutlivesTheFirstToken: a client that gives a fresh token in
// time stays connected when the first one expires.
func TestServe_RefreshOutlivesTheFirstToken(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	redistest.InTime(t, 5*time.Second, func(t *redistest.Attempt, life time.Duration) {
		exp := time.Now().Add(life).Truncate(time.Second)
		t.By(exp)
		short := sign(map[string]any{"user_id": "ann", "exp": exp.Unix()})
		fresh, stale := s.a.connectWith(t, short), s.a.connectWith(t, short)
		fresh.request(`{"type":"refresh","id":"ID","content":{"token":` + quote(tokenOf("ann")) + `}}`)
		stale.refused(4300, `{"type":"refresh","id":"ID","content":{"token":`+
			quote(sign(map[string]any{"user_id": "ann", "exp": time.Now().Add(-time.Minute).Unix()}))+`}}`)
		t.InTime() // both answers came while the first token was good

		fresh.refused(4003, `{"type":"refresh","id":"ID","content":{"token":`+quote(tokenOf("bob"))+`}}`)
		fresh.refused(4001, `{"type":"refresh","id":"ID","content":{"token":"nonsense"}}`)
		stale.longer = life
		stale.closed(4300)
		if now := time.Now(); now.Before(exp) {
			t.Errorf("the connection without a fresh token was closed %v before exp", exp.Sub(now))
		}
		fresh.alive()
	})
}
