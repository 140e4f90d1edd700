package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/ginforge/gateway/bench/worker"
)

// PerWorker is how many connections one worker holds at most: the test machines
// allow a process 20,000 files.
const PerWorker = 19_500

// Link is a running worker: its standard streams, and a wait for its end.
type Link struct {
	In   io.WriteCloser
	Out  io.Reader
	Wait func() error
	PID  int
}

// Spawn starts a worker.
type Spawn func() (Link, error)

// SpawnCommand returns a Spawn that runs a command line, such as `wsbench
// worker`, as a process that dies with this one.
func SpawnCommand(command ...string) Spawn {
	return func() (Link, error) {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
		in, err := cmd.StdinPipe()
		if err != nil {
			return Link{}, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return Link{}, err
		}
		if err := cmd.Start(); err != nil {
			return Link{}, err
		}
		return Link{In: in, Out: out, Wait: cmd.Wait, PID: cmd.Process.Pid}, nil
	}
}

// Crew is the workers of one measurement. Its methods are for one goroutine, but
// for Progress.
type Crew struct {
	members []*member
	window  atomic.Uint32 // the one that counts
}

// member is one worker, seen from here.
type member struct {
	link    Link
	users   int
	asked   int // connections that it was told to open; owned by whoever calls Crew.Open
	orders  *json.Encoder
	reports chan *worker.Report // buffered for the one that was asked for
	ended   chan struct{}       // closed when its output has ended

	mu       sync.Mutex // guards the fields below
	progress worker.Progress
	err      error
}

// Hire starts workers for cfg.Total users: n of them or, when n is too few, as few
// as can hold the connections and are as many for each server.
func Hire(spawn Spawn, cfg worker.Config, n int, servers ...string) (*Crew, error) {
	n = max(n, divideUp(cfg.Total, PerWorker))
	n = divideUp(n, len(servers)) * len(servers)
	c := &Crew{}
	for w := range n {
		mine := cfg
		mine.First = cfg.Total * w / n
		mine.Count = cfg.Total*(w+1)/n - mine.First
		mine.Rate = cfg.Rate / float64(n)
		mine.Server = servers[w%len(servers)]
		m, err := hire(spawn, mine)
		if err != nil {
			c.Dismiss()
			return nil, fmt.Errorf("bench: start worker %d of %d: %w", w+1, n, err)
		}
		c.members = append(c.members, m)
	}
	return c, nil
}

func divideUp(a, b int) int { return (a + b - 1) / b }

func hire(spawn Spawn, cfg worker.Config) (*member, error) {
	link, err := spawn()
	if err != nil {
		return nil, err
	}
	m := &member{
		link: link, users: cfg.Count, orders: json.NewEncoder(link.In),
		reports: make(chan *worker.Report, 1), ended: make(chan struct{}),
	}
	go m.listen()
	return m, m.orders.Encode(cfg)
}

// listen takes what the worker tells until its output ends.
func (m *member) listen() {
	defer close(m.ended)
	for tells := json.NewDecoder(m.link.Out); ; {
		var t worker.Tell
		if err := tells.Decode(&t); err != nil {
			m.fail(fmt.Errorf("worker ended: %w", err))
			return
		}
		switch {
		case t.Report != nil:
			m.reports <- t.Report
		case t.Progress != nil:
			m.mu.Lock()
			m.progress = *t.Progress
			m.mu.Unlock()
		case t.Error != "":
			m.fail(errors.New(t.Error))
		}
	}
}

// fail keeps the first reason why the worker is of no more use.
func (m *member) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
	}
}

// Len is the number of workers.
func (c *Crew) Len() int { return len(c.members) }

// Open has workers open connections until there are total: one worker after the
// other, so that at most atOnce of them are at it. It is to be called again and
// again.
func (c *Crew) Open(atOnce, total int) {
	busy := 0
	for _, m := range c.members {
		share := min(m.users, total)
		total -= share
		if p, _ := m.state(); p.Joined >= share {
			continue
		}
		if busy++; busy > atOnce {
			return
		}
		if m.asked == share {
			continue
		}
		if err := m.orders.Encode(worker.Command{Do: "open", N: share - m.asked}); err != nil {
			m.fail(err)
		}
		m.asked = share
	}
}

// PIDs are the workers' processes.
func (c *Crew) PIDs() []int {
	pids := make([]int, len(c.members))
	for i, m := range c.members {
		pids[i] = m.link.PID
	}
	return pids
}

// Order gives every worker the same command.
func (c *Crew) Order(cmd worker.Command) error {
	return c.OrderEach(func(int) worker.Command { return cmd })
}

// OrderEach gives each worker a command of its own.
func (c *Crew) OrderEach(cmd func(i int) worker.Command) error {
	for i, m := range c.members {
		if err := m.orders.Encode(cmd(i)); err != nil {
			_, why := m.state()
			return fmt.Errorf("bench: worker %d: %w", i+1, errors.Join(why, err))
		}
	}
	return nil
}

// state is where the worker stands, and why it is of no more use, if so.
func (m *member) state() (worker.Progress, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.progress, m.err
}

// Begin has all workers forget what they have counted, and count what carries a
// new window, in streams of a mode. It returns the window.
func (c *Crew) Begin(mode worker.Mode) (window uint32, err error) {
	window = c.window.Add(1)
	return window, c.Order(worker.Command{Do: "begin", Window: window, Mode: mode})
}

// Progress sums up where the workers stand, or says that one has failed.
func (c *Crew) Progress() (worker.Progress, error) {
	var sum worker.Progress
	for i, m := range c.members {
		p, err := m.state()
		if err != nil {
			return sum, fmt.Errorf("bench: worker %d: %w", i+1, err)
		}
		if p.Window != c.window.Load() { // it was told before the worker began the new one
			p.Joins, p.Got, p.Sent = 0, 0, 0
		}
		sum = addProgress(sum, p)
	}
	return sum, nil
}

func addProgress(a, b worker.Progress) worker.Progress {
	return worker.Progress{
		Open: a.Open + b.Open, Joined: a.Joined + b.Joined, Failed: a.Failed + b.Failed, Closed: a.Closed + b.Closed,
		Joins: a.Joins + b.Joins, Got: a.Got + b.Got, Sent: a.Sent + b.Sent,
		LastJoin: max(a.LastJoin, b.LastJoin), LastGot: max(a.LastGot, b.LastGot),
	}
}

// Report asks every worker what it has measured since the last begin.
func (c *Crew) Report(ctx context.Context) ([]*worker.Report, error) {
	if err := c.Order(worker.Command{Do: "report"}); err != nil {
		return nil, err
	}
	reports := make([]*worker.Report, len(c.members))
	for i, m := range c.members {
		select {
		case reports[i] = <-m.reports:
		case <-m.ended:
			_, err := m.state()
			return nil, fmt.Errorf("bench: worker %d: %w", i+1, err)
		case <-ctx.Done():
			return nil, fmt.Errorf("bench: worker %d: no report: %w", i+1, ctx.Err())
		}
	}
	return reports, nil
}

// Dismiss ends the workers, which closes their connections, and waits for them.
func (c *Crew) Dismiss() {
	for _, m := range c.members {
		_ = m.link.In.Close() // which is what ends a worker
	}
	for _, m := range c.members {
		<-m.ended
		_ = m.link.Wait() // what went wrong was told before
	}
}
