package smoke

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// secret signs the tokens of the test.
const secret = "a secret of the smoke test, long enough"

// stopTimeout is how long a process may take to end.
const stopTimeout = 5 * time.Second

// serving is the line by which a peer announces itself.
type serving struct {
	Message string `json:"message"`
	Listen  string `json:"listen"`
	// The dialect of a peer with a protocol of its own, see README.md.
	Join   string `json:"join"`
	Joined string `json:"joined"`
	Ping   string `json:"ping"`
	Pong   string `json:"pong"`
}

// process is a running peer.
type process struct {
	serving
	cmd  *exec.Cmd
	done chan error // what Wait returned
}

// startPeer starts a binary of bin/peers and waits until it serves.
func startPeer(t *testing.T, name, redisURL string, args ...string) *process {
	t.Helper()
	binary, err := filepath.Abs(filepath.Join("..", "..", "..", "bin", "peers", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("%v; build the peers first: make -C bench/peers", err)
	}
	p := &process{
		cmd: exec.Command(binary, append([]string{
			"--listen", "127.0.0.1:0", "--secret", secret, "--redis", redisURL, "--ping-interval", pingInterval.String(),
		}, args...)...),
		done: make(chan error, 1),
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	first, err := lines.ReadBytes('\n')
	go func() {
		_, copyErr := io.Copy(os.Stderr, lines) // what it says later belongs to the test's output
		p.done <- errors.Join(copyErr, p.cmd.Wait())
	}()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // has ended when the test passed
	if err == nil {
		err = json.Unmarshal(first, &p.serving)
	}
	if err != nil || p.Message != "serving" {
		t.Fatalf("first line of %s: %q, %v; want one of JSON that says serving", name, first, err)
	}
	return p
}

// stop sends SIGTERM and returns how the process ended; nil is code 0.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-p.done:
		return err
	case <-time.After(stopTimeout):
		return fmt.Errorf("still running %v after SIGTERM", stopTimeout)
	}
}

// startRedis runs a redis-server for the test and returns a client and its URL.
func startRedis(t *testing.T) (*redis.Client, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", "--bind", addr.IP.String(), "--port", fmt.Sprint(addr.Port),
		"--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	// Retries until the server answers.
	client := redis.NewClient(&redis.Options{Addr: addr.String(), MaxRetries: 100, MaxRetryBackoff: 50 * time.Millisecond})
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return client, "redis://" + addr.String()
}
