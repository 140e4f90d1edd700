package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

func TestEngine_StartNamesTheAddressThatItCannotBind(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("Listen: %v", err)
	}
	defer ln.Close()
	for _, addr := range []string{ln.Addr().String(), "nonsense"} {
		cfg := DefaultConfig()
		cfg.Addr = addr
		e, err := New(cfg, http.NotFoundHandler(), testLog)
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		if err := e.Start(t.Context()); err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("Start on %s = %v, want an error that names it", addr, err)
		}
	}
}

func TestEngine_StopAcceptingKeepsWhatIsOpen(t *testing.T) {
	t.Parallel()
	e := startEcho(t, nil)
	p := dial(t, e, "/echo")
	e.StopAccepting()
	e.StopAccepting()
	eventually(t, func() error {
		conn, err := net.Dial("tcp", e.Addr().String())
		if err == nil {
			_ = conn.Close()
			return errors.New("still accepting")
		}
		return nil
	})
	p.send(masked(0x81, []byte("still here")))
	p.want(0x81, []byte("still here"))
}

func TestEngine_StopEndsEverythingAndSaysSo(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, testLimits, nil)
	var recs []*recorder
	for range 20 {
		_, rec := connect(t, e, conns)
		recs = append(recs, rec)
	}
	idle := dialTCP(t, e)
	eventually(t, func() error {
		if e.Stats().Open != 21 {
			return errors.New("not accepted yet")
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	for _, rec := range recs {
		if len(rec.closed) != 1 {
			t.Errorf("OnClose was called %d times before Stop returned, want once", len(rec.closed))
		}
	}
	idle.wantEOF()
	if st := e.Stats(); st.Open != 0 || st.WebSockets != 0 {
		t.Errorf("after Stop: %d open, %d upgraded", st.Open, st.WebSockets)
	}
}

// nbio cannot stop a poller whose goroutine has not run yet; Start waits for them.
func TestEngine_CanBeStoppedAtOnce(t *testing.T) {
	t.Parallel()
	for range 100 {
		cfg := DefaultConfig()
		cfg.Addr, cfg.Pollers = "127.0.0.1:0", 4
		e, err := New(cfg, http.NotFoundHandler(), testLog)
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		if err := e.Start(t.Context()); err != nil {
			t.Fatalf("Start: %v", err)
		}
		if st := e.Stats(); st.Accepted != 0 || st.Open != 0 {
			t.Errorf("after Start: %d accepted, %d open", st.Accepted, st.Open)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := e.Stop(ctx); err != nil {
			t.Fatalf("Stop: %v", err)
		}
		cancel()
	}
}

func TestEngine_Capacity(t *testing.T) {
	t.Parallel()
	e := startEcho(t, func(c *Config) { c.MaxConnections = 3 })
	var open []*peer
	for range 3 {
		open = append(open, dial(t, e, "/echo"))
	}
	if e.OverCapacity() || e.MaxConnections() != 3 {
		t.Errorf("OverCapacity with 3 of %d connections", e.MaxConnections())
	}
	for range acceptSlack { // let in, to be refused in words
		open = append(open, dial(t, e, "/echo"))
	}
	if !e.OverCapacity() {
		t.Error("not OverCapacity with more than 3 connections")
	}
	dialTCP(t, e).wantEOF()
	if got := e.Stats().AcceptErrors; got != 1 {
		t.Errorf("AcceptErrors = %d, want 1", got)
	}
	for _, p := range open {
		_ = p.conn.Close()
	}
	eventually(t, func() error {
		if e.OverCapacity() {
			return fmt.Errorf("OverCapacity with %d connections", e.Stats().Open)
		}
		return nil
	})
	dial(t, e, "/echo")
}

func TestMaxConnections_LeavesFilesForTheRest(t *testing.T) {
	t.Parallel()
	most := maxConnections(0)
	if most < 256 || maxConnections(10) != 10 || maxConnections(1<<40) != most {
		t.Errorf("maxConnections(0, 10, 2^40) = %d, %d, %d", most, maxConnections(10), maxConnections(1<<40))
	}
}

func TestEngine_CountsWhatHappens(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, testLimits, nil)
	e.stopTick() // a ping would be counted
	for _, code := range []int{1000, 1000, 4001, 3500, 4900} {
		p, _ := connect(t, e, conns)
		p.send(frames(0x81, "a", 0x89, "p"))
		p.want(0x8A, []byte("p"))
		p.close(closePayload(code, ""), CloseCode(code))
	}
	p, _ := connect(t, e, conns)
	p.send(frames(0x83, ""))
	p.wantClose(CloseProtocol)
	eventually(t, func() error {
		if open := e.Stats().Open; open != 0 {
			return fmt.Errorf("%d connections are open", open)
		}
		return nil
	})
	got := e.Stats()
	want := Stats{
		Accepted: 6, FramesIn: 15, ProtocolFails: 1,
		BytesIn: got.BytesIn, WritesOut: 6 + 5 + 6, BytesOut: got.BytesOut, // 6 handshakes, 5 pongs, 6 closes
		ClosesSent: map[CloseCode]uint64{1000: 2, 4001: 1, 1002: 1, 0: 2},
		ClosesSeen: map[CloseCode]uint64{1000: 2, 4001: 1, 0: 2},
		Losses:     got.Losses,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || got.BytesIn == 0 || got.BytesOut == 0 {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
}

func TestEngine_CloseTextIsTheApplications(t *testing.T) {
	t.Parallel()
	e := startEcho(t, func(c *Config) { c.CloseText = func(why string) string { return "<" + why + ">" } })
	p := dial(t, e, "/echo")
	p.send(frames(0x83, ""))
	p.want(0x88, closePayload(1002, "<reserved opcode>"))
}

// panicking is a Handler that always does.
type panicking struct{ recorder }

func (*panicking) OnMessage(Opcode, []byte) { panic("handler bug") }

func TestEngine_PanicInAHandlerEndsItsConnectionOnly(t *testing.T) {
	t.Parallel()
	e := startEngine(t, nil, func(e *Engine, mux *http.ServeMux) {
		e.log = zerolog.Nop()
		mux.Handle("/echo", e.EchoHandler(testLimits))
		ep := e.NewEndpoint(testLimits)
		mux.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) {
			c := &panicking{}
			c.closed = make(chan CloseCode, 1)
			if err := e.Upgrade(w, r, ep, "", &c.Conn, c); err != nil {
				t.Errorf("Upgrade: %v", err)
			}
		})
	})
	other := dial(t, e, "/echo")
	p := dial(t, e, "/panic")
	p.send(frames(0x81, "a", 0x81, "b"))
	p.wantClose(CloseInternal)
	other.send(masked(0x81, []byte("fine")))
	other.want(0x81, []byte("fine"))
}

func TestLimitedLog_WritesOneLineInTenSecondsAndCountsTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := newLimitedLog(zerolog.New(&out))
		for range 5 {
			l.warn(errors.New("boom"), "trouble")
		}
		<-time.After(logEvery)
		l.warn(errors.New("boom"), "trouble")
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], `"skipped":0`) || !strings.Contains(lines[1], `"skipped":4`) {
			t.Errorf("log = %q, want two lines, the second with 4 skipped", lines)
		}
	})
}

func TestEngine_KnowsThePeersAddress(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0", ":0"} { // ":0" takes IPv4 within IPv6, where there is IPv6
		seen := make(chan string, 1)
		e := startEngine(t, func(c *Config) { c.Addr = addr }, func(_ *Engine, mux *http.ServeMux) {
			mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { seen <- r.RemoteAddr })
		})
		_, port, err := net.SplitHostPort(e.Addr().String())
		if err != nil {
			t.Fatalf("SplitHostPort: %v", err)
		}
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			t.Fatalf("Dial: %v", err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatalf("Write: %v", err)
		}
		if got, want := receive(t, seen, "request"), conn.LocalAddr().String(); got != want {
			t.Errorf("listening on %s: RemoteAddr = %q, want %q", addr, got, want)
		}
	}
}
