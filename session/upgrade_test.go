package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/session/auth"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// serve gives the world an engine on a free port until the test ends, and
// returns the address of /ws.
func (w *world) serve(t *testing.T, edit func(*engine.Config)) (url string) {
	t.Helper()
	cfg := engine.DefaultConfig()
	cfg.Addr = "127.0.0.1:0"
	cfg.CloseTimeout = time.Second
	if edit != nil {
		edit(&cfg)
	}
	e, err := engine.New(cfg, w, zerolog.Nop())
	if err != nil {
		t.Fatalf("engine.New: %v", err)
	}
	w.Serve(e)
	if err := e.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return "ws://" + e.Addr().String() + "/ws"
}

// dial connects; the connection is cut when the test ends.
func dial(t *testing.T, url string, opts *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, opts)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() }) // it may be closed already
	return conn
}

// read returns the next frame, or what the connection was closed with.
func read(t *testing.T, conn *websocket.Conn) (frame string, closed websocket.CloseError) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, b, err := conn.Read(ctx)
	if err != nil && !errors.As(err, &closed) {
		t.Fatalf("Read: %v", err)
	}
	return string(b), closed
}

// wantWelcome fails the test unless the next thing is the welcome of u1.
func wantWelcome(t *testing.T, conn *websocket.Conn) {
	t.Helper()
	frame, closed := read(t, conn)
	if !strings.HasPrefix(frame, `{"type":"welcome",`) || decode(t, frame).Data["user_id"] != "u1" {
		t.Errorf("got %q, close %v; want the welcome of u1", frame, closed)
	}
}

// wantClose fails the test unless the next thing is this close frame.
func wantClose(t *testing.T, conn *websocket.Conn, code websocket.StatusCode, reason string) {
	t.Helper()
	frame, closed := read(t, conn)
	if frame != "" || closed.Code != code {
		t.Fatalf("got frame %q, close %v; want close %d", frame, closed, code)
	}
	text := parseClose(t, engine.CloseReason{Text: closed.Reason})
	if text.Reason != reason {
		t.Errorf("reason is %q, want %q", closed.Reason, reason)
	}
}

func TestManager_ServeHTTPUpgrades(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Subprotocols = []string{"v1"} })
	url := w.serve(t, nil)
	for name, tt := range map[string]struct {
		query    string
		offered  []string
		selected string
	}{
		"token in the URL":         {"?token=good", nil, ""},
		"token as a subprotocol":   {"", []string{"bearer", "good"}, "bearer"},
		"a subprotocol that we do": {"?token=good", []string{"v2", "v1"}, "v1"},
		"none that we do":          {"?token=good", []string{"v2"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, url+tt.query, &websocket.DialOptions{Subprotocols: tt.offered})
			wantWelcome(t, conn)
			if got := conn.Subprotocol(); got != tt.selected {
				t.Errorf("subprotocol %q, want %q", got, tt.selected)
			}
		})
	}
	if got := w.Stats().Handshakes["ok"]; got != 4 {
		t.Errorf("%d handshakes counted as ok, want 4", got)
	}
}

// A browser sees a close code where it could not see a status.
func TestManager_ServeHTTPClosesWithAReason(t *testing.T) {
	w := newWorld(t, nil)
	url := w.serve(t, nil)
	for name, tt := range map[string]struct {
		token  string
		code   websocket.StatusCode
		reason string
		result string
	}{
		"no token":      {"", 4001, "bad token", "bad_token"},
		"wrong token":   {"wrong", 4001, "bad token", "bad_token"},
		"expired token": {"expired", 4300, "expired", "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			before := w.Stats().Handshakes[tt.result]
			wantClose(t, dial(t, url+"?token="+tt.token, nil), tt.code, tt.reason)
			eventually(t, func() error {
				if got := w.Stats().Handshakes[tt.result] - before; got != 1 {
					return fmt.Errorf("%d handshakes counted as %s, want 1", got, tt.result)
				}
				return nil
			})
		})
	}
}

