package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

type state uint8

const (
	stateNew        state = iota
	stateConnecting       // connect(2) is under way
	stateHandshake        // the request was sent
	stateOpen
	stateClosed
)

// conn is one connection. There are up to a million on a machine.
type conn struct {
	fd      int32
	state   state
	code    uint16 // of the server's close frame
	started int64  // when it was meant to begin, in nanoseconds of Now
	rest    []byte // an incomplete response or frame
}

// Errors given to Handler.Closed.
var (
	// ErrRefused is returned when the server answered the handshake with
	// something else than 101.
	ErrRefused = errors.New("fleet: handshake refused")
	// ErrProtocol is returned when the server sent a frame that it must not, or
	// that this client does not take.
	ErrProtocol = errors.New("fleet: unexpected frame")
)

// connect begins connection i, which was meant to begin at started.
func (f *Fleet) connect(i int, started int64) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("fleet: socket: %w", err)
	}
	c := &f.conns[i]
	c.fd, c.state, c.started = int32(fd), stateConnecting, started
	for fd >= len(f.byFD) {
		f.byFD = append(f.byFD, make([]int32, 1024)...)
	}
	f.byFD[fd] = int32(i) + 1
	f.tune(fd)
	if f.opt.Source != nil {
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: f.opt.Source(i).As4()}); err != nil {
			return fmt.Errorf("fleet: bind: %w", err)
		}
	}
	to := &unix.SockaddrInet4{Port: int(f.opt.Server.Port()), Addr: f.opt.Server.Addr().As4()}
	if err := unix.Connect(fd, to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("fleet: connect: %w", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLOUT | unix.EPOLLRDHUP, Fd: int32(fd)}
	if err := unix.EpollCtl(f.epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("fleet: epoll: %w", err)
	}
	return nil
}

// tune sets the options of a new socket. None of them is worth failing for.
func (f *Fleet) tune(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if f.opt.Source != nil {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // connect picks the port
	}
	if f.opt.ReceiveBuffer > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, f.opt.ReceiveBuffer)
	}
	if f.opt.SendBuffer > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, f.opt.SendBuffer)
	}
}

// ready acts on an epoll event of connection i.
func (f *Fleet) ready(i int, events uint32) {
	c := &f.conns[i]
	if c.state == stateConnecting {
		if err := f.request(i); err != nil {
			f.end(i, err)
		}
		return
	}
	if events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP|unix.EPOLLRDHUP) != 0 {
		f.read(i)
	}
}

// request sends the upgrade request once connect(2) is done.
func (f *Fleet) request(i int) error {
	c := &f.conns[i]
	if errno, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR); err != nil || errno != 0 {
		return fmt.Errorf("fleet: connect: %w", errors.Join(err, unix.Errno(errno)))
	}
	b := append(f.out[:0], "GET "...)
	b = append(b, f.opt.Request(i)...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, f.host...)
	b = append(b, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"...)
	f.out = b
	if n, errno := write(c.fd, b); errno != 0 || n < len(b) {
		return fmt.Errorf("fleet: send request: %d of %d bytes: %w", n, len(b), errno)
	}
	c.state = stateHandshake
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: c.fd}
	return unix.EpollCtl(f.epfd, unix.EPOLL_CTL_MOD, int(c.fd), &ev)
}

// read takes everything that has arrived on connection i.
func (f *Fleet) read(i int) {
	c := &f.conns[i]
	for c.state != stateClosed {
		kept := copy(f.buf, c.rest)
		n, errno := read(c.fd, f.buf[kept:])
		f.now = Now()
		switch {
		case errno == unix.EAGAIN:
			return
		case errno == unix.EINTR:
			continue
		case errno != 0:
			f.end(i, errno)
			return
		case n == 0:
			f.end(i, io.EOF)
			return
		}
		f.meter.handled(f.now)
		data := f.buf[:kept+n]
		rest, err := f.consume(i, data)
		if err != nil {
			f.end(i, err)
			return
		}
		c.rest = keep(rest)
		if len(data) < len(f.buf) {
			return
		}
	}
}

// keep copies what is left of the shared buffer.
func keep(rest []byte) []byte {
	if len(rest) == 0 {
		return nil
	}
	return append([]byte(nil), rest...)
}

// consume handles complete responses and frames and returns what is left.
func (f *Fleet) consume(i int, data []byte) ([]byte, error) {
	c := &f.conns[i]
	if c.state == stateHandshake {
		end := bytes.Index(data, []byte("\r\n\r\n"))
		if end < 0 {
			return data, nil
		}
		if !bytes.HasPrefix(data, []byte("HTTP/1.1 101 ")) {
			line, _, _ := bytes.Cut(data, []byte("\r\n"))
			return nil, fmt.Errorf("%w: %s", ErrRefused, strconv.QuoteToASCII(string(line)))
		}
		data = data[end+4:]
		c.state = stateOpen
		f.flying--
		f.open++
		f.handler.Open(i, time.Duration(f.now-c.started))
	}
	return f.frames(i, data)
}

// Hush stops reading from connection i, or goes on with it: a client that has no
// time. An end that the kernel reports by itself (RST) is still noticed.
func (f *Fleet) Hush(i int, hushed bool) error {
	c := &f.conns[i]
	if c.state != stateOpen {
		return fmt.Errorf("fleet: connection %d is not open", i)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: c.fd}
	if hushed {
		ev.Events = 0
	}
	if err := unix.EpollCtl(f.epfd, unix.EPOLL_CTL_MOD, int(c.fd), &ev); err != nil {
		return fmt.Errorf("fleet: epoll: %w", err)
	}
	return nil
}

// Started returns when connection i was meant to begin, in nanoseconds of Now.
func (f *Fleet) Started(i int) int64 { return f.conns[i].started }

// Cut ends connection i without a close frame; with reset the kernel sends RST.
// Handler.Closed is not called.
func (f *Fleet) Cut(i int, reset bool) {
	c := &f.conns[i]
	if c.state == stateNew || c.state == stateClosed {
		return
	}
	if reset {
		_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // then it ends with FIN
	}
	f.drop(c)
}

// end closes connection i and tells the handler.
func (f *Fleet) end(i int, err error) {
	c := &f.conns[i]
	if c.state == stateClosed {
		return
	}
	code := int(c.code)
	f.drop(c)
	f.handler.Closed(i, code, err)
}

func (f *Fleet) drop(c *conn) {
	switch c.state {
	case stateOpen:
		f.open--
	case stateClosed:
		return
	default:
		f.flying--
	}
	if c.state != stateNew {
		f.byFD[c.fd] = 0
		_ = unix.Close(int(c.fd))
	}
	c.state, c.rest = stateClosed, nil
}
