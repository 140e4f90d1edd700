package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ginforge/gateway/session/admission"
	"github.com/ginforge/gateway/session/auth"
)

// admit gives a world a gate with no limits but those that edit sets.
func (w *world) admit(t *testing.T, edit func(*admission.Config)) {
	t.Helper()
	cfg := admission.DefaultConfig()
	cfg.Address.Exempt = nil
	cfg.Address.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	edit(&cfg)
	gate, err := admission.New(cfg)
	if err != nil {
		t.Fatalf("admission.New: %v", err)
	}
	w.gate = gate
}

// from dials as a proxy does for a client.
func from(client string) *websocket.DialOptions {
	return &websocket.DialOptions{HTTPHeader: http.Header{"X-Forwarded-For": {client}}}
}

// wantSentAway fails the test unless the next thing is this close frame with a
// delay of at least a second, and returns the delay.
func wantSentAway(t *testing.T, conn *websocket.Conn, code websocket.StatusCode) time.Duration {
	t.Helper()
	frame, closed := read(t, conn)
	return sentAway(t, frame, closed, code)
}

// sentAway is wantSentAway for what read has returned.
func sentAway(t *testing.T, frame string, closed websocket.CloseError, code websocket.StatusCode) time.Duration {
	t.Helper()
	var text closeText
	if err := json.Unmarshal([]byte(closed.Reason), &text); err != nil || frame != "" || closed.Code != code {
		t.Fatalf("got frame %q, close %v; want close %d", frame, closed, code)
	}
	if text.Delay == nil || *text.Delay < 1000 {
		t.Fatalf("close reason is %s, want a delay of a second or more", closed.Reason)
	}
	return time.Duration(*text.Delay) * time.Millisecond
}

// A budget is asked before a token is: what the node has no time for costs it no
// signature.
func TestManager_RefusesBeforeItLooksAtTokens(t *testing.T) {
	w := newWorld(t, nil)
	var verified atomic.Int64
	w.verifier = verifierFunc(func(string) (auth.Identity, error) {
		verified.Add(1)
		return auth.Identity{UserID: "u1", Name: "Ann"}, nil
	})
	w.admit(t, func(c *admission.Config) { c.HandshakesPerSecond, c.HandshakesBurst = 1, 1 })
	url := w.serve(t, nil)
	wantWelcome(t, dial(t, url+"?token=good", nil))
	welcomes := int64(1)
	var first time.Duration      // of a client that was sent away just before, 0 if none was
	eventually(t, func() error { // a slow machine lets more in
		frame, closed := read(t, dial(t, url+"?token=good", nil))
		if strings.HasPrefix(frame, `{"type":"welcome",`) {
			welcomes, first = welcomes+1, 0
			return errors.New("one more was let in")
		}
		second := sentAway(t, frame, closed, 4100)
		if first == 0 {
			first = second
			return errors.New("one was sent away, want another behind it")
		}
		if second <= first {
			t.Errorf("the second is sent away for %s, the first for %s: want one behind the other", second, first)
		}
		return nil
	})
	if n := verified.Load(); n != welcomes {
		t.Errorf("%d tokens were looked at, want those of the %d who were let in", n, welcomes)
	}
}

func TestManager_PlainRequestsAreToldWhenToRetry(t *testing.T) {
	for name, tt := range map[string]struct {
		edit   func(*admission.Config)
		status int
	}{
		"of the node":    {func(c *admission.Config) { c.HandshakesPerSecond, c.HandshakesBurst = 1, 1 }, http.StatusServiceUnavailable},
		"of the address": {func(c *admission.Config) { c.Address.HandshakesPerSecond, c.Address.HandshakesBurst = 1, 1 }, http.StatusTooManyRequests},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.admit(t, tt.edit)
			url := "http" + strings.TrimPrefix(w.serve(t, nil), "ws")
			defer http.DefaultClient.CloseIdleConnections()
			eventually(t, func() error { // the first takes the token, unless the machine is very slow
				res, err := http.Get(url + "?token=good")
				if err != nil {
					t.Fatalf("GET: %v", err)
				}
				defer func() { _ = res.Body.Close() }() // nothing is lost
				after, err := strconv.Atoi(res.Header.Get("Retry-After"))
				if res.StatusCode != tt.status || err != nil || after < 1 {
					return fmt.Errorf("got %d with Retry-After %q, want %d and some seconds", res.StatusCode, res.Header.Get("Retry-After"), tt.status)
				}
				return nil
			})
		})
	}
}

