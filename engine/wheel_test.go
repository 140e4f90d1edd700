package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// startTicked runs an engine whose wheel only turns when the test calls tick.
func startTicked(t *testing.T, edit func(*Config)) (*Engine, <-chan *recorder) {
	t.Helper()
	e, conns := startRecorder(t, testLimits, func(c *Config) {
		c.PingInterval, c.PongTimeout, c.CloseTimeout = 10*time.Second, 4*time.Second, 3*time.Second
		c.PongMissed = CloseReason{4008, "silent"}
		if edit != nil {
			edit(c)
		}
	})
	e.stopTick() // its first tick would come after a second
	return e, conns
}

// connect opens one connection and returns both of its ends.
func connect(t *testing.T, e *Engine, conns <-chan *recorder) (*peer, *recorder) {
	t.Helper()
	p := dial(t, e, "/ws")
	return p, receive(t, conns, "connection")
}

func turn(e *Engine, ticks int) {
	for range ticks {
		e.wheel.tick()
	}
}

func untilPinged(e *Engine, rec *recorder) {
	for rec.pinged.Load() != e.wheel.now.Load() {
		e.wheel.tick()
	}
}

// answer has p send a frame, and returns when the engine has seen it.
func answer(t *testing.T, e *Engine, p *peer, frame []byte) {
	t.Helper()
	before := e.Stats().FramesIn
	p.send(frame)
	eventually(t, func() error {
		if e.Stats().FramesIn == before {
			return errors.New("the frame has not arrived")
		}
		return nil
	})
}

func TestWheel_PingsEachConnectionOnceInAnInterval(t *testing.T) {
	t.Parallel()
	e, conns := startTicked(t, nil)
	const n = 30
	peers := map[*recorder]*peer{}
	for range n {
		p, rec := connect(t, e, conns)
		peers[rec] = p
	}
	pings := map[*recorder]int{}
	for tick := range 20 {
		before := e.Stats().WritesOut
		e.wheel.tick()
		if got := e.Stats().WritesOut - before; got != n/10 {
			t.Errorf("tick %d sent %d pings, want %d: phases are not spread", tick, got, n/10)
		}
		for rec, p := range peers {
			if rec.pinged.Load() == e.wheel.now.Load() {
				pings[rec]++
				p.want(0x89, nil)
				answer(t, e, p, masked(0x8A, nil))
			}
		}
	}
	for rec := range peers {
		if pings[rec] != 2 {
			t.Errorf("a connection got %d pings in two intervals", pings[rec])
		}
	}
}

func TestWheel_AnyByteCountsAsLife(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string][]byte{
		"pong": masked(0x8A, nil), "message": masked(0x81, []byte("x")), "ping": masked(0x89, nil), "fragment": masked(0x01, nil),
	} {
		e, conns := startTicked(t, nil)
		p, rec := connect(t, e, conns)
		untilPinged(e, rec)
		p.want(0x89, nil)
		before := e.Stats().BytesIn
		p.send(frame)
		eventually(t, func() error {
			if e.Stats().BytesIn == before {
				return errors.New("nothing has arrived")
			}
			return nil
		})
		turn(e, 5)
		if rec.Closing() {
			t.Errorf("%s: the connection is closing though its peer is alive", name)
		}
	}
}

func TestWheel_SilentPeerIsClosedAndCut(t *testing.T) {
	t.Parallel()
	e, conns := startTicked(t, nil)
	p, rec := connect(t, e, conns)
	untilPinged(e, rec)
	p.want(0x89, nil)
	turn(e, 3)
	if rec.Closing() {
		t.Fatal("closed before the pong timeout")
	}
	e.wheel.tick()
	if !rec.Closing() || e.Stats().PingsMissed != 1 {
		t.Fatalf("after the pong timeout: closing %v, PingsMissed %d, want true, 1", rec.Closing(), e.Stats().PingsMissed)
	}
	p.want(0x88, closePayload(4008, "silent"))
	turn(e, 3)
	select {
	case code := <-rec.closed:
		t.Fatalf("OnClose(%d) before the close timeout", code)
	default:
	}
	turn(e, 2)
	if code := receive(t, rec.closed, "OnClose"); code != 4008 {
		t.Errorf("OnClose(%d), want 4008", code)
	}
	p.wantEOF()
}

// A process that was stopped for a minute, with SIGSTOP or by its machine, gives
// its peers their time after it, instead of finding all of them silent.
func TestWheel_AGapIsNotSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWheel(DefaultConfig(), func(*Conn) { t.Error("found a connection silent") }, func() {})
		stuck := &gap{}
		c := &Conn{ep: &Endpoint{engine: &Engine{wheel: w}}, handler: stuck}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.run(ctx) }()
		c.SetDeadline(2 * time.Second) // OnDeadline holds the wheel up
		<-time.After(10*time.Second + time.Millisecond)
		before := w.now.Load()
		<-time.After(time.Minute)
		if got := w.now.Load() - before; got > 2 {
			t.Errorf("the wheel turned %d times while it was stopped for a minute", got)
		}
		<-time.After(10 * time.Second)
		if got := w.now.Load() - before; got < 8 || got > 12 {
			t.Errorf("the wheel turned %d times in the 10 s after it, want about 10", got)
		}
		cancel()
		<-done
	})
}

// gap is a Handler whose OnDeadline takes a minute and 6 seconds.
type gap struct{ refused }

func (*gap) OnDeadline() { <-time.After(66 * time.Second) }

