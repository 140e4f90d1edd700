package engine

import (
	"net"
	"net/netip"

	"github.com/lesismal/nbio"
	"github.com/lesismal/nbio/nbhttp"
)

// httpConn is a connection until it is upgraded. At first it is an
// nbhttp.ParserCloser itself, which looks for an opening handshake; if there is none,
// nbhttp's parser takes its place, and asks it for the peer's address, which nbio
// does not keep.
type httpConn struct {
	*nbio.Conn
	engine *Engine
	from   netip.AddrPort
}

var _ nbhttp.ParserCloser = (*httpConn)(nil)

// RemoteAddr is the peer's address. nbhttp asks for every request, only to have it
// as a string.
func (c *httpConn) RemoteAddr() net.Addr { return (*peerAddr)(&c.from) }

// UnderlayerConn implements nbhttp.ParserCloser.
func (c *httpConn) UnderlayerConn() net.Conn { return c }

// CloseAndClean implements nbhttp.ParserCloser; there is nothing to clean.
func (c *httpConn) CloseAndClean(error) {}

// Parse implements nbhttp.ParserCloser: it gets the first bytes of a connection, on its
// poller.
func (c *httpConn) Parse(data []byte) error {
	o := openings.Get().(*opening)
	n, ok := o.read(data)
	if !ok {
		o.free()
		parser := nbhttp.NewParser(c, c.engine.http, nbhttp.NewServerProcessor(), false, runInline)
		c.SetSession(parser)
		return parser.Parse(data)
	}
	o.request.RemoteAddr = c.from.String()
	o.response.conn = c
	c.engine.handler.ServeHTTP(&o.response, &o.request)
	if !o.response.settle(c.engine) {
		return nil // whoever answers later may still have the request
	}
	o.free()
	if t, ok := c.Session().(*takeover); ok && n < len(data) {
		return t.Parse(data[n:])
	}
	return nil
}

// peerAddr is an address and port as package net wants it.
type peerAddr netip.AddrPort

// Network implements net.Addr.
func (*peerAddr) Network() string { return "tcp" }

// String implements net.Addr: "192.0.2.1:25" or "[2001:db8::1]:80".
func (a *peerAddr) String() string { return netip.AddrPort(*a).String() }
