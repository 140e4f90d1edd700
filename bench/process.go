package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what a process has used.
type Usage struct {
	Resident int64         // bytes of resident memory, as /proc/PID/stat has them
	CPU      time.Duration // user and system time since its start, to the nanosecond
	Threads  int
}

// ReadUsage asks the kernel about a running process.
func ReadUsage(pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("bench: usage of process %d: %w", pid, err)
	}
	// The second field is the command in parentheses and may hold anything.
	end := bytes.LastIndexByte(stat, ')')
	fields := bytes.Fields(stat[end+1:])
	if end < 0 || len(fields) < 22 {
		return Usage{}, fmt.Errorf("bench: usage of process %d: cannot read %q", pid, stat)
	}
	// fields[0] is the third field of proc(5): state.
	number := func(field int) int64 {
		n, convErr := strconv.ParseInt(string(fields[field-3]), 10, 64)
		err = errors.Join(err, convErr)
		return n
	}
	u := Usage{Threads: int(number(20)), Resident: number(24) * int64(os.Getpagesize())}
	if err == nil {
		u.CPU, err = processCPU(pid)
	}
	if err != nil {
		return Usage{}, fmt.Errorf("bench: usage of process %d: %w", pid, err)
	}
	return u, nil
}

// cpuClock is CPUCLOCK_SCHED of Linux's include/linux/posix-timers.h: what the
// scheduler counts, where /proc only has hundredths of a second.
const cpuClock = 2

// processCPU reads the CPU-time clock of a process (clock_getcpuclockid(3)).
func processCPU(pid int) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuClock), &ts); err != nil {
		return 0, fmt.Errorf("CPU clock: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}

// ReadResident counts the resident pages of a process one by one, bytes.
// Usage.Resident comes from counters of which each CPU keeps a share to itself,
// and may be off by some hundred kilobytes.
func ReadResident(pid int) (int64, error) {
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, fmt.Errorf("bench: memory of process %d: %w", pid, err)
	}
	for line := range bytes.Lines(rollup) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(string(line), "Rss: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10, nil
		}
	}
	return 0, fmt.Errorf("bench: memory of process %d: no Rss in smaps_rollup", pid)
}
