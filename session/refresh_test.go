package session

import (
	"fmt"
	"testing"
	"time"

	"github.com/ginforge/gateway/session/auth"
)

// tokens has a world know some, as of its time.
func (w *world) tokens() fakeVerifier {
	now := time.Now()
	caps, err := auth.NewCaps([]string{"team:*"}, []string{"team:*"})
	if err != nil {
		panic(err) // these are good
	}
	return fakeVerifier{
		"longer":  {UserID: "u1", Expires: now.Add(2 * time.Hour), Issued: now, Token: 2},
		"forever": {UserID: "u1", Issued: now, Token: 3},
		"other":   {UserID: "u2", Token: 4},
		"capped":  {UserID: "u1", Token: 5, Caps: caps},
	}
}

// withToken connects a user by a token that expires in an hour.
func (w *world) withToken(t testing.TB, id auth.TokenID) *client {
	t.Helper()
	who := auth.Identity{UserID: "u1", Expires: time.Now().Add(time.Hour), Issued: time.Now(), Token: id}
	c := w.session(t, who)
	c.attach(who)
	c.got()
	return c
}

// acked is the frame that confirms one with an id.
func acked(id string) string { return fmt.Sprintf(`{"type":"ack","id":%q}`, id) }

func refresh(token string) string {
	return fmt.Sprintf(`{"type":"refresh","id":"1","content":{"token":%q}}`, token)
}

func TestSession_RefreshMovesTheDeadline(t *testing.T) {
	for token, want := range map[string]time.Duration{"longer": 2 * time.Hour, "forever": 0} {
		t.Run(token, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				w.verifier = w.tokens()
				c := w.withToken(t, 1)
				c.send(refresh(token))
				c.want(acked("1"))
				if c.conn.deadline != want {
					t.Errorf("the deadline is in %v, want %v", c.conn.deadline, want)
				}
			})
		})
	}
}

func TestSession_RefreshRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		frame string
		code  int
		text  string
	}{
		"bad":      {refresh("nonsense"), 4001, "this token is not good"},
		"expired":  {refresh("expired"), 4300, "this token has expired"},
		"other's":  {refresh("other"), 4003, "this token is another user's"},
		"revoked":  {refresh("forever"), 4301, "this token has been revoked"},
		"missing":  {`{"type":"refresh","id":"1"}`, 4005, "content.token is missing"},
		"a number": {`{"type":"refresh","id":"1","content":{"token":7}}`, 4005, "content.token must be a string"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				w.verifier = w.tokens()
				w.Revoke(auth.Revocation{Token: auth.TokenID(3).String(), Until: time.Now().Add(time.Hour)})
				c := w.withToken(t, 1)
				c.send(tt.frame)
				c.want(refused("1", tt.code, tt.text))
				if c.conn.deadline != time.Hour || c.held().Token != 1 {
					t.Errorf("the deadline is in %v and the token %v, want what they were", c.conn.deadline, c.held().Token)
				}
				c.wantClosed(0)
			})
		})
	}
}

// The token may stand alone, and a frame without an id is not answered.
func TestSession_RefreshForms(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.verifier = w.tokens()
		c := w.withToken(t, 1)
		c.send(`{"type":"refresh","content":"longer"}`)
		c.want()
		if c.conn.deadline != 2*time.Hour {
			t.Errorf("the deadline is in %v, want 2h", c.conn.deadline)
		}
	})
}

func TestSession_RefreshReplacesCaps(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.verifier = w.tokens()
		c := w.withToken(t, 1)
		c.send(`{"type":"join_room","content":"x:1"}`)
		c.got()
		c.send(refresh("capped"), `{"type":"join_room","content":"x:2"}`, `{"type":"room_message","id":"2","room":"x:1","content":1}`)
		c.want(acked("1"), refused("", 4003, "this token may not join this room"), refused("2", 4003, "this token may not send to this room"))
	})
}

// Signatures cost; who sends nothing but bad tokens is closed.
func TestSession_RefreshIsBounded(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.verifier = w.tokens()
		c := w.withToken(t, 1)
		for range 10 {
			c.send(refresh("longer"))
		}
		c.got()
		c.send(refresh("longer"))
		c.want(refused("1", 4101, "too many frames: slow down"))

		d := w.withToken(t, 1)
		for range 22 {
			d.send(refresh("nonsense"))
			time.Sleep(time.Second)
		}
		d.wantClosed(0)
		for range 21 {
			d.send(refresh("nonsense"))
		}
		d.wantClosed(4005)
	})
}

func TestManager_Revoke(t *testing.T) {
	for name, tt := range map[string]struct {
		r      auth.Revocation
		closed [3]bool // u1 by token 1 and by token 2, u2 by token 1 issued an hour later
	}{
		"a token":                              {auth.Revocation{Token: auth.TokenID(2).String()}, [3]bool{false, true, false}},
		"a user":                               {auth.Revocation{User: "u1", Issued: 1 << 40}, [3]bool{true, true, false}},
		"nobody":                               {auth.Revocation{User: "u3", Issued: 1 << 40}, [3]bool{}},
		"tokens of a user issued before these": {auth.Revocation{User: "u1", Issued: 5}, [3]bool{}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				who := auth.Identity{UserID: "u2", Token: 3}
				other := w.session(t, who)
				other.attach(who)
				clients := []*client{w.withToken(t, 1), w.withToken(t, 2), other}
				tt.r.Until = time.Now().Add(time.Hour)
				w.Revoke(tt.r)
				for i, c := range clients {
					if tt.closed[i] {
						c.wantClosed(4301)
					} else {
						c.wantClosed(0)
					}
				}
			})
		})
	}
}

// A token that is revoked between the check of the handshake and the arrival in
// the hub is found by one side or the other.
func TestManager_RevokeFindsOldAndNewTokens(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.verifier = w.tokens()
		until := time.Now().Add(time.Hour)
		c := w.withToken(t, 1)
		c.send(refresh("longer")) // token 2
		c.got()
		w.Revoke(auth.Revocation{Token: auth.TokenID(1).String(), Until: until})
		c.wantClosed(0)
		w.Revoke(auth.Revocation{Token: auth.TokenID(9).String(), Until: until}, auth.Revocation{Token: auth.TokenID(2).String(), Until: until})
		c.wantClosed(4301)
		if !w.isRevoked(c.Session) {
			t.Error("the token is good again")
		}
		time.Sleep(2 * time.Hour)
		w.ForgetRevoked()
		if n := w.revoked.Len(); n != 0 {
			t.Errorf("%d revocations are kept when all are over", n)
		}
	})
}
