package engine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// awaitPollers returns when every poller is in its loop. Until then nbio's Stop
// has no lasting effect on a poller: the loop begins by saying that it is not
// stopped, and then it would spin and never end. Called before anything is
// accepted.
//
// Each poller is given one end of a pair of sockets whose other end is shut down,
// and is there when it has closed it.
func (e *Engine) awaitPollers() error {
	for i := range e.cfg.Pollers {
		if err := e.awaitPoller(i); err != nil {
			return fmt.Errorf("engine: wait for poller %d: %w", i, err)
		}
	}
	return nil
}

func (e *Engine) awaitPoller(i int) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	far := pair[1]
	defer unix.Close(far)
	near, err := e.numberFor(i, pair[0])
	_ = unix.Close(pair[0]) // near is another name of it
	if err != nil {
		return err
	}
	if err := unix.Shutdown(far, unix.SHUT_WR); err != nil {
		_ = unix.Close(near) // nobody's yet
		return err
	}
	if _, err := e.http.AddConn(newNBConn(near)); err != nil {
		return err
	}
	for {
		if _, err := unix.Read(far, make([]byte, 1)); err != unix.EINTR {
			return nil // EOF: closed
		}
	}
}

// numberFor duplicates fd to a number that nbio gives to poller i: it takes the
// remainder by the number of pollers.
func (e *Engine) numberFor(i, fd int) (int, error) {
	for least := fd; ; least++ {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, least)
		if err != nil {
			return 0, err
		}
		if n%e.cfg.Pollers == i {
			return n, nil
		}
		_ = unix.Close(n) // a wrong number, and nobody's
	}
}
