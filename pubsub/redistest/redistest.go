// Package redistest runs real Redis servers for tests.
//
// It needs redis-server and redis-cli in the PATH, and fails the test with a
// hint where they are missing. Servers listen on a free port of the loopback,
// keep their files in the test's own directory, and die with the test.
package redistest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// startTimeout is how long a server may take until it answers.
	startTimeout = 30 * time.Second
	// startAttempts covers a free port that another process took first.
	startAttempts = 5
	// portAttempts is how many ports are tried to find a free one.
	portAttempts = 100
	// pollInterval is the pause between two questions in Eventually.
	pollInterval = 5 * time.Millisecond
)

// Server is one redis-server. Its methods must not be called concurrently, but
// for Addr, URL and CLI.
type Server struct {
	tb   testing.TB
	port int
	args []string // redis-server's, complete

	process *exec.Cmd // the running server, nil after Kill
	exited  chan struct{}
	output  *bytes.Buffer // what process printed; to be read once it has exited
}

// Start runs a redis-server with additional arguments, such as
// "--cluster-enabled", "yes", and returns when it answers.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return startAnywhere(tb, func(port int) []string {
		return append([]string{
			"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", tb.TempDir(), "--save", "", "--appendonly", "no",
		}, args...)
	})
}

// StartSentinel runs a Redis Sentinel that watches master under name, alone,
// and promotes a replica when the master has been gone for half a second.
func StartSentinel(tb testing.TB, name string, master *Server) *Server {
	tb.Helper()
	return startAnywhere(tb, func(port int) []string {
		config := filepath.Join(tb.TempDir(), "sentinel.conf") // which Sentinel writes to
		text := fmt.Sprintf("port %d\nbind 127.0.0.1\nsentinel monitor %s 127.0.0.1 %d 1\n"+
			"sentinel down-after-milliseconds %s 500\nsentinel failover-timeout %s 5000\n",
			port, name, master.port, name, name)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			tb.Fatalf("redistest: %v", err)
		}
		return []string{config, "--sentinel"}
	})
}

// startAnywhere runs redis-server with the arguments for some free port.
func startAnywhere(tb testing.TB, args func(port int) []string) *Server {
	tb.Helper()
	for range startAttempts {
		port := FreePort(tb)
		s := &Server{tb: tb, port: port, args: args(port)}
		err := s.start()
		if err == nil {
			tb.Cleanup(s.Kill)
			return s
		}
		tb.Logf("redistest: %v", err)
	}
	tb.Fatalf("redistest: no redis-server started in %d attempts", startAttempts)
	return nil
}

// Addr returns the server's host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns the server's address as redis.url wants it.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Port returns the server's port.
func (s *Server) Port() int { return s.port }

// Kill ends the server with SIGKILL and waits until it is gone.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill() // it may have ended by itself
	<-s.exited
	s.process = nil
}

// Restart starts the server again on the same port, empty, after Kill. It
// kills it first if need be.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	if err := s.start(); err != nil {
		s.tb.Fatalf("redistest: restart: %v", err)
	}
}

// Pause stops the server in its tracks: connections stay, nothing is answered.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.tb.Helper()
	if err := s.process.Process.Signal(sig); err != nil {
		s.tb.Fatalf("redistest: signal %v: %v", sig, err)
	}
}

// CLI runs redis-cli with args against the server and returns what it prints,
// without the final line break.
func (s *Server) CLI(args ...string) string {
	s.tb.Helper()
	out, err := exec.Command("redis-cli", append([]string{"-p", strconv.Itoa(s.port)}, args...)...).CombinedOutput()
	if err != nil {
		s.tb.Fatalf("redistest: redis-cli %q: %v\n%s", args, err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// start runs the process and waits for its first answer.
func (s *Server) start() error {
	s.output, s.exited = new(bytes.Buffer), make(chan struct{})
	s.process = exec.Command("redis-server", s.args...)
	s.process.Stdout, s.process.Stderr = s.output, s.output
	if err := s.process.Start(); err != nil {
		s.tb.Fatalf("redistest: %v; install redis-server, for example with: apt-get install redis", err)
	}
	go func(process *exec.Cmd, exited chan struct{}) { // ends with the process
		_ = process.Wait() // killed, as a rule
		close(exited)
	}(s.process, s.exited)

	err := poll(startTimeout, s.answers)
	if err != nil {
		s.Kill()
		return fmt.Errorf("redis-server %q: %w\n%s", s.args, err, s.output)
	}
	return nil
}

// answers reports whether this very process answers.
func (s *Server) answers() error {
	select {
	case <-s.exited:
		return errExited
	default:
	}
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err = conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 64)) // +PONG, or an error about a password
	return err
}

// The ports of servers are firstPort and the numPorts-1 above, those of their cluster
// buses 10,000 higher. The kernel gives 32768 and above to those who ask for any port,
// which may be another test while a server is between Kill and Restart.
const (
	firstPort = 10_000
	numPorts  = 10_000
)

// FreePort returns a port of the loopback that nobody listens on, and that nobody is
// given who asks for any.
func FreePort(tb testing.TB) int {
	tb.Helper()
	var err error
	for range portAttempts {
		port := firstPort + rand.IntN(numPorts)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			_ = l.Close()
			return port
		}
	}
	tb.Fatalf("redistest: find a free port: %v", err)
	return 0
}
