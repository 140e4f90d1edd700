package engine

import (
	"errors"
	"net"
	"net/netip"
	"reflect"
	"unsafe"

	"github.com/lesismal/nbio"
)

// nbio makes a connection only out of one of package net's, of which it then
// keeps the address objects, 157 bytes a connection. So we fill in its two
// fields that matter, the descriptor and the kind, by their offsets. checkNBConn
// makes sure, through nbio's own methods, that this is still right; the module's
// version is fixed.
var (
	nbFD   = fieldOffset("fd", reflect.Int)
	nbType = fieldOffset("typ", reflect.Int8)
)

// fieldOffset finds a field of nbio.Conn, or returns ^0.
func fieldOffset(name string, kind reflect.Kind) uintptr {
	f, ok := reflect.TypeFor[nbio.Conn]().FieldByName(name)
	if !ok || f.Type.Kind() != kind {
		return ^uintptr(0)
	}
	return f.Offset
}

// checkNBConn reports whether newNBConn makes what nbio takes for a TCP
// connection.
func checkNBConn() error {
	const fd = 12345 // never used as one
	if nbFD == ^uintptr(0) || nbType == ^uintptr(0) {
		return errors.New("engine: this version of nbio lays out its connections differently")
	}
	if nb := newNBConn(fd); nb.Hash() != fd || !nb.IsTCP() {
		return errors.New("engine: this version of nbio does not know the connections made for it")
	}
	return nil
}

// newNBConn makes the nbio connection of an accepted, non-blocking TCP socket.
func newNBConn(fd int) *nbio.Conn {
	nb := new(nbio.Conn)
	*(*int)(unsafe.Add(unsafe.Pointer(nb), nbFD)) = fd
	*(*nbio.ConnType)(unsafe.Add(unsafe.Pointer(nb), nbType)) = nbio.ConnTypeTCP
	return nb
}

// httpConn is a connection until it is upgraded: nbhttp asks it for the peer's
// address, which nb does not keep.
type httpConn struct {
	*nbio.Conn
	from netip.AddrPort
}

// RemoteAddr is the peer's address. nbhttp asks for every request, only to have it
// as a string.
func (c *httpConn) RemoteAddr() net.Addr { return (*peerAddr)(&c.from) }

// peerAddr is an address and port as package net wants it.
type peerAddr netip.AddrPort

// Network implements net.Addr.
func (*peerAddr) Network() string { return "tcp" }

// String implements net.Addr: "192.0.2.1:25" or "[2001:db8::1]:80".
func (a *peerAddr) String() string { return netip.AddrPort(*a).String() }