func TestManager_ServeHTTPOverCapacity(t *testing.T) {
	w := newWorld(t, nil)
	url := w.serve(t, func(c *engine.Config) { c.MaxConnections = 1 })
	first := dial(t, url+"?token=good", nil)
	wantWelcome(t, first)
	wantClose(t, dial(t, url+"?token=good", nil), 4100, "over capacity")

	res, err := http.Get("http" + strings.TrimPrefix(url, "ws") + "?token=good")
	if err != nil {
		t.Fatalf("GET: %v", err)
	}
	defer func() { _ = res.Body.Close() }() // nothing is lost
	var a answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		t.Fatalf("answer to a plain request: %v", err)
	}
	if res.StatusCode != http.StatusServiceUnavailable || a.Code != http.StatusServiceUnavailable || a.Message != "over capacity" {
		t.Errorf("plain request: %d %+v, want 503 over capacity", res.StatusCode, a)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestManager_Drain(t *testing.T) {
	w := newWorld(t, nil)
	url := w.serve(t, nil)
	conn := dial(t, url+"?token=good", nil)
	wantWelcome(t, conn)
	drained := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		drained <- w.Drain(ctx, false)
	}()
	wantClose(t, conn, 4200, "draining")
	if err := <-drained; err != nil {
		t.Errorf("Drain = %v, want nil", err)
	}
	wantClose(t, dial(t, url+"?token=good", nil), 4200, "draining")
}

// A client that does not answer the close frame does not hold up Drain for
// longer than its context says.
func TestManager_DrainGivesUp(t *testing.T) {
	w := newWorld(t, nil)
	url := w.serve(t, func(c *engine.Config) { c.CloseTimeout = 5 * time.Second })
	wantWelcome(t, dial(t, url+"?token=good", nil)) // and reads no more
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.Drain(ctx, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain = %v, want %v", err, context.DeadlineExceeded)
	}
}

// verifierFunc is a Verifier that does something at the worst moment.
type verifierFunc func(token string) (auth.Identity, error)

func (f verifierFunc) Verify(token string) (auth.Identity, error) { return f(token) }

// A session that passes the door just before it is shut is asked to leave too.
func TestManager_DrainDuringHandshake(t *testing.T) {
	w := newWorld(t, nil)
	w.verifier = verifierFunc(func(string) (auth.Identity, error) {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = w.Drain(ended, false) // it begins, and does not wait
		return auth.Identity{UserID: "u1", Name: "Ann"}, nil
	})
	conn := dial(t, w.serve(t, nil)+"?token=good", nil)
	frame, closed := read(t, conn)
	if strings.HasPrefix(frame, `{"type":"welcome",`) {
		frame, closed = read(t, conn)
	}
	if frame != "" || closed.Code != 4200 {
		t.Errorf("got frame %q, close %v; want close 4200", frame, closed)
	}
}

func TestManager_TokensAreNotLogged(t *testing.T) {
	w := newWorld(t, nil)
	const token = "eyJhbGciOiJIUzI1NiJ9.secret"
	w.verifier = fakeVerifier{token: {UserID: "u1", Name: "Ann"}}
	url := w.serve(t, nil)
	wantClose(t, dial(t, url+"?token="+token+"x", nil), 4001, "bad token")
	conn := dial(t, url+"?token="+token, nil)
	wantWelcome(t, conn)
	w.draining.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() { _, _, _ = conn.Read(ctx) }() // answers the close frame
	if err := w.Drain(ctx, false); err != nil {
		t.Fatalf("Drain: %v", err)
	}
	for _, want := range []string{"token refused", "connected", "disconnected"} {
		eventually(t, func() error {
			if log := w.log.String(); !strings.Contains(log, `"message":"`+want+`"`) {
				return fmt.Errorf("no line %q in the log:\n%s", want, log)
			}
			return nil
		})
	}
	if log := w.log.String(); strings.Contains(log, "secret") {
		t.Errorf("a token is in the log:\n%s", log)
	}
}

// eventually polls until check returns nil.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.After(patience)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("after %s: %v", patience, err)
		}
	}
}
