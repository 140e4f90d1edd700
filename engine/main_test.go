package engine

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if plan := os.Getenv(churnEnv); plan != "" {
		os.Exit(churnClient(plan))
	}
	goleak.VerifyTestMain(m,
		// nbio's taskpool package starts these when it is imported, for good.
		goleak.IgnoreAnyFunction("github.com/lesismal/nbio/taskpool.New.func3"))
}

var testLog = zerolog.New(os.Stderr).Level(zerolog.WarnLevel)

// testLimits are those of a gateway in its default configuration.
var testLimits = Limits{MessageBytes: 64 << 10, WriteBufferBytes: 256 << 10}

// testCloseTimeout leaves room for dropWithin; tests of the time limit itself set
// another.
const testCloseTimeout = 12 * time.Second

// startEngine runs an engine on a free port until the test ends. routes is
// called before it starts; edit may be nil.
func startEngine(t testing.TB, edit func(*Config), routes func(*Engine, *http.ServeMux)) *Engine {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Addr = "127.0.0.1:0"
	cfg.CloseTimeout = testCloseTimeout
	if edit != nil {
		edit(&cfg)
	}
	mux := http.NewServeMux()
	e, err := New(cfg, mux, testLog)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	routes(e, mux)
	if err := e.Start(context.Background()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return e
}

// startEcho runs an engine with an echo endpoint at /echo.
func startEcho(t testing.TB, edit func(*Config)) *Engine {
	t.Helper()
	return startEngine(t, edit, func(e *Engine, mux *http.ServeMux) {
		mux.Handle("/echo", e.EchoHandler(testLimits))
	})
}

// recorder is a connection that keeps what its Handler is told.
type recorder struct {
	Conn
	messages  chan []byte // copies
	deadlines chan struct{}
	slow      chan struct{}
	caughtUp  chan struct{}
	closed    chan CloseCode
}

func newRecorder() *recorder {
	return &recorder{
		messages:  make(chan []byte, 100),
		deadlines: make(chan struct{}, 100),
		slow:      make(chan struct{}, 100),
		caughtUp:  make(chan struct{}, 100),
		closed:    make(chan CloseCode, 1),
	}
}

func (r *recorder) OnMessage(_ Opcode, payload []byte) {
	r.messages <- append([]byte(nil), payload...)
}
func (r *recorder) OnSlow()                { r.slow <- struct{}{} }
func (r *recorder) OnCaughtUp()            { r.caughtUp <- struct{}{} }
func (r *recorder) OnDeadline()            { r.deadlines <- struct{}{} }
func (r *recorder) OnClose(code CloseCode) { r.closed <- code }

// startRecorder runs an engine whose /ws hands every connection to the test.
func startRecorder(t testing.TB, limits Limits, edit func(*Config)) (*Engine, <-chan *recorder) {
	t.Helper()
	conns := make(chan *recorder, 100)
	e := startEngine(t, edit, func(e *Engine, mux *http.ServeMux) {
		ep := e.NewEndpoint(limits)
		mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
			rec := newRecorder()
			if err := e.Upgrade(w, r, ep, "", &rec.Conn, rec); err != nil {
				t.Errorf("Upgrade: %v", err)
				return
			}
			conns <- rec
		})
	})
	return e, conns
}

// patience is how long a test waits for what must happen; nothing takes that
// long unless it fails.
const patience = 20 * time.Second

// receive returns the next value of ch.
func receive[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s after %s", what, patience)
		panic("unreachable")
	}
}

// eventually polls until check returns nil.
func eventually(t testing.TB, check func() error) {
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