func TestWheel_DeadlineComesOnceInItsTime(t *testing.T) {
	t.Parallel()
	for _, seconds := range []int{1, 3, 9, 10, 11, 25, 100} {
		t.Run(fmt.Sprint(seconds), func(t *testing.T) {
			t.Parallel()
			e, conns := startTicked(t, nil)
			p, rec := connect(t, e, conns)
			rec.SetDeadline(time.Duration(seconds) * time.Second)
			for tick := range seconds + 30 {
				if tick%5 == 0 {
					answer(t, e, p, masked(0x8A, nil))
				}
				e.wheel.tick()
				if len(rec.deadlines) > 0 && tick+1 < seconds {
					t.Fatalf("OnDeadline after %d ticks", tick+1)
				}
				if len(rec.deadlines) == 0 && tick+1 >= seconds+3 {
					t.Fatalf("no OnDeadline after %d ticks", tick+1)
				}
			}
			if len(rec.deadlines) != 1 {
				t.Errorf("OnDeadline was called %d times", len(rec.deadlines))
			}
		})
	}
}

func TestWheel_DeadlineCanBeMovedAndTakenAway(t *testing.T) {
	t.Parallel()
	e, conns := startTicked(t, nil)
	p, rec := connect(t, e, conns)
	run := func(ticks int) int {
		for range ticks {
			answer(t, e, p, masked(0x8A, nil))
			e.wheel.tick()
		}
		return len(rec.deadlines)
	}
	rec.SetDeadline(3 * time.Second)
	rec.SetDeadline(15 * time.Second)
	if got := run(14); got != 0 {
		t.Fatalf("the moved deadline came %d times too early", got)
	}
	if got := run(5); got != 1 {
		t.Fatalf("the moved deadline came %d times, want 1", got)
	}
	rec.SetDeadline(2 * time.Second)
	rec.SetDeadline(0)
	if got := run(25); got != 1 {
		t.Errorf("a deadline that was taken away came")
	}
	rec.SetDeadline(math.MaxInt64)
	if got := run(25); got != 1 {
		t.Errorf("a deadline in 292 years came")
	}
}

func TestWheel_DeadlineLeavesTheClosingHandshakeItsTime(t *testing.T) {
	t.Parallel()
	e, conns := startTicked(t, nil)
	p, rec := connect(t, e, conns)
	rec.SetDeadline(time.Second)
	rec.SetDeadline(time.Second) // two entries
	e.wheel.tick()
	rec.Close(CloseReason{Code: 4300})
	p.want(0x88, closePayload(4300, ""))
	turn(e, 3)
	if closed, _ := rec.nb.IsClosed(); closed || len(rec.deadlines) > 0 {
		t.Fatalf("closed %v, %d deadlines while the closing handshake goes on, want false, 0", closed, len(rec.deadlines))
	}
	p.send(masked(0x88, closePayload(4300, "")))
	p.wantEOF()
	receive(t, rec.closed, "OnClose")
}

func TestWheel_CutsWhatIsNotUpgradedInTime(t *testing.T) {
	t.Parallel()
	e, _ := startTicked(t, func(c *Config) { c.HandshakeTimeout = 3 * time.Second })
	p := dialTCP(t, e)
	eventually(t, func() error {
		for i := range e.wheel.due {
			s := &e.wheel.due[i]
			s.mu.Lock()
			n := len(s.chunks)
			s.mu.Unlock()
			if n > 0 {
				return nil
			}
		}
		return errors.New("the connection has no time limit yet")
	})
	turn(e, 3)
	if got := e.Stats().Open; got != 1 {
		t.Fatalf("open = %d after the handshake timeout less a tick, want 1", got)
	}
	turn(e, 2)
	p.wantEOF()
}

func TestWheel_RemoveKeepsTheOthers(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.PingInterval, cfg.PongTimeout = 2*time.Second, time.Second
	w := newWheel(cfg, func(*Conn) {}, func() {})
	var all []*Conn
	for range 1000 {
		c := &Conn{}
		w.add(c)
		all = append(all, c)
	}
	for i, c := range all {
		w.remove(c)
		w.remove(c) // a second time does nothing
		for i := range w.slots {
			for j, c := range w.slots[i].conns {
				if c.slotIndex != int32(j) {
					t.Fatalf("after %d removals: a connection at %d believes to be at %d", i+1, j, c.slotIndex)
				}
			}
		}
		if got, want := len(w.slots[0].conns)+len(w.slots[1].conns), len(all)-i-1; got != want {
			t.Fatalf("after %d removals %d connections are left, want %d", i+1, got, want)
		}
	}
	for i := range w.slots {
		if cap(w.slots[i].conns) > 128 {
			t.Errorf("slot %d keeps room for %d connections and holds none", i, cap(w.slots[i].conns))
		}
	}
}

// The echo endpoint leaves a conformance suite alone: it pings only who has sent
// nothing for a whole interval.
func TestWheel_SparesTheEchoEndpointItsPings(t *testing.T) {
	t.Parallel()
	e := startEcho(t, func(c *Config) { c.PingInterval, c.PongTimeout = 10*time.Second, 4*time.Second })
	e.stopTick()
	p := dial(t, e, "/echo")
	for range 35 {
		e.wheel.tick()
		p.send(masked(0x81, []byte("busy")))
		p.want(0x81, []byte("busy"))
	}
	turn(e, 20)
	p.want(0x89, nil)
	p.want(0x88, closePayload(1001, "")) // it did not answer in 4 s
}
