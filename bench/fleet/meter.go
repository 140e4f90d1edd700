package fleet

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// Meter tells how hard the event loop has been working, so that a measurement
// that the client itself has slowed down can be thrown away.
type Meter struct {
	Wall time.Duration // since the meter was reset
	Busy time.Duration // of that, not waiting in epoll_wait(2)
	CPU  time.Duration // of the loop's thread
	// Lag holds for each event, in microseconds, the longest that it can have
	// waited for the loop: the time from when the loop last looked for events
	// without finding this one, until it was handled.
	Lag *hdrhistogram.Histogram
}

// lagLimit is the most that Meter.Lag can hold, in microseconds.
const lagLimit = 60_000_000

// meter collects a Meter. It belongs to the goroutine of Run.
type meter struct {
	since   int64 // when it was reset, all times in nanoseconds of Now
	cpu     time.Duration
	waited  int64 // nanoseconds spent in epoll_wait
	looked  int64 // when the last epoll_wait returned that did not find the current events
	woke    int64 // when the last epoll_wait returned
	lag     *hdrhistogram.Histogram
	partial bool // the last epoll_wait filled its list: more may have been ready
}

func newMeter() meter {
	return meter{since: Now(), lag: hdrhistogram.New(1, lagLimit, 2)}
}

// wait notes one epoll_wait, from when to when, and whether its list was full.
func (m *meter) wait(from, to int64, full bool) {
	m.waited += to - from
	switch blocked := to-from > blockedNanos; {
	case blocked:
		m.looked = to // nothing was ready when it was called
	case !m.partial:
		m.looked = m.woke
	}
	m.woke, m.partial = to, full
}

// blockedNanos is longer than an epoll_wait takes that finds events at once.
const blockedNanos = 20_000

// handled notes that an event is being handled now.
func (m *meter) handled(now int64) {
	_ = m.lag.RecordValue(min(max((now-m.looked)/1000, 1), lagLimit)) // it is in range
}

// Meter returns what was measured since the last ResetMeter.
func (f *Fleet) Meter() Meter {
	wall := Now() - f.meter.since
	return Meter{
		Wall: time.Duration(wall),
		Busy: time.Duration(wall - f.meter.waited),
		CPU:  threadCPU() - f.meter.cpu,
		Lag:  f.meter.lag,
	}
}

// ResetMeter begins a new measurement.
func (f *Fleet) ResetMeter() {
	m := &f.meter
	m.since, m.waited, m.cpu = Now(), 0, threadCPU()
	m.lag.Reset()
}

func threadCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		return 0 // Linux has it
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
