package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// listener is a listening TCP socket whose connections never pass through Go's
// own network poller: accept(2) gives a descriptor that goes straight to nbio's
// epoll. It spares each connection the registration with Go's poller, a dup(2),
// a close(2), and the objects that package net keeps for it.
type listener struct {
	file *os.File
	fd   int // of file, in blocking mode
	addr net.Addr
	stop sync.Once

	// peer is where accept4 puts the address; owned by the goroutine that calls accept.
	peer    unix.RawSockaddrAny
	peerLen uint32
}

// openListener binds addr as net.Listen does, host names and both IP versions
// included.
func openListener(ctx context.Context, addr string) (*listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer ln.Close() // the duplicate below stays open
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("%T is not a TCP listener", ln)
	}
	file, err := tcp.File()
	if err != nil {
		return nil, err
	}
	l := &listener{file: file, fd: int(file.Fd()), addr: ln.Addr()} // Fd sets blocking mode
	// Accepted sockets inherit it. TCP keep-alive stays off: the WebSocket
	// heartbeat does its work.
	if err := unix.SetsockoptInt(l.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

// errListenerClosed ends the accept loop.
var errListenerClosed = errors.New("engine: listener closed")

// accept waits for a connection and returns its non-blocking descriptor. It
// returns errListenerClosed after close, and other errors for a failure that may
// pass. Called by one goroutine.
func (l *listener) accept() (fd int, from netip.AddrPort, err error) {
	for {
		fd, err := l.accept4()
		switch {
		case err == nil:
			return fd, addrPort(&l.peer), nil
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EBADF):
			return 0, netip.AddrPort{}, errListenerClosed
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
			continue // a client that did not wait
		default:
			return 0, netip.AddrPort{}, err
		}
	}
}

// close ends listening and wakes accept; it may be called more than once.
func (l *listener) close() {
	l.stop.Do(func() { _ = unix.Shutdown(l.fd, unix.SHUT_RDWR) }) // the only one, so it does not fail
}

// free releases the descriptor, once accept is not called any more.
func (l *listener) free() {
	l.close()
	_ = l.file.Close() // nothing was written to it
}

// accept4 is accept4(2). That of package unix allocates two addresses for each
// connection.
func (l *listener) accept4() (fd int, err error) {
	l.peerLen = unix.SizeofSockaddrAny
	r, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(l.fd),
		uintptr(unsafe.Pointer(&l.peer)), uintptr(unsafe.Pointer(&l.peerLen)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// addrPort reads what accept4(2) has written.
func addrPort(sa *unix.RawSockaddrAny) netip.AddrPort {
	port := func(p *uint16) uint16 { // in the network's order
		b := (*[2]byte)(unsafe.Pointer(p))
		return uint16(b[0])<<8 | uint16(b[1])
	}
	switch sa.Addr.Family {
	case unix.AF_INET:
		in4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), port(&in4.Port))
	case unix.AF_INET6:
		in6 := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom16(in6.Addr).Unmap(), port(&in6.Port))
	default:
		return netip.AddrPort{}
	}
}
