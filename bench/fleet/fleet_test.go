package fleet

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a Handler that tells a test what happens.
type recorder struct {
	opened   chan int
	messages chan string
	closed   chan int // codes
}

func newRecorder() *recorder {
	return &recorder{opened: make(chan int, 1000), messages: make(chan string, 1000), closed: make(chan int, 1000)}
}

func (r *recorder) Open(i int, _ time.Duration)     { r.opened <- i }
func (r *recorder) Message(_ int, payload []byte)   { r.messages <- string(payload) }
func (r *recorder) Closed(_ int, code int, _ error) { r.closed <- code }

// serve accepts connections, reads their request, and writes an answer to each
// in the pieces given. It keeps them open until the test ends.
func serve(t *testing.T, pieces ...string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
				t.Errorf("request: %v", err)
			}
			for _, piece := range pieces {
				_, _ = conn.Write([]byte(piece)) // a client that has gone is what some tests want
			}
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// start runs a fleet of n connections until the test ends.
func start(t *testing.T, n int, opt Options, h Handler) *Fleet {
	t.Helper()
	opt.Request = func(int) string { return "/ws" }
	f, err := New(opt, h)
	if err != nil {
		t.Fatal(err)
	}
	f.Open(n)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
	return f
}

func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

const upgraded = "HTTP/1.1 101 Switching Protocols\r\n\r\n"

// Frames arrive as they like: together with the handshake, in pieces, several at
// once.
func TestFleet_Frames(t *testing.T) {
	long := strings.Repeat("x", 300)
	server := serve(t, upgraded+"\x81\x01a\x81", "\x02", "bc\x81\x7e\x01\x2c"+long[:100], long[100:]+"\x81\x00\x89\x01p", "\x81\x01d\x88\x02\x03\xe9")
	r := newRecorder()
	start(t, 1, Options{Server: server}, r)
	receive(t, r.opened, "upgrade")
	for _, want := range []string{"a", "bc", long, "", "d"} {
		if got := receive(t, r.messages, "message"); got != want {
			t.Errorf("message %q, want %q", got, want)
		}
	}
}

func TestFleet_Refused(t *testing.T) {
	for name, answer := range map[string]string{
		"by HTTP":         "HTTP/1.1 401 Unauthorized\r\n\r\n",
		"by an odd frame": upgraded + "\xc1\x00",
		"by a masked one": upgraded + "\x81\x81\x00\x00\x00\x00a",
		"by a huge one":   upgraded + "\x81\x7f\x00\x00\x00\x00\x7f\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder()
			start(t, 1, Options{Server: serve(t, answer)}, r)
			if code := receive(t, r.closed, "end"); code != 0 {
				t.Errorf("code %d, want none", code)
			}
		})
	}
}

// closings is a recorder that reads close frames too.
type closings struct {
	*recorder
	reasons chan string
}

func (c closings) Closing(_ int, code int, reason []byte) {
	c.reasons <- strconv.Itoa(code) + " " + string(reason)
}

func TestFleet_TellsTheReason(t *testing.T) {
	r := closings{newRecorder(), make(chan string, 1)}
	start(t, 1, Options{Server: serve(t, upgraded+"\x88\x06\x10\x68gone")}, r)
	if got := receive(t, r.reasons, "close frame"); got != "4200 gone" {
		t.Errorf("Closing(%q), want 4200 gone", got)
	}
}

// A reserved connection waits for Reopen; a hushed one reads nothing, and what
// waits is there afterwards.
func TestFleet_ReserveAndHush(t *testing.T) {
	r := newRecorder()
	f := start(t, 0, Options{Server: serve(t, upgraded, "\x81\x01a")}, r)
	ctx := context.Background()
	f.Do(ctx, func() {
		f.Reserve(2)
		f.Reopen(1, Now())
	})
	if i := receive(t, r.opened, "upgrade"); i != 1 {
		t.Errorf("connection %d opened, want 1", i)
	}
	receive(t, r.messages, "message")
	hushed := make(chan error, 1)
	f.Do(ctx, func() { hushed <- f.Hush(1, true) })
	if err := receive(t, hushed, "answer"); err != nil {
		t.Fatal(err)
	}
	f.Do(ctx, func() { hushed <- f.Hush(1, false) })
	if err := receive(t, hushed, "answer"); err != nil {
		t.Fatal(err)
	}
	f.Do(ctx, func() { hushed <- f.Shut(1) })
	if err := receive(t, hushed, "answer"); err != nil {
		t.Fatal(err)
	}
}

// At a rate, connections count from when they were due, evenly spaced, however
// long the server or this client takes.
func TestFleet_Rate(t *testing.T) {
	const n, rate = 50, 1000.0
	r := newRecorder()
	f := start(t, n, Options{Server: serve(t, upgraded), Rate: rate}, r)
	for range n {
		receive(t, r.opened, "upgrade")
	}
	started := make(chan []int64, 1)
	f.Do(context.Background(), func() {
		var all []int64
		for i := range n {
			all = append(all, f.Started(i))
		}
		started <- all
	})
	all := receive(t, started, "times")
	for i, at := range all {
		if want := all[0] + int64(float64(i)*1e9/rate); at != want {
			t.Fatalf("connection %d began %v after the first, want %v", i, time.Duration(at-all[0]), time.Duration(want-all[0]))
		}
	}
}

func TestFleet_Tick(t *testing.T) {
	ticks := make(chan int64, 1000)
	next := int64(0)
	start(t, 0, Options{Tick: func(now int64) int64 {
		if next == 0 || now >= next {
			ticks <- now
			next = now + int64(5*time.Millisecond)
		}
		return next
	}}, newRecorder())
	last := receive(t, ticks, "tick")
	for range 5 {
		now := receive(t, ticks, "tick")
		if gap := time.Duration(now - last); gap < 5*time.Millisecond {
			t.Errorf("tick after %v, want at least 5ms", gap)
		}
		last = now
	}
}

// An event counts as waiting from the last look that did not find it.
func TestMeter(t *testing.T) {
	const ms = 1_000_000
	m := newMeter()
	m.wait(0, 10*ms, false) // slept
	m.handled(10 * ms)
	m.handled(12 * ms)          // one that was behind another for 2 ms
	m.wait(12*ms, 12*ms, false) // found events at once: they came after the last look, at 10 ms
	m.handled(13 * ms)          // so it has waited up to 3 ms
	m.wait(13*ms, 13*ms, true)  // a full list: more may have been ready
	m.handled(20 * ms)          // up to 8 ms after the look at 12 ms
	m.wait(20*ms, 20*ms, false) // what was ready then may be older than the look at 13 ms
	m.handled(21 * ms)          // so the look at 12 ms still counts
	m.wait(21*ms, 50*ms, false) // slept
	m.handled(50 * ms)
	want := []int64{1, 1, 2000, 3000, 8000, 9000} // microseconds, to two digits
	var got []int64
	for _, bar := range m.lag.Distribution() {
		for range bar.Count {
			got = append(got, bar.From)
		}
	}
	for i, us := range want {
		if len(got) != len(want) || got[i] > us || got[i] < us*98/100 {
			t.Fatalf("lags of %v µs, want %v", got, want)
		}
	}
}

func TestNow_IsTheKernelsClock(t *testing.T) {
	before := kernelMonotonic()
	now := Now()
	if after := kernelMonotonic(); now < before-int64(time.Millisecond) || now > after+int64(time.Millisecond) {
		t.Errorf("Now() = %d, the kernel says %d to %d", now, before, after)
	}
}
