package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
)

// bufferBytes is what a proxy itself holds of each direction.
const bufferBytes = 8 << 10

// pair is the two sides of one connection.
type pair struct {
	Conn
	client, server *net.TCPConn
	gate           *gate
}

// shrink sets the size of the kernel's buffers.
func (pr *pair) shrink(bytes int) {
	for _, c := range []*net.TCPConn{pr.client, pr.server} {
		_ = c.SetReadBuffer(bytes) // none of these is worth failing for
		_ = c.SetWriteBuffer(bytes)
	}
}

// run passes bytes both ways until both sides have ended.
func (pr *pair) run() {
	var back sync.WaitGroup
	back.Go(func() { pr.pass(pr.client, pr.server) })
	pr.pass(pr.server, pr.client)
	back.Wait()
	_ = pr.client.Close()
	_ = pr.server.Close()
}

// pass copies until from ends. io.Copy would splice(2), which keeps up to 64 KiB
// in a pipe and cannot be stalled.
func (pr *pair) pass(to, from *net.TCPConn) {
	buf := make([]byte, bufferBytes)
	for {
		n, readErr := from.Read(buf)
		pr.gate.wait()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				pr.abort()
				return
			}
		}
		switch {
		case errors.Is(readErr, io.EOF):
			_ = to.CloseWrite() // the other side may have gone
			return
		case readErr != nil:
			pr.abort()
			return
		}
	}
}

// abort ends both sides with RST.
func (pr *pair) abort() {
	reset(pr.client)
	reset(pr.server)
	pr.gate.open()
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // then it ends with FIN
	_ = c.Close()
}

// gate lets bytes pass unless it is shut.
type gate struct {
	mu     sync.Mutex // guards the fields below
	passed *sync.Cond
	barred bool
}

func newGate() *gate {
	g := &gate{}
	g.passed = sync.NewCond(&g.mu)
	return g
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.barred = true
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.barred = false
	g.passed.Broadcast()
}

func (g *gate) wait() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.barred {
		g.passed.Wait()
	}
}
