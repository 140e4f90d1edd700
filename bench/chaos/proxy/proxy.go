package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Conn is one connection through a proxy.
type Conn struct {
	Client   netip.AddrPort // who has connected
	Tag      int            // as Route has given it
	Accepted time.Time
}

// Route says where a new connection is to go; tag is for telling connections
// apart. When ok is false, the connection is closed. It is called from the
// goroutine of each connection.
type Route func() (tag int, to string, ok bool)

// To is a Route to one place.
func To(addr string) Route { return func() (int, string, bool) { return 0, addr, true } }

// Proxy passes TCP connections on. Its methods may be called from any goroutine.
type Proxy struct {
	listener    net.Listener
	route       Route
	socketBytes int
	active      sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	pairs   map[*pair]struct{}
	counts  map[int]int     // of pairs, by tag
	stalled func(Conn) bool // nil: nobody is
	closed  bool
}

// Listen begins to accept on a free port of the loopback. SocketBytes are the
// buffers that the kernel is asked for in each direction, 0 for its own choice.
func Listen(route Route, socketBytes int) (*Proxy, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{listener: l, route: route, socketBytes: socketBytes, pairs: make(map[*pair]struct{}), counts: make(map[int]int)}
	p.active.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() netip.AddrPort { return p.listener.Addr().(*net.TCPAddr).AddrPort() }

// Port is the port of Addr.
func (p *Proxy) Port() int { return int(p.Addr().Port()) }

// Count is how many connections have a tag.
func (p *Proxy) Count(tag int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[tag]
}

// Close ends all connections and waits until they have ended.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Cut(func(Conn) bool { return true })
	p.active.Wait()
}

// Cut ends the connections that match with RST on both sides, and returns how
// many there were. Bytes on their way are lost.
func (p *Proxy) Cut(match func(Conn) bool) int {
	cut := p.matching(match)
	for _, pr := range cut {
		pr.abort()
	}
	return len(cut)
}

// matching returns the connections that match. Match is called without a lock.
func (p *Proxy) matching(match func(Conn) bool) []*pair {
	p.mu.Lock()
	all := make([]*pair, 0, len(p.pairs))
	for pr := range p.pairs {
		all = append(all, pr)
	}
	p.mu.Unlock()
	n := 0
	for _, pr := range all {
		if match(pr.Conn) {
			all[n] = pr
			n++
		}
	}
	return all[:n]
}

// Stall lets no byte pass on the connections that match, nor on those that will
// be made, until Resume.
func (p *Proxy) Stall(match func(Conn) bool) {
	p.mu.Lock()
	p.stalled = match
	p.mu.Unlock()
	for _, pr := range p.matching(match) {
		pr.gate.shut()
	}
}

// Resume ends Stall; what was held back arrives.
func (p *Proxy) Resume() {
	p.mu.Lock()
	p.stalled = nil
	p.mu.Unlock()
	for _, pr := range p.matching(func(Conn) bool { return true }) {
		pr.gate.open()
	}
}

// acceptPause is how long accepting rests when the process has no descriptor
// left.
const acceptPause = 10 * time.Millisecond

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			<-time.After(acceptPause)
			continue
		}
		p.active.Go(func() { p.serve(conn.(*net.TCPConn)) })
	}
}

// dialTimeout is how long a connection to the other side may take.
const dialTimeout = 5 * time.Second

// serve passes one connection on until it ends.
func (p *Proxy) serve(client *net.TCPConn) {
	accepted := time.Now()
	tag, to, ok := p.route()
	if !ok {
		reset(client)
		return
	}
	server, err := net.DialTimeout("tcp4", to, dialTimeout)
	if err != nil {
		reset(client)
		return
	}
	pr := &pair{
		Conn:   Conn{Client: client.RemoteAddr().(*net.TCPAddr).AddrPort(), Tag: tag, Accepted: accepted},
		client: client, server: server.(*net.TCPConn), gate: newGate(),
	}
	if p.socketBytes > 0 {
		pr.shrink(p.socketBytes)
	}
	if !p.add(pr) {
		pr.abort()
		return
	}
	pr.run()
	p.mu.Lock()
	delete(p.pairs, pr)
	p.counts[tag]--
	p.mu.Unlock()
}

// add enters a connection; false says that the proxy has been closed.
func (p *Proxy) add(pr *pair) bool {
	p.mu.Lock()
	stalled := p.stalled
	ok := !p.closed
	if ok {
		p.pairs[pr] = struct{}{}
		p.counts[pr.Tag]++
	}
	p.mu.Unlock()
	if ok && stalled != nil && stalled(pr.Conn) {
		pr.gate.shut()
		p.mu.Lock()
		over := p.stalled == nil // Resume may not have seen the gate shut
		p.mu.Unlock()
		if over {
			pr.gate.open()
		}
	}
	return ok
}
