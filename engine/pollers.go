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
// and is there when it has closed it. nbio chooses the poller by the number of the
// descriptor, so pairs are made until each poller has had one.
func (e *Engine) awaitPollers() error {
	served := make([]bool, e.cfg.Pollers)
	for left := len(served); left > 0; {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("engine: socket pair: %w", err)
		}
		defer unix.Close(pair[1])
		i := pair[0] % len(served)
		if served[i] {
			defer unix.Close(pair[0]) // kept until the end, so that the next number differs
			continue
		}
		served[i], left = true, left-1
		if err := e.awaitClose(pair[0], pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// awaitClose gives fd to its poller and waits until that has closed it, as it does
// when it sees that far, the other end, is shut down.
func (e *Engine) awaitClose(fd, far int) error {
	if err := unix.Shutdown(far, unix.SHUT_WR); err != nil {
		_ = unix.Close(fd) // nobody's yet
		return fmt.Errorf("engine: shut down a socket pair: %w", err)
	}
	if _, err := e.http.AddConn(newNBConn(fd)); err != nil {
		return fmt.Errorf("engine: add a socket pair: %w", err)
	}
	for {
		if _, err := unix.Read(far, make([]byte, 1)); err != unix.EINTR {
			return nil // EOF: closed
		}
	}
}
