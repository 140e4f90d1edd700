package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tellInterval is how often a worker tells its progress.
const tellInterval = 200 * time.Millisecond

// worker joins a crowd with the streams to the harness.
type worker struct {
	crowd *crowd
	in    *bufio.Scanner

	mu  sync.Mutex // guards out
	out *json.Encoder
}

// Run is a worker: it reads its Config and its commands from in, tells what
// comes of them to out, and returns when in or ctx ends.
func Run(ctx context.Context, in io.Reader, out io.Writer) error {
	w := &worker{in: bufio.NewScanner(in), out: json.NewEncoder(out)}
	err := w.run(ctx)
	if err != nil {
		_ = w.tell(Tell{Error: err.Error()}) // the harness may be gone
	}
	return err
}

func (w *worker) run(ctx context.Context) error {
	var cfg Config
	if !w.in.Scan() {
		return errors.Join(errors.New("worker: no configuration"), w.in.Err())
	}
	if err := json.Unmarshal(w.in.Bytes(), &cfg); err != nil {
		return fmt.Errorf("worker: configuration: %w", err)
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	var err error
	if w.crowd, err = newCrowd(cfg); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var helpers sync.WaitGroup
	helpers.Go(func() { w.tellProgress(ctx) })
	// Not waited for: it ends with in, which the caller closes.
	go func() { cancel(w.obey(ctx)) }()
	err = w.crowd.fleet.Run(ctx)
	cancel(nil)
	helpers.Wait()
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// Validate tells what is wrong with a configuration.
func (cfg Config) Validate() error {
	switch {
	case cfg.Count < 1 || cfg.First < 0 || cfg.First+cfg.Count > cfg.Total:
		return fmt.Errorf("worker: users %d to %d of %d", cfg.First, cfg.First+cfg.Count-1, cfg.Total)
	case cfg.Rooms < 0 || cfg.Rooms > cfg.Total:
		return fmt.Errorf("worker: %d rooms for %d users", cfg.Rooms, cfg.Total)
	case cfg.Mode == ModeChat && cfg.Rooms == 0:
		return errors.New("worker: chat without rooms")
	case cfg.Path == "" || cfg.Path[0] != '/':
		return fmt.Errorf("worker: path %q, want one that begins with /", cfg.Path)
	}
	return nil
}

// obey carries out commands until in ends; nil says that it has.
func (w *worker) obey(ctx context.Context) error {
	for w.in.Scan() {
		var cmd Command
		if err := json.Unmarshal(w.in.Bytes(), &cmd); err != nil {
			return fmt.Errorf("worker: command: %w", err)
		}
		done := make(chan error, 1)
		w.crowd.fleet.Do(ctx, func() { done <- w.do(cmd) })
		select {
		case err := <-done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
	return w.in.Err()
}

// do carries out one command, on the goroutine of the loop.
func (w *worker) do(cmd Command) error {
	c := w.crowd
	switch cmd.Do {
	case "open":
		c.fleet.Open(min(cmd.N, c.cfg.Count-c.fleet.Len()))
	case "begin":
		c.begin(cmd.Window, cmd.Mode)
	case "send":
		c.outflow = outflow{Send: *cmd.Send}
	case "cut":
		c.cut(cmd.Reset)
	case "report":
		return w.tell(Tell{Report: c.report()})
	default:
		return fmt.Errorf("worker: unknown command %q", cmd.Do)
	}
	return nil
}

func (c *crowd) report() *Report {
	r := &Report{
		Progress: c.progress(), Counts: c.Counts, SendFailed: c.sendFailed,
		Latency: c.latency, Handshake: c.handshake, Joining: c.joining, Late: c.late,
		Loop: loopOf(c.fleet.Meter()), Ends: c.ends, Resident: resident(),
	}
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) == nil {
		r.CPU = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return r
}

func (c *crowd) progress() Progress {
	p := c.Progress
	p.Got, p.Window = c.Received, c.window
	return p
}

// resident reads the resident memory of this process, 0 where it cannot.
func resident() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	var size, pages int64
	if err == nil {
		_, _ = fmt.Sscan(string(b), &size, &pages)
	}
	return pages * int64(os.Getpagesize())
}

// tellProgress tells the progress until ctx ends.
func (w *worker) tellProgress(ctx context.Context) {
	tick := time.NewTicker(tellInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := make(chan Progress, 1)
		w.crowd.fleet.Do(ctx, func() { now <- w.crowd.progress() })
		select {
		case p := <-now:
			_ = w.tell(Tell{Progress: &p}) // the end of in says so too
		case <-ctx.Done():
			return
		}
	}
}

func (w *worker) tell(t Tell) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.out.Encode(t); err != nil {
		return fmt.Errorf("worker: tell the harness: %w", err)
	}
	return nil
}
