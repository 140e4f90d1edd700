package redistest

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
)

// longerLives are the lives that InTime gives a test in turn, as multiples of
// the shortest.
var longerLives = []time.Duration{1, 4, 16}

// InTime runs a test whose premise is that the machine gets somewhere before a
// time that the test itself sets: that a request is sent before its token
// expires, or a client is back before its grace ends. A machine that is slow, or
// stands still for a while, breaks the premise and shows nothing about what is
// tested. So try tells its Attempt by when it must have got where (By) and that
// it has (InTime); when it was late, all of it runs again with a life several
// times as long, and only a failure with the longest life counts.
//
// What fails in time, and what fails once InTime has been called, fails the test
// at once.
func InTime(tb testing.TB, shortest time.Duration, try func(a *Attempt, life time.Duration)) {
	tb.Helper()
	for i, factor := range longerLives {
		a := &Attempt{TB: tb, last: i == len(longerLives)-1}
		life := shortest * factor
		a.By(time.Now().Add(life))
		done := make(chan struct{})
		go func() { // of its own, so that FailNow ends it and not the test
			defer close(done)
			try(a, life)
		}()
		<-done
		if tb.Failed() {
			tb.FailNow()
		}
		why := a.over()
		if why == "" {
			return
		}
		tb.Logf("a life of %v was too short, %s; again with a longer one", life, why)
	}
}

// Attempt is a testing.TB for one run of a test that InTime repeats. Its
// failures are the test's, unless its time is over. Its methods may be called by
// any goroutine.
type Attempt struct {
	testing.TB
	last bool // there is no longer life

	mu       sync.Mutex
	deadline time.Time // zero once the premise has held; guarded by mu
	late     string    // why the attempt does not count; guarded by mu
}

// By sets the time before which InTime must be called; it is the end of the life
// that try was given unless By is called.
func (a *Attempt) By(deadline time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deadline = deadline
}

// InTime says that the premise has held, if the time is not over. It does not
// return when it is.
func (a *Attempt) InTime() {
	a.Helper()
	if a.excuses("the test was late") {
		runtime.Goexit()
	}
	a.mu.Lock()
	tooLate := !a.deadline.IsZero() && !time.Now().Before(a.deadline)
	if !tooLate {
		a.deadline = time.Time{}
	}
	a.mu.Unlock()
	if tooLate {
		a.Fatalf("the test was late with the longest life too")
	}
}

// excuses reports whether a failure is none because the time is over.
func (a *Attempt) excuses(failure string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last || a.deadline.IsZero() || time.Now().Before(a.deadline) {
		return false
	}
	if a.late == "" {
		a.late = failure
	}
	return true
}

// over reports why the attempt does not count, once it has ended.
func (a *Attempt) over() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.late
}

// Errorf is testing.TB's.
func (a *Attempt) Errorf(format string, args ...any) {
	a.Helper()
	if text := fmt.Sprintf(format, args...); !a.excuses(text) {
		a.TB.Errorf("%s", text)
	}
}

// Error is testing.TB's.
func (a *Attempt) Error(args ...any) {
	a.Helper()
	a.Errorf("%s", fmt.Sprint(args...))
}

// Fail is testing.TB's.
func (a *Attempt) Fail() {
	a.Helper()
	a.Errorf("failed")
}

// Fatalf is testing.TB's.
func (a *Attempt) Fatalf(format string, args ...any) {
	a.Helper()
	a.Errorf(format, args...)
	runtime.Goexit()
}

// Fatal is testing.TB's.
func (a *Attempt) Fatal(args ...any) {
	a.Helper()
	a.Fatalf("%s", fmt.Sprint(args...))
}

// FailNow is testing.TB's.
func (a *Attempt) FailNow() {
	a.Helper()
	a.Fatalf("failed")
}
