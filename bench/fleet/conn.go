package fleet

import (
	"bytes"
	"encoding/binary"
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

// conn is one connection.
type conn struct {
	fd      int32
	state   state
	code    uint16 // of the server's close frame
	started int64  // Unix nanoseconds of connect(2)
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

// connect begins connection i.
func (f *Fleet) connect(i int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("fleet: socket: %w", err)
	}
	c := &f.conns[i]
	c.fd, c.state, c.started = int32(fd), stateConnecting, time.Now().UnixNano()
	for fd >= len(f.byFD) {
		f.byFD = append(f.byFD, make([]int32, 1024)...)
	}
	f.byFD[fd] = int32(i) + 1
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // only costs time when it fails
	if f.opt.Source != nil {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // bind picks a port when it fails
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
		return fmt.Errorf("fleet: connect: %w", unix.Errno(errno))
	}
	b := append(f.buf[:0], "GET "...)
	b = append(b, f.opt.Request(i)...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, f.opt.Server.String()...)
	b = append(b, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"...)
	if _, err := unix.Write(int(c.fd), b); err != nil {
		return fmt.Errorf("fleet: send request: %w", err)
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
		c.rest = nil
		n, err := unix.Read(int(c.fd), f.buf[kept:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			f.keep(c, f.buf[:kept])
			return
		case errors.Is(err, unix.EINTR):
			f.keep(c, f.buf[:kept])
			continue
		case err != nil:
			f.end(i, err)
			return
		case n == 0:
			f.end(i, io.EOF)
			return
		}
		data := f.buf[:kept+n]
		rest, err := f.consume(i, data)
		if err != nil {
			f.end(i, err)
			return
		}
		f.keep(c, rest)
		if len(data) < len(f.buf) {
			return
		}
	}
}

func (f *Fleet) keep(c *conn, rest []byte) {
	if len(rest) > 0 {
		c.rest = append([]byte(nil), rest...)
	}
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
		f.handler.Open(i, time.Duration(f.now.UnixNano()-c.started))
	}
	return f.frames(i, data)
}

// Wire layout of a server's frame (RFC 6455 §5.2): as a client's, but never
// masked.
func (f *Fleet) frames(i int, data []byte) ([]byte, error) {
	for len(data) >= 2 && f.conns[i].state == stateOpen {
		head, length := 2, uint64(data[1]&0x7F)
		switch {
		case data[0]&0xF0 != 0x80 || data[1]&0x80 != 0:
			return nil, fmt.Errorf("%w: header %x", ErrProtocol, data[:2])
		case length == 126 && len(data) >= 4:
			head, length = 4, uint64(binary.BigEndian.Uint16(data[2:]))
		case length == 127 && len(data) >= 10:
			head, length = 10, binary.BigEndian.Uint64(data[2:])
		case length >= 126:
			return data, nil
		}
		if uint64(len(data)-head) < length {
			if length > uint64(len(f.buf)-head) {
				return nil, fmt.Errorf("%w: message of %d bytes", ErrProtocol, length)
			}
			return data, nil
		}
		op, payload := data[0]&0x0F, data[head:head+int(length)]
		data = data[head+int(length):]
		if err := f.frame(i, op, payload); err != nil {
			return nil, err
		}
	}
	return data, nil
}

const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA
)

func (f *Fleet) frame(i int, op byte, payload []byte) error {
	switch op {
	case opText, opBinary:
		f.handler.Message(i, payload)
		return nil
	case opPing:
		return f.send(i, opPong, payload)
	case opPong:
		return nil
	case opClose:
		if len(payload) >= 2 {
			f.conns[i].code = binary.BigEndian.Uint16(payload)
		}
		return f.send(i, opClose, payload)
	default:
		return fmt.Errorf("%w: opcode %d", ErrProtocol, op)
	}
}

// Send sends a text message on connection i; it is an error when the socket does
// not take it as a whole, since this client keeps no send queue.
func (f *Fleet) Send(i int, payload []byte) error { return f.send(i, opText, payload) }

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

// Reopen makes a closed connection anew, under its number.
func (f *Fleet) Reopen(i int) {
	f.flying++
	f.conns[i] = conn{}
	if err := f.connect(i); err != nil {
		f.end(i, err)
	}
}

// send writes one masked frame. The masking key is zero, which RFC 6455 §5.3
// would not have in a browser; a server cannot tell.
func (f *Fleet) send(i int, op byte, payload []byte) error {
	c := &f.conns[i]
	if c.state != stateOpen {
		return fmt.Errorf("fleet: connection %d is not open", i)
	}
	var scratch [512]byte
	b := append(scratch[:0], 0x80|op)
	switch n := len(payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n <= 0xFFFF:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(append(b, 0, 0, 0, 0), payload...)
	n, err := unix.Write(int(c.fd), b)
	if err != nil {
		return fmt.Errorf("fleet: send: %w", err)
	}
	if n < len(b) {
		return fmt.Errorf("fleet: the socket took %d of %d bytes", n, len(b))
	}
	return nil
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
