package engine

import (
	"errors"
	"net"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/lesismal/nbio"
)

// What a connection costs is decided by what hangs off it: these sizes are part of
// the design, and a change of them is to be made on purpose.
func TestConn_Size(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]struct{ got, most uintptr }{
		"Conn":      {unsafe.Sizeof(Conn{}), 88},
		"dueEntry":  {unsafe.Sizeof(dueEntry{}), 24},
		"nbio.Conn": {unsafe.Sizeof(nbio.Conn{}), 208},
	} {
		if size.got > size.most {
			t.Errorf("%s has %d bytes, at most %d are meant", name, size.got, size.most)
		}
	}
}

// openMany opens n upgraded connections; the test's end closes them.
func openMany(t *testing.T, e *Engine, n int) {
	t.Helper()
	before := e.Stats().WebSockets
	request := []byte(handshake("/echo"))
	for range n {
		conn, err := net.Dial("tcp", e.Addr().String())
		if err != nil {
			t.Fatalf("Dial: %v", err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := conn.Write(request); err != nil {
			t.Fatalf("handshake: %v", err)
		}
	}
	eventually(t, func() error {
		if e.Stats().WebSockets != before+int64(n) {
			return errors.New("not all are upgraded yet")
		}
		return nil
	})
}

// Not parallel: it counts the goroutines of the process.
func TestConn_HasNoGoroutineOfItsOwn(t *testing.T) {
	e := startEcho(t, nil)
	openMany(t, e, 100)
	few := runtime.NumGoroutine()
	openMany(t, e, 1900)
	eventually(t, func() error { // nbio's close goroutine comes and goes
		if many := runtime.NumGoroutine(); many > few {
			return errors.New("there are more goroutines with 2,000 connections than with 100")
		}
		return nil
	})
	t.Logf("%d goroutines with 100 connections, %d with 2,000", few, runtime.NumGoroutine())
}

// Not parallel: it measures the heap of the process.
func TestConn_LiveHeap(t *testing.T) {
	e := startEcho(t, func(c *Config) { c.HandshakeTimeout = time.Second })
	e.stopTick()
	heap := func() int64 {
		turn(e, 4) // the time limits of the handshakes are gone then
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	openMany(t, e, 100) // what the first connections bring for all
	const n = 3000
	before := heap()
	openMany(t, e, n)
	per := (heap() - before) / n
	t.Logf("%d bytes of live heap per connection, its client in this process included", per)
	if per > 1200 {
		t.Errorf("%d bytes of live heap per connection, at most 1,200 are meant", per)
	}
}