// The connections of an address are counted from their handshake to their end, and
// those that come to nothing are not.
func TestManager_ConnectionsOfAnAddress(t *testing.T) {
	w := newWorld(t, nil)
	w.admit(t, func(c *admission.Config) { c.Address.Connections = 2 })
	url := w.serve(t, nil)
	const ann, bob = "203.0.113.7", "2001:db8::1"
	for range 3 {
		wantClose(t, dial(t, url+"?token=wrong", from(ann)), 4001, "bad token")
	}
	// welcome lets somebody in. Who was closed may be counted a moment longer.
	welcome := func(client string) (conn *websocket.Conn) {
		eventually(t, func() error {
			conn = dial(t, url+"?token=good", from(client))
			frame, closed := read(t, conn)
			if !strings.HasPrefix(frame, `{"type":"welcome",`) {
				return fmt.Errorf("got %q, close %w; want a welcome in place of those who went", frame, closed)
			}
			return nil
		})
		return conn
	}
	first := welcome(ann)
	welcome(ann)
	wantSentAway(t, dial(t, url+"?token=good", from(ann)), 4101)
	wantSentAway(t, dial(t, url+"?token=good", from("198.51.100.9, "+ann)), 4101) // what it says of itself
	wantWelcome(t, dial(t, url+"?token=good", from(bob)))
	_ = first.CloseNow()
	welcome(ann)
	eventually(t, func() error {
		if s := w.gate.Stats(); s.InFlight != 0 || s.Refused[admission.AddressConnections] < 2 {
			return fmt.Errorf("stats are %+v, want nothing in flight and two refusals", s)
		}
		if got := w.Stats().Handshakes["ip_connections"]; got < 2 {
			return fmt.Errorf("%d handshakes are counted as ip_connections, want 2", got)
		}
		return nil
	})
	if n := strings.Count(w.log.String(), `"handshake refused"`); n != 1 {
		t.Errorf("%d lines about refused handshakes, want 1:\n%s", n, w.log.String())
	}
}

func TestManager_ConnectionsOfAUser(t *testing.T) {
	w := newWorld(t, nil)
	w.admit(t, func(c *admission.Config) { c.User.HandshakesPerSecond, c.User.HandshakesBurst = 1, 2 })
	w.verifier = fakeVerifier{"good": {UserID: "u1", Name: "Ann"}, "other": {UserID: "u2", Name: "Bob"}}
	url := w.serve(t, nil)
	eventually(t, func() error { // a slow machine lets more in
		frame, closed := read(t, dial(t, url+"?token=good", nil))
		if closed.Code != 4101 {
			return fmt.Errorf("got %q, close %w; want close 4101", frame, closed)
		}
		return nil
	})
	if frame, closed := read(t, dial(t, url+"?token=other", nil)); !strings.HasPrefix(frame, `{"type":"welcome",`) {
		t.Errorf("another user got %q, close %v; want welcome", frame, closed)
	}
	eventually(t, func() error {
		if n := w.gate.Stats().InFlight; n != 0 {
			return fmt.Errorf("%d handshakes are in flight, want none", n)
		}
		return nil
	})
}

const (
	tooMuch     = `{"type":"error","content":{"code":4101,"message":"too many bytes: slow down"}}`
	userTooFast = `{"type":"error","content":{"code":4101,"message":"too many frames from this user's devices: slow down"}}`
	userTooMuch = `{"type":"error","content":{"code":4101,"message":"too many bytes from this user's devices: slow down"}}`
)

func TestSession_ByteRate(t *testing.T) {
	inWorld(t, func(c *Config) { c.Limits.MessageBytes, c.Limits.BytesPerSecond, c.Limits.BytesBurst = 500, 100, 500 }, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		big := `{"type":"ping","x":"` + strings.Repeat("x", 378) + `"}`
		c.send(big, big, `{"type":"ping"}`)
		c.want(pong, tooMuch, pong)
		time.Sleep(4 * time.Second)
		c.send(big)
		c.want(pong)
	})
}

// Devices are no way around a user's budget.
func TestSession_UserRates(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.admit(t, func(c *admission.Config) {
			c.User.FramesPerSecond, c.User.FramesBurst = 10, 4
			c.User.BytesPerSecond, c.User.BytesBurst = 1000, 1000
		})
		first, second, other := w.connect(t, "u1"), w.connect(t, "u1"), w.connect(t, "u2")
		for range 2 {
			first.send(`{"type":"ping"}`)
			second.send(`{"type":"ping"}`)
		}
		first.want(pong, pong)
		second.want(pong, pong)
		second.send(`{"type":"ping"}`)
		second.want(userTooFast)
		other.send(`{"type":"ping"}`)
		other.want(pong)
		time.Sleep(time.Second)
		first.send(`{"type":"ping","x":"` + strings.Repeat("x", 900) + `"}`)
		first.want(pong)
		second.send(`{"type":"ping","x":"` + strings.Repeat("x", 200) + `"}`)
		second.want(userTooMuch)
	})
}
