package redistest

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// StartProxy passes each connection on to the server that to names for it, as a name
// or an address does that moves between servers: those that are there stay where they
// are. Connections count from 0. It runs until the end of the test, and to is called by
// one goroutine.
func StartProxy(tb testing.TB, to func(n int) (addr string)) (addr string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	tb.Cleanup(func() {
		cancel()
		_ = l.Close()
		running.Wait()
	})
	running.Go(func() { // ends with l
		for n := 0; ; n++ {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to(n))
			if err != nil {
				_ = in.Close()
				continue
			}
			end := func() {
				_ = in.Close()
				_ = out.Close()
			}
			context.AfterFunc(ctx, end)
			for to, from := range map[net.Conn]net.Conn{in: out, out: in} {
				running.Go(func() { // ends with either of them
					_, _ = io.Copy(to, from)
					end()
				})
			}
		}
	})
	return l.Addr().String()
}
