package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Handler gets what happens to connections, on the goroutine of Run. i is the
// connection's number, from 0 in the order of opening.
type Handler interface {
	// Open is called when the server has accepted the upgrade; took is the time
	// since connect(2).
	Open(i int, took time.Duration)
	// Message gets a text or binary message; payload is only valid during the
	// call.
	Message(i int, payload []byte)
	// Closed is called once when a connection has ended or could not be made:
	// with the code of the server's close frame, or 0 when there was none.
	Closed(i int, code int, err error)
}

// Options describe a fleet.
type Options struct {
	// Server is where to connect.
	Server netip.AddrPort
	// Request returns the path and query for a connection.
	Request func(i int) string
	// InFlight bounds the handshakes under way at once; 0 means 256.
	InFlight int
	// Source returns the address to connect from; nil leaves it to the kernel,
	// which has about 28,000 ports for one destination.
	Source func(i int) netip.Addr
}

// Fleet is a set of client connections. Its methods may only be called by the
// goroutine of Run, that is before Run, from the Handler, or from a function
// given to Do.
type Fleet struct {
	opt     Options
	handler Handler
	epfd    int
	wakefd  int
	conns   []conn
	byFD    []int32 // connection number + 1, by descriptor
	waiting int     // connections that are still to be opened
	next    int     // the next of them
	flying  int     // handshakes under way
	open    int     // upgraded connections
	buf     []byte  // what was read last
	calls   chan func()
	now     time.Time // of the last wake-up
}

// New makes a fleet without connections.
func New(opt Options, h Handler) (*Fleet, error) {
	if opt.InFlight == 0 {
		opt.InFlight = 256
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fleet: epoll: %w", err)
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fleet: eventfd: %w", err)
	}
	err = unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, wakefd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wakefd)})
	if err != nil {
		return nil, fmt.Errorf("fleet: epoll: %w", err)
	}
	return &Fleet{opt: opt, handler: h, epfd: epfd, wakefd: wakefd, buf: make([]byte, 256<<10), calls: make(chan func(), 64)}, nil
}

// Open asks for n more connections; Run makes them as fast as InFlight allows.
func (f *Fleet) Open(n int) {
	f.conns = append(f.conns, make([]conn, n)...)
	f.waiting += n
}

// Len is the number of connections asked for, NumOpen of those that are up.
func (f *Fleet) Len() int     { return len(f.conns) }
func (f *Fleet) NumOpen() int { return f.open }

// Do has call run on the goroutine of Run. It may be called from any goroutine,
// and waits when many calls are queued; after Run has returned it does nothing.
func (f *Fleet) Do(ctx context.Context, call func()) {
	select {
	case f.calls <- call:
	case <-ctx.Done():
		return
	}
	_, _ = unix.Write(f.wakefd, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // it is readable already when this fails
}

// Run works until ctx ends, then closes everything and returns nil.
func (f *Fleet) Run(ctx context.Context) error {
	defer f.shut()
	stop := context.AfterFunc(ctx, func() { f.wake() })
	defer stop()
	events := make([]unix.EpollEvent, 1024)
	for ctx.Err() == nil {
		f.launch()
		n, err := unix.EpollWait(f.epfd, events, 100)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("fleet: epoll: %w", err)
		}
		f.now = time.Now()
		for _, ev := range events[:max(n, 0)] {
			if int(ev.Fd) == f.wakefd {
				f.runCalls()
				continue
			}
			if at := f.byFD[ev.Fd]; at != 0 {
				f.ready(int(at-1), ev.Events)
			}
		}
	}
	return nil
}

func (f *Fleet) wake() {
	_, _ = unix.Write(f.wakefd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
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

// launch starts handshakes up to the limit.
func (f *Fleet) launch() {
	for f.waiting > 0 && f.flying < f.opt.InFlight {
		i := f.next
		f.next++
		f.waiting--
		f.flying++
		if err := f.connect(i); err != nil {
			f.end(i, err)
		}
	}
}

// shut closes what is open, without a word to the server.
func (f *Fleet) shut() {
	for i := range f.conns {
		if c := &f.conns[i]; c.state != stateNew && c.state != stateClosed {
			_ = unix.Close(int(c.fd))
		}
	}
	_ = unix.Close(f.epfd)
	_ = unix.Close(f.wakefd)
}
