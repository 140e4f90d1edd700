package fleet

import (
	"time"

	"golang.org/x/sys/unix"
)

// origin ties Go's monotonic clock, which is cheap to read, to the kernel's,
// which all processes of a machine share.
var origin = struct {
	at    time.Time
	nanos int64
}{time.Now(), kernelMonotonic()}

func kernelMonotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("fleet: no monotonic clock: " + err.Error()) // Linux has one
	}
	return ts.Nano()
}

// Now returns CLOCK_MONOTONIC in nanoseconds. A time taken in one process can
// be compared with one taken in another on the same machine.
func Now() int64 { return origin.nanos + int64(time.Since(origin.at)) }
