package bench

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ginforge/gateway/bench/fleet"
)

// snapshot is what the server, the kernel and the machine have used at one
// moment.
type snapshot struct {
	at        int64 // fleet.Now
	usage     Usage // of the servers
	resident  int64
	redis     time.Duration // CPU of Redis
	ours      time.Duration // CPU of everything that belongs to the measurement
	machine   time.Duration // CPU of everything
	available int64         // bytes of memory that the machine has left
	kernel    Kernel
}

// snapshot reads what it can; a server on another machine shows nothing.
func (s *Stage) snapshot() (now snapshot, err error) {
	var errs [5]error
	now.usage, now.resident, errs[0] = readNodes(s.Nodes)
	if s.RedisPID != 0 {
		now.redis, errs[1] = processCPU(s.RedisPID)
	}
	now.machine, errs[2] = machineCPU()
	now.ours = now.usage.CPU + now.redis + s.ownCPU()
	now.kernel, errs[3] = ReadKernel()
	now.available, errs[4] = available()
	now.at = fleet.Now()
	return now, errors.Join(errs[:]...)
}

// readNodes sums up what servers use. Pages that several processes share, such as
// those of their program, count in each.
func readNodes(nodes []Target) (sum Usage, resident int64, err error) {
	for _, n := range nodes {
		if n.PID() == 0 {
			continue
		}
		u, errUsage := ReadUsage(n.PID())
		r, errResident := ReadResident(n.PID())
		if err := errors.Join(errUsage, errResident); err != nil {
			return Usage{}, 0, err
		}
		sum.CPU += u.CPU
		sum.Resident += u.Resident
		sum.Threads += u.Threads
		resident += r
	}
	return sum, resident, nil
}

// available is the memory that the machine has left.
func available() (bytes int64, err error) {
	err = scanLines("/proc/meminfo", func(line string) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kilobytes); n == 1 {
			bytes = kilobytes << 10
		}
	})
	return bytes, err
}

// ownCPU is the time of the harness: this process and its workers.
func (s *Stage) ownCPU() time.Duration {
	pids := map[int]bool{os.Getpid(): true}
	if s.crew != nil {
		for _, pid := range s.crew.PIDs() {
			pids[pid] = true
		}
	}
	var sum time.Duration
	for pid := range pids {
		cpu, _ := processCPU(pid) // a worker that has ended is told of elsewhere
		sum += cpu
	}
	return sum
}

// clockTick is the unit of times in /proc/stat (USER_HZ), 100 a second on Linux.
const clockTick = 10 * time.Millisecond

// machineCPU is the time that all CPUs have been busy, or were kept from it by
// the host of a virtual machine.
func machineCPU() (time.Duration, error) {
	var user, nice, system, idle, iowait, irq, softirq, steal int64
	stat, err := os.ReadFile("/proc/stat")
	if err == nil {
		_, err = fmt.Sscanf(string(stat), "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal)
	}
	if err != nil {
		return 0, fmt.Errorf("bench: time of the machine: %w", err)
	}
	return time.Duration(user+nice+system+irq+softirq+steal) * clockTick, nil
}

// others is how many cores were busy since before with something else, or were
// taken by the host of a virtual machine.
func (now snapshot) others(before snapshot) float64 {
	other := now.machine - before.machine - (now.ours - before.ours)
	return max(0, float64(other)/float64(now.at-before.at))
}
