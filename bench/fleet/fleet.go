package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Handler gets what happens to connections, on the goroutine of Run. i is the
// connection's number, from 0 in the order of opening.
type Handler interface {
	// Open is called when the server has accepted the upgrade; took is the time
	// since the connection was meant to begin (Options.Rate).
	Open(i int, took time.Duration)
	// Message gets a text or binary message; payload is only valid during the
	// call. ReadAt tells when it was read.
	Message(i int, payload []byte)
	// Closed is called once when a connection has ended or could not be made:
	// with the code of the server's close frame, or 0 when there was none.
	Closed(i int, code int, err error)
}

// CloseHandler is a Handler that wants to know what a close frame says.
type CloseHandler interface {
	Handler
	// Closing is called when the server's close frame arrives, before Closed; reason
	// is only valid during the call.
	Closing(i int, code int, reason []byte)
}

// Options describe a fleet.
type Options struct {
	// Server is where to connect.
	Server netip.AddrPort
	// Request returns the path and query for a connection.
	Request func(i int) string
	// InFlight bounds the handshakes under way at once; 0 means 256.
	InFlight int
	// Rate is how many connections begin in a second, evenly spaced, whether the
	// server keeps up or not (until InFlight); 0 begins one when another is done.
	Rate float64
	// Source returns the address to connect from; nil leaves it to the kernel,
	// which has about 28,000 ports for one destination.
	Source func(i int) netip.Addr
	// ReceiveBuffer and SendBuffer set SO_RCVBUF and SO_SNDBUF; 0 leaves them to
	// the kernel.
	ReceiveBuffer, SendBuffer int
	// Tick, when given, is called by the loop whenever it wakes, with Now, and
	// returns when it is to be called at the latest; 0 means any time will do.
	Tick func(now int64) int64
}

// Fleet is a set of client connections. Its methods may only be called by the
// goroutine of Run, that is before Run, from the Handler, or from a function
// given to Do.
type Fleet struct {
	opt     Options
	host    string // of the requests
	handler Handler
	closing CloseHandler // handler, if it is one
	epfd    int
	wakefd  int
	timerfd int
	conns   []conn
	byFD    []int32 // connection number + 1, by descriptor
	fresh   int     // connections that were never made yet
	next    int     // the first of them
	planned int     // connections begun since epoch
	epoch   int64   // when the rate began to count
	again   []int32 // connections to be made anew
	flying  int     // handshakes under way
	open    int     // upgraded connections
	buf     []byte  // what was read last
	out     []byte  // what was sent last
	calls   chan func()
	now     int64 // when buf was read
	alarm   int64 // what timerfd is set to
	meter   meter

	mu    sync.Mutex // guards wakefd against a write after its close
	ended chan struct{}
}

// New makes a fleet without connections.
func New(opt Options, h Handler) (*Fleet, error) {
	if opt.InFlight == 0 {
		opt.InFlight = 256
	}
	f := &Fleet{
		opt: opt, host: opt.Server.String(), handler: h,
		buf: make([]byte, 256<<10), calls: make(chan func(), 64), meter: newMeter(),
		ended: make(chan struct{}),
	}
	f.closing, _ = h.(CloseHandler)
	var errs [3]error
	f.epfd, errs[0] = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	f.wakefd, errs[1] = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	f.timerfd, errs[2] = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	for _, fd := range []int{f.wakefd, f.timerfd} {
		if err := unix.EpollCtl(f.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return nil, fmt.Errorf("fleet: epoll: %w", err)
		}
	}
	return f, nil
}

// Len is the number of connections asked for.
func (f *Fleet) Len() int { return len(f.conns) }

// NumOpen is the number of connections that are up.
func (f *Fleet) NumOpen() int { return f.open }

// ReadAt returns when the bytes were read that are being handled, as Now tells
// it.
func (f *Fleet) ReadAt() int64 { return f.now }

// Do has call run on the goroutine of Run. It may be called from any goroutine,
// and waits when many calls are queued; after Run has returned it does nothing.
func (f *Fleet) Do(ctx context.Context, call func()) {
	select {
	case f.calls <- call:
		f.wake()
	case <-f.ended:
	case <-ctx.Done():
	}
}

// maxWait is how long the loop sleeps at most, in milliseconds.
const maxWait = 100

// Run works until ctx ends, then closes everything and returns nil.
func (f *Fleet) Run(ctx context.Context) error {
	runtime.LockOSThread() // the meter reads the thread's time
	defer runtime.UnlockOSThread()
	defer f.shut()
	stop := context.AfterFunc(ctx, f.wake)
	defer stop()
	f.ResetMeter()
	events := make([]unix.EpollEvent, 4096)
	for ctx.Err() == nil {
		if err := f.plan(); err != nil {
			return err
		}
		from := Now()
		n, err := unix.EpollWait(f.epfd, events, maxWait)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("fleet: epoll: %w", err)
		}
		f.now = Now()
		f.meter.wait(from, f.now, n == len(events))
		for _, ev := range events[:max(n, 0)] {
			f.dispatch(ev)
		}
	}
	return nil
}

func (f *Fleet) dispatch(ev unix.EpollEvent) {
	switch int(ev.Fd) {
	case f.wakefd:
		f.runCalls()
	case f.timerfd:
		var expirations [8]byte
		_, _ = unix.Read(f.timerfd, expirations[:]) // it only has to become unreadable
		f.alarm = 0
	default:
		if at := f.byFD[ev.Fd]; at != 0 {
			f.ready(int(at-1), ev.Events)
		}
	}
}

// plan does what is due by the clock and sets the timer for what is due next.
func (f *Fleet) plan() error {
	f.launch()
	var next int64
	if f.fresh > 0 && f.flying < f.opt.InFlight {
		next = f.due()
	}
	if f.opt.Tick != nil {
		if t := f.opt.Tick(Now()); t != 0 && (next == 0 || t < next) {
			next = t
		}
	}
	if next == 0 || next == f.alarm {
		return nil
	}
	f.alarm = next
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(next)}
	if err := unix.TimerfdSettime(f.timerfd, unix.TFD_TIMER_ABSTIME, &at, nil); err != nil {
		return fmt.Errorf("fleet: timer: %w", err)
	}
	return nil
}

func (f *Fleet) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.ended:
		return
	default:
	}
	_, _ = unix.Write(f.wakefd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // it is readable already when this fails
}

func (f *Fleet) runCalls() {
	var drain [8]byte
	_, _ = unix.Read(f.wakefd, drain[:])
	for {
		select {
		case call := <-f.calls:
			call()
		default:
			return
		}
	}
}

// shut closes what is open, without a word to the server.
func (f *Fleet) shut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.ended)
	for i := range f.conns {
		if c := &f.conns[i]; c.state != stateNew && c.state != stateClosed {
			_ = unix.Close(int(c.fd))
		}
	}
	for _, fd := range []int{f.epfd, f.wakefd, f.timerfd} {
		_ = unix.Close(fd)
	}
}
