package engine

import (
	"errors"
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
