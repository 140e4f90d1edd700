package bench

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// Redis is a redis-server of the harness's own, on a free port, that keeps
// nothing.
type Redis struct {
	Addr string // host:port
	cmd  *exec.Cmd
	dir  string
}

// StartRedis starts redis-server, which must be in the PATH, and waits until it
// answers. It dies with this process.
func StartRedis(ctx context.Context) (*Redis, error) {
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("bench: start redis-server: %w", err)
	}
	dir, err := os.MkdirTemp("", "wsbench-redis-")
	if err != nil {
		return nil, fmt.Errorf("bench: start redis-server: %w", err)
	}
	r := &Redis{Addr: "127.0.0.1:" + strconv.Itoa(port), dir: dir}
	r.cmd = exec.Command("redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
		"--save", "", "--appendonly", "no", "--client-output-buffer-limit", "pubsub 0 0 0")
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := r.cmd.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("bench: start redis-server: %w", err)
	}
	if err := r.waitReady(ctx); err != nil {
		r.Stop()
		return nil, fmt.Errorf("bench: start redis-server: %w", err)
	}
	return r, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// waitReady polls with PING.
func (r *Redis) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if pong(r.Addr) {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("no answer from %s: %w", r.Addr, ctx.Err())
		}
	}
}

func pong(addr string) bool { return call(addr, "PING", "+PONG") == nil }

// emptyRedis removes all keys from the Redis at addr.
func emptyRedis(addr string) error { return call(addr, "FLUSHALL", "+OK") }

// call sends one command, and reads one line, which must be want.
func call(addr, command, want string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if answer != want+"\r\n" {
		return fmt.Errorf("%s: redis says %q, want %s", command, answer, want)
	}
	return nil
}

// PID is the server's process.
func (r *Redis) PID() int { return r.cmd.Process.Pid }

// Stop ends the server and removes its files.
func (r *Redis) Stop() {
	_ = r.cmd.Process.Kill() // it has nothing to save
	_ = r.cmd.Wait()
	_ = os.RemoveAll(r.dir)
}
