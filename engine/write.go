package engine

import (
	"errors"
	"sync"
	"unsafe"

	"github.com/lesismal/nbio"
	"golang.org/x/sys/unix"
)

// This file holds every path on which bytes leave a connection. nbio's own
// Write closes the descriptor on the goroutine that meets a write error; then a
// poller may hold an old event for a number that a new connection has got (see
// doc.go). So we write ourselves, under nbio's connection lock and with its
// closed flag checked: nbio sets that flag under the same lock before it closes
// the descriptor, hence a number written here belongs to this connection. After
// a write error the socket is shut down, epoll reports it, and the poller that
// owns the connection closes it.
//
// Only what the socket does not take of a frame is given to nbio.Write, which keeps
// it and flushes it from the poller when the socket is writable again; the frames
// behind it wait in the backlog (see pump.go). nbio tries the
// socket once more before that, and still closes the descriptor itself when the
// peer has reset it in the microsecond since our own try. The churn tests count
// what that costs: nothing that could be measured.

// Send writes one frame, or what it joins, in one piece.
//
// When the peer does not keep up, the frame waits, and those whose class allows it
// may be dropped for others (see Class). It returns ErrClosed when the connection
// is closing or gone, and ErrSlow, after Handler.OnSlow was called, when there is
// no room for what must arrive.
func (c *Conn) Send(f *Frame) error {
	one := [1]*Frame{f}
	return c.told(c.sendFrames(c.wire(f), one[:]))
}

// wire returns the form of f that this connection gets.
func (c *Conn) wire(f *Frame) []byte { return c.form(f, c.deflates(f)) }

// deflates reports whether f goes out compressed, all that it joins alike.
func (c *Conn) deflates(f *Frame) bool {
	return c.has(flagDeflate) && f.class != classOwn && (f.longest <= 1<<c.windowBits || c.windowBits == maxWindowBits)
}

func (c *Conn) form(f *Frame, deflated bool) []byte {
	if deflated {
		return f.compressed(c.ep.engine.deflater)
	}
	return f.plain
}

// SendAll writes several frames with one write; scratch is used to put them
// together and is returned, grown, for the next call.
func (c *Conn) SendAll(frames []*Frame, scratch []byte) ([]byte, error) {
	scratch = scratch[:0]
	for _, f := range frames {
		scratch = append(scratch, c.wire(f)...)
	}
	return scratch, c.told(c.sendFrames(scratch, frames))
}

// Replay is SendAll for what the peer has asked for and needs not have read
// before more comes: until it has read all that waits, Limits.ReplayBytes more
// may wait.
func (c *Conn) Replay(frames []*Frame, scratch []byte) ([]byte, error) {
	c.flags.Or(flagReplay)
	return c.SendAll(frames, scratch)
}

// CaughtUp reports whether nothing waits for the peer. If something does,
// Handler.OnCaughtUp is called when nothing does any more, unless the connection
// ends before: so what is too much to wait all at once can be sent part by part.
func (c *Conn) CaughtUp() bool {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.respond() != nil {
		return false
	}
	// Who has written the last byte counts it first and then looks at the flag: one
	// of us sees the other, and who takes the flag away tells.
	c.flags.Or(flagTells)
	return !c.waits() && c.flags.And(^uint32(flagTells))&flagTells != 0
}

// SendText encodes and writes one text message to this connection alone,
// uncompressed. It keeps nothing of payload.
func (c *Conn) SendText(payload []byte) error {
	buf := encodePool.Get().(*[]byte)
	defer encodePool.Put(buf)
	*buf = append(appendHeader((*buf)[:0], OpText, false, len(payload)), payload...)
	err := c.told(c.sendOwn(*buf))
	if cap(*buf) > 1<<16 {
		*buf = nil
	}
	return err
}

var encodePool = sync.Pool{New: func() any { return new([]byte) }}

// told tells the handler, once, that the peer is too slow.
func (c *Conn) told(err error) error {
	if errors.Is(err, ErrSlow) && c.set(flagSlow) {
		c.handler.OnSlow()
	}
	return err
}

// sendFrames writes b, which is the frames as they go on the wire, or has the
// frames wait.
func (c *Conn) sendFrames(b []byte, frames []*Frame) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	err := c.respond()
	switch {
	case err != nil, c.has(flagCloseSent):
		c.tell(frames, FateGone)
		return ErrClosed
	case c.waits():
		return c.queue(frames)
	}
	n, err := c.writeSocket(b, fanOut)
	if err != nil {
		c.tell(frames, FateGone)
		return ErrClosed
	}
	c.ep.engine.stats.sent(n)
	if n < len(b) {
		return c.keep(frames, n)
	}
	c.tell(frames, FateWritten)
	c.flags.And(^uint32(flagReplay))
	return nil
}

// sendOwn writes b, which is for this peer alone, or has a copy of it wait.
func (c *Conn) sendOwn(b []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	switch {
	case c.has(flagCloseSent):
		return ErrClosed
	case c.has(flagHeld):
		if err := c.queueOwn(b, false); err != nil {
			return err
		}
		return c.respond()
	case c.waits():
		return c.queueOwn(b, false)
	default:
		return c.writeLocked(b)
	}
}

