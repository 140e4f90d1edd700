package redises

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/bench/chaos/proxy"
)

// Server is one redis-server or Sentinel.
type Server struct {
	Name  string
	Front *proxy.Proxy // which it announces; nil for a Sentinel
	port  int
	bus   int // of a Cluster
	args  []string
	log   string        // file that gets what it prints
	admin *redis.Client // straight to it

	mu      sync.Mutex // guards the fields below
	process *exec.Cmd  // nil after Kill
	exited  chan struct{}
}

// answerTimeout is how long a server may take until it answers after its start.
const answerTimeout = 20 * time.Second

// pollInterval is the pause between two looks at a server.
const pollInterval = 20 * time.Millisecond

// newServer prepares a server with a proxy, its own directory and its own ports.
func newServer(dir, name string) (*Server, error) {
	s, err := prepare(dir, name)
	if err != nil {
		return nil, err
	}
	if s.bus, err = freePort(); err != nil {
		return nil, err
	}
	if s.Front, err = proxy.Listen(proxy.To(s.addr()), 0); err != nil {
		return nil, err
	}
	return s, nil
}

// configure writes the server's configuration file, in which Redis keeps by itself
// what a failover changes: a master that was killed must not come back as the
// replica that it was once.
func (s *Server) configure(lines ...string) error {
	text := append([]string{
		fmt.Sprintf("port %d", s.port), "bind 127.0.0.1", "dir " + filepath.Dir(s.log), `save ""`,
		"appendonly yes", "appendfsync always", "auto-aof-rewrite-percentage 0",
		"repl-diskless-sync-delay 0", "replica-announce-ip 127.0.0.1", fmt.Sprintf("replica-announce-port %d", s.Front.Port()),
		"min-replicas-max-lag 3",
	}, lines...)
	path := filepath.Join(filepath.Dir(s.log), "redis.conf")
	if err := os.WriteFile(path, []byte(strings.Join(text, "\n")+"\n"), 0o600); err != nil {
		return fmt.Errorf("redises: %w", err)
	}
	s.args = []string{path}
	return nil
}

// prepare makes a directory for a server and finds it a port.
func prepare(dir, name string) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	home := filepath.Join(dir, name)
	if err := os.MkdirAll(home, 0o755); err != nil {
		return nil, fmt.Errorf("redises: %w", err)
	}
	s := &Server{Name: name, port: port, log: filepath.Join(home, "log")}
	s.admin = redis.NewClient(&redis.Options{
		Addr: s.addr(), MaxRetries: -1, PoolSize: 2, DialTimeout: time.Second, ReadTimeout: 2 * time.Second,
		Protocol: 2, DisableIdentity: true,
	})
	return s, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("redises: find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// addr is where the server itself listens, behind its proxy.
func (s *Server) addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// Addr is the address that everybody else uses: its proxy's.
func (s *Server) Addr() string { return s.Front.Addr().String() }

// Start starts the server, or starts it again after Kill, and waits until it
// answers and has loaded its data.
func (s *Server) Start(ctx context.Context) error {
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("redises: start %s: %w", s.Name, err)
	}
	defer out.Close()
	cmd := exec.Command("redis-server", s.args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("redises: start %s: %w (apt-get install redis)", s.Name, err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed, as a rule
		close(exited)
	}()
	s.mu.Lock()
	s.process, s.exited = cmd, exited
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return poll(ctx, "start "+s.Name, func() error {
		select {
		case <-exited:
			cancel()
			return fmt.Errorf("it has ended: %s", s.lastWords())
		default:
			return s.admin.Ping(ctx).Err()
		}
	})
}

// lastWords are the end of the server's log.
func (s *Server) lastWords() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-500):]))
}

// Kill ends the server with SIGKILL and waits until it has gone.
func (s *Server) Kill() {
	s.mu.Lock()
	process, exited := s.process, s.exited
	s.process = nil
	s.mu.Unlock()
	if process != nil {
		_ = process.Process.Kill() // it may have ended by itself
		<-exited
	}
}

// Pause stops the process in its tracks (SIGSTOP).
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return fmt.Errorf("redises: %s does not run", s.Name)
	}
	if err := s.process.Process.Signal(sig); err != nil {
		return fmt.Errorf("redises: %s: %w", s.Name, err)
	}
	return nil
}

// close ends the server and its proxy for good.
func (s *Server) close() {
	s.Kill()
	_ = s.admin.Close()
	if s.Front != nil {
		s.Front.Close()
	}
}

// info returns one line of INFO.
func (s *Server) info(ctx context.Context, section, field string) (string, error) {
	text, err := s.admin.Info(ctx, section).Result()
	if err != nil {
		return "", fmt.Errorf("redises: %s: %w", s.Name, err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), field+":"); ok {
			return value, nil
		}
	}
	return "", fmt.Errorf("redises: %s: no %s in INFO %s", s.Name, field, section)
}

// poll calls check until it returns nil, or ctx ends; then it returns the last
// error.
func poll(ctx context.Context, what string, check func() error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("redises: %s: %w", what, err), ctx.Err())
		}
	}
}
