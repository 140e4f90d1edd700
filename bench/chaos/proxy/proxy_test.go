package proxy

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server echoes lines until the test ends, and tells how each connection ended.
func server(t *testing.T) (addr string, ends chan error) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ends = make(chan error, 10)
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, err := io.Copy(c, c)
				ends <- err
			}()
		}
	}()
	return l.Addr().String(), ends
}

// through connects through a new proxy, which ends with the test.
func through(t *testing.T, route Route) (*Proxy, *net.TCPConn) {
	t.Helper()
	p, err := Listen(route, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, dial(t, p)
}

func dial(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp4", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

func echo(t *testing.T, c net.Conn, line string) {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(c).ReadString('\n'); err != nil || got != line+"\n" {
		t.Fatalf("echo of %q = %q, %v", line, got, err)
	}
}

func everybody(Conn) bool { return true }

func TestProxy_PassesOnBytesAndEnds(t *testing.T) {
	addr, ends := server(t)
	_, c := through(t, To(addr))
	echo(t, c, "hello")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := <-ends; err != nil {
		t.Errorf("the server's end: %v, want none", err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read after the end = %d, %v, want EOF", n, err)
	}
}

func TestProxy_CutsThoseThatMatch(t *testing.T) {
	addr, ends := server(t)
	var tag atomic.Int32
	p, first := through(t, func() (int, string, bool) { return int(tag.Add(1)), addr, true })
	echo(t, first, "a")
	second := dial(t, p)
	echo(t, second, "b")
	if one, two, three := p.Count(1), p.Count(2), p.Count(3); one != 1 || two != 1 || three != 0 {
		t.Errorf("Count = %d, %d, %d, want 1, 1, 0", one, two, three)
	}
	if n := p.Cut(func(c Conn) bool { return c.Tag == 1 }); n != 1 {
		t.Errorf("Cut = %d, want 1", n)
	}
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read on what was cut: %v, want a reset", err)
	}
	if err := <-ends; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server's end: %v, want a reset", err)
	}
	echo(t, second, "c")
}

// Small buffers must not make a slow network of the loopback, as they do when each
// of them waits for an acknowledgement that is delayed. A busy machine may be slow
// once, but not each time.
func TestProxy_PassesMuchInTime(t *testing.T) {
	const (
		megabytes = 8
		limit     = 5 * time.Second
	)
	addr, _ := server(t)
	p, err := Listen(To(addr), 32<<10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	best := time.Duration(math.MaxInt64)
	for range 3 {
		c := dial(t, p)
		go func() {
			_, _ = c.Write(make([]byte, megabytes<<20)) // the reader says when it fails
			_ = c.CloseWrite()
		}()
		began := time.Now()
		n, err := io.Copy(io.Discard, c)
		if n != megabytes<<20 || err != nil {
			t.Fatalf("%d bytes came back, %v", n, err)
		}
		if best = min(best, time.Since(began)); best <= limit {
			break
		}
	}
	t.Logf("%v for %d MB there and back", best, megabytes)
	if best > limit {
		t.Errorf("%d MB took %v at best, want at most %v", megabytes, best, limit)
	}
}

// What is held back arrives in the end, also on connections made meanwhile.
func TestProxy_Stalls(t *testing.T) {
	addr, _ := server(t)
	p, first := through(t, To(addr))
	echo(t, first, "a")
	p.Stall(everybody)
	second := dial(t, p)
	for _, c := range []net.Conn{first, second} {
		if _, err := io.WriteString(c, "held\n"); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := c.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read during a stall = %d, %v, want nothing", n, err)
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	}
	p.Resume()
	for _, c := range []net.Conn{first, second} {
		if got, err := bufio.NewReader(c).ReadString('\n'); got != "held\n" {
			t.Errorf("after the stall got %q, %v", got, err)
		}
	}
}

func TestProxy_CutsWhatIsStalled(t *testing.T) {
	addr, _ := server(t)
	p, c := through(t, To(addr))
	echo(t, c, "a")
	p.Stall(everybody)
	if _, err := io.WriteString(c, "held\n"); err != nil {
		t.Fatal(err)
	}
	p.Cut(everybody)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v, want a reset", err)
	}
}

func TestProxy_RefusesWithoutRoute(t *testing.T) {
	p, err := Listen(func() (int, string, bool) { return 0, "", false }, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := net.Dial("tcp4", p.Addr().String())
	if err == nil {
		_, err = c.Read(make([]byte, 1))
		_ = c.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection that goes nowhere: %v, want a reset", err)
	}
}

func TestOwned(t *testing.T) {
	addr, _ := server(t)
	p, c := through(t, To(addr))
	echo(t, c, "a")
	owned, err := Owned(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	match := func(conn Conn) bool { return owned[conn.Client] }
	if n := len(p.matching(match)); n != 1 {
		t.Errorf("%d connections are ours, want 1", n)
	}
	if _, err := Owned(1 << 30); err == nil {
		t.Error("sockets of a process that does not exist")
	}
}
