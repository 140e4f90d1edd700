package redistest

import (
	"errors"
	"testing"
	"time"
)

// errExited ends the wait for a server that is not coming.
var errExited = errors.New("it has exited")

// Eventually calls check until it returns nil, and fails the test with its last
// error when that takes longer than timeout.
func Eventually(tb testing.TB, timeout time.Duration, check func() error) {
	tb.Helper()
	if err := poll(timeout, check); err != nil {
		tb.Fatalf("not within %v: %v", timeout, err)
	}
}

// poll calls check until it returns nil, and returns its last error when that
// takes longer than timeout.
func poll(timeout time.Duration, check func() error) error {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := check()
		if err == nil || errors.Is(err, errExited) {
			return err
		}
		select {
		case <-deadline.C:
			return err
		case <-tick.C:
		}
	}
}