// waits reports whether something waits for the peer. The caller holds wmu.
func (c *Conn) waits() bool { return c.behind != nil || c.pending.Load() > 0 }

// waiting is how many bytes wait for the peer. The caller holds wmu.
func (c *Conn) waiting() int {
	if c.behind != nil {
		return c.behind.waiting()
	}
	return int(c.pending.Load())
}

// writeLimit is how many bytes may wait for the peer.
func (c *Conn) writeLimit() int {
	if c.has(flagReplay) {
		return c.ep.limits.WriteBufferBytes + c.ep.limits.ReplayBytes
	}
	return c.ep.limits.WriteBufferBytes
}

// writeLocked sends b at once, or gives nbio what the socket does not take. Frames
// of the protocol itself come here directly: they are exempt from the limit, and
// go in front of the backlog. The caller holds wmu.
func (c *Conn) writeLocked(b []byte) error {
	if err := c.respond(); err != nil {
		return err
	}
	n := 0
	if c.pending.Load() == 0 {
		var err error
		if n, err = c.writeSocket(b, single); err != nil {
			return ErrClosed
		}
	}
	c.ep.engine.stats.sent(n)
	if n == len(b) {
		return nil
	}
	return c.leaveToNbio(b[n:])
}

// leaveToNbio has b, which the socket did not take, sent by nbio when the socket
// is writable. The caller holds wmu.
func (c *Conn) leaveToNbio(b []byte) error {
	c.ep.engine.stats.bytesOut.Add(uint64(len(b)))
	c.addPending(len(b))
	if _, err := c.nb.Write(b); err != nil {
		return ErrClosed // what is pending is written off when the close is reported
	}
	return nil
}

// addPending counts bytes that wait for the peer, in the connection and in sum.
func (c *Conn) addPending(n int) (pending int32) {
	c.ep.engine.stats.pending.Add(int64(n))
	return c.pending.Add(int32(n))
}

// writeSocket makes one write(2) and returns how much the socket took; a full
// socket takes 0 bytes and is no error.
func (c *Conn) writeSocket(b []byte, by writer) (n int, err error) {
	if !lockOpen(c.nb) {
		return 0, ErrClosed
	}
	defer c.nb.Unlock()
	for {
		if by == fanOut {
			n, err = writeNow(c.nb.Hash(), b)
		} else {
			n, err = unix.Write(c.nb.Hash(), b)
		}
		switch err {
		case nil:
			return n, nil
		case unix.EINTR: //nolint:errorlint // a system call wraps nothing
			continue
		case unix.EAGAIN:
			return 0, nil
		default:
			_ = unix.Shutdown(c.nb.Hash(), unix.SHUT_RDWR) // fails when the peer has reset it
			return 0, err
		}
	}
}

// writer is who writes to a socket.
type writer bool

const (
	// single writes tell Go's scheduler, as all system calls do. It uses the time of the
	// many in a storm of connects for collecting garbage: without them 15,000 idle
	// connections took 1,290 bytes each in place of 980.
	single writer = false
	// fanOut is a worker that writes to one connection after the other: see writeNow.
	fanOut writer = true
)

// writeNow is write(2) on a non-blocking socket, without telling Go's scheduler: the call
// is over in microseconds. Were the scheduler told, its monitor would wake every 20 µs
// to look for threads that block, and take the processor away from a worker in the
// middle of a fan-out.
func writeNow(fd int, b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	r, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// lockOpen takes nbio's lock of a connection that is still open; its descriptor
// number stays its own until the lock is released.
func lockOpen(nb *nbio.Conn) bool {
	nb.Lock()
	if closed, _ := nb.IsClosed(); closed {
		nb.Unlock()
		return false
	}
	return true
}

// onWritten is nbio's report, under its connection lock, of bytes that it has
// written by itself. Behind the last byte of a finished connection our half of
// the stream ends.
func onWritten(nb *nbio.Conn, _ []byte, n int) {
	t, ok := nb.Session().(*takeover)
	if !ok {
		return
	}
	c := (*Conn)(t)
	if c.addPending(-n) != 0 {
		return
	}
	if c.has(flagBehind) {
		c.ep.engine.call(c)
		return
	}
	c.caughtUp(func() { _ = unix.Shutdown(nb.Hash(), unix.SHUT_WR) })
}

// shutdown ends our half of the stream, or both halves: then the poller sees
// the end and closes the descriptor.
func (c *Conn) shutdown(both bool) { shutdownSocket(c.nb, both) }

func shutdownSocket(nb *nbio.Conn, both bool) {
	if !lockOpen(nb) {
		return
	}
	defer nb.Unlock()
	how := unix.SHUT_WR
	if both {
		how = unix.SHUT_RDWR
	}
	_ = unix.Shutdown(nb.Hash(), how) // fails only when it has been shut down before
}
