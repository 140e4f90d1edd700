package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// clockTick is the unit of times in /proc (USER_HZ), 100 a second on Linux.
const clockTick = 10 * time.Millisecond

// Usage is what a process has used, as /proc/PID tells it (proc(5)).
type Usage struct {
	Resident int64         // bytes of resident memory
	CPU      time.Duration // user and system time since its start
	Threads  int
}

// ReadUsage reads /proc of a running process.
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
	u := Usage{
		CPU:      time.Duration(number(14)+number(15)) * clockTick,
		Threads:  int(number(20)),
		Resident: number(24) * int64(os.Getpagesize()),
	}
	if err != nil {
		return Usage{}, fmt.Errorf("bench: usage of process %d: %w", pid, err)
	}
	return u, nil
}
