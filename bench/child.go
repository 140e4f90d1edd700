package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/ginforge/gateway/bench/worker"
)

// child is a server that runs as a process of its own and logs lines of JSON to
// standard error, one of which says that it is serving. It dies with this
// process.
type child struct {
	name   string
	cmd    *exec.Cmd
	exited chan error // gets the process's end
}

// serving is the log line that tells where a server listens. Only the gateway
// has Admin and Redis, only peers with a protocol of their own a dialect.
type serving struct {
	Message string `json:"message"`
	Listen  string `json:"listen"`
	Admin   string `json:"admin_listen"`
	Redis   string `json:"redis"`
	worker.Dialect
}

// startChild starts a command line with an environment beside this process's
// own, and waits until it says that it serves. Its log goes to log, which may be
// nil.
func startChild(ctx context.Context, name string, log io.Writer, env []string, command ...string) (*child, serving, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	logs, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, serving{}, fmt.Errorf("bench: start %s: %w", name, err)
	}
	c := &child{name: name, cmd: cmd, exited: make(chan error, 1)}
	up := make(chan serving, 1)
	go func() {
		followLog(logs, log, up)
		c.exited <- cmd.Wait()
	}()
	select {
	case s, ok := <-up:
		if ok {
			return c, s, nil
		}
		err = errors.New("it ended before it was ready; see its log")
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.kill()
	return nil, serving{}, fmt.Errorf("bench: start %s: %w", name, err)
}

// followLog copies the log until its end and reports the first line that says
// where the server listens.
func followLog(logs io.Reader, log io.Writer, up chan<- serving) {
	defer close(up)
	told := false
	lines := bufio.NewReader(logs)
	for {
		line, err := lines.ReadBytes('\n')
		if log != nil && len(line) > 0 {
			_, _ = log.Write(line) // a log that cannot be kept stops nothing
		}
		var s serving
		if !told && json.Unmarshal(line, &s) == nil && s.Message == "serving" {
			told = true
			up <- s
		}
		if err != nil {
			return
		}
	}
}

// PID is the server's process.
func (c *child) PID() int { return c.cmd.Process.Pid }

// Signal sends a signal.
func (c *child) Signal(sig os.Signal) error {
	if err := c.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("bench: signal %s: %w", c.name, err)
	}
	return nil
}

// Kill ends the server with SIGKILL, waits until it has gone, and returns how it
// ended. Nothing but PID may be called afterwards.
func (c *child) Kill() error {
	c.kill()
	return <-c.exited
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended by itself
}

// Stop ends the server with SIGTERM and waits for it; when ctx ends first it is
// killed.
func (c *child) Stop(ctx context.Context) error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("bench: stop %s: %w", c.name, err)
	}
	select {
	case err := <-c.exited:
		if err != nil {
			return fmt.Errorf("bench: %s ended badly: %w", c.name, err)
		}
		return nil
	case <-ctx.Done():
		c.kill()
		return fmt.Errorf("bench: stop %s: %w", c.name, ctx.Err())
	}
}
