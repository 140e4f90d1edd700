package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

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
		fd, sa, err := unix.Accept4(l.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case err == nil:
			return fd, addrPort(sa), nil
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

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	default:
		return netip.AddrPort{}
	}
}
