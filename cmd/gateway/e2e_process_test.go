package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// gatewayProcess is `gateway serve` as a process of its own: this test binary,
// see TestMain.
type gatewayProcess struct {
	t    *testing.T
	cmd  *exec.Cmd
	logs logBuffer
	out  *bufio.Reader
	done chan error // what Wait has returned

	reaped chan struct{} // closed when done has it, and nothing of the process is left
}

func startProcess(t *testing.T, environ []string, args ...string) *gatewayProcess {
	t.Helper()
	p := &gatewayProcess{t: t, cmd: exec.Command(os.Args[0], append([]string{"serve"}, args...)...), done: make(chan error, 1), reaped: make(chan struct{})}
	p.cmd.Env = append([]string{asGateway + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, environ...)
	p.cmd.Stderr = &p.logs
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.out = w, bufio.NewReader(r)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close() // the child has its own
	go func() {   // ends with the process
		p.done <- p.cmd.Wait()
		close(p.reaped)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended, as a rule
		<-p.reaped
		_ = r.Close()
		if t.Failed() {
			t.Logf("log:\n%s", &p.logs)
		}
	})
	return p
}

// logged waits for a line of the log with this message.
func (p *gatewayProcess) logged(message string) (line map[string]any) {
	p.t.Helper()
	eventually(p.t, func() error {
		for text := range strings.Lines(p.logs.String()) {
			var entry map[string]any
			if err := json.Unmarshal([]byte(text), &entry); err != nil {
				p.t.Fatalf("the log line %q is not JSON: %v", text, err)
			}
			if entry["message"] == message {
				line = entry
				return nil
			}
		}
		return fmt.Errorf("the log has no %q", message)
	})
	return line
}

// ended waits for the end of the process.
func (p *gatewayProcess) ended() error {
	p.t.Helper()
	select {
	case err := <-p.done:
		return err
	case <-time.After(2 * patience):
		p.t.Fatal("the process does not end")
		return nil
	}
}

func (p *gatewayProcess) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// dialURL opens a WebSocket to a URL that the process has printed or logged.
func dialURL(t *testing.T, text string) *client {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dialHost(t, u.Host, "?"+u.RawQuery, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: conn}
	c.greeted()
	return c
}

// TestServe_FirstMinute does what a newcomer does: starts the gateway in
// development mode, and tries the lines that it prints.
func TestServe_FirstMinute(t *testing.T) {
	t.Parallel()
	p := startProcess(t, nil, "--development", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
		"--set", "redis.embedded_listen=127.0.0.1:0")
	hint := p.hint()
	c := dialURL(t, find(t, hint, `(ws://\S+)`))
	if c.user != "u1" {
		t.Errorf("the printed URL connects %q, want u1", c.user)
	}
	p.logged("redis is connected")

	line := find(t, hint, `(redis-cli .*)`)
	if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil || string(out) != "1\n" {
		t.Errorf("%s: %v, %s", line, err, out)
	}
	c.awaitText("hello")
	// The printed command names a binary that is this one.
	args := strings.Fields(find(t, hint, `gateway publish (.*) '`))
	r := command(t, nil, "", append(append([]string{"publish"}, args...), `{"type":"system","content":"by the command"}`)...)
	if r.err != nil {
		t.Errorf("publish %q: %v", args, r.err)
	}
	c.awaitText("by the command")
	if got := fetch(t, find(t, hint, `(http://\S+/)\n`)); got.status != 200 || !strings.Contains(got.body, "<html") {
		t.Errorf("the page answers %d %.100s", got.status, got.body)
	}
	operators := find(t, hint, `(http://\S+)/console/`)
	if got := fetch(t, operators+"/console/"); got.status != 200 || !strings.Contains(got.body, "<html") {
		t.Errorf("the console answers %d %.100s", got.status, got.body)
	}
	if got := fetch(t, operators+"/metrics"); got.status != 200 {
		t.Errorf("the metrics answer %d", got.status)
	}
	if !strings.Contains(p.logs.String(), "DEVELOPMENT MODE") {
		t.Error("the log does not warn of development mode")
	}

	p.signal(syscall.SIGTERM)
	c.closed(4200)
	if err := p.ended(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit status 0", err)
	}
	if logs := p.logs.String(); strings.Contains(logs, "eyJ") {
		t.Errorf("a token is in the log:\n%s", logs)
	}
}

// hint reads what the process prints for the person who started it.
func (p *gatewayProcess) hint() string {
	p.t.Helper()
	var text string
	for !strings.Contains(text, "/metrics\n") {
		line, err := p.out.ReadString('\n')
		if err != nil {
			p.t.Fatalf("the hint ends too early: %v\n%s%s", err, text, &p.logs)
		}
		text += line
	}
	return text
}

// find returns what the parentheses of a pattern match.
func find(t *testing.T, text, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("nothing matches %s in %s", pattern, text)
	}
	return m[1]
}

// TestServe_SecondSignalEndsAtOnce, though a client does not go.
func TestServe_SecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	// Every setting from the environment, as in a container.
	p := startProcess(t, []string{
		"GATEWAY_LISTEN=127.0.0.1:0", "GATEWAY_ADMIN_LISTEN=127.0.0.1:0", "GATEWAY_JWT_SECRET=" + jwtSecret,
		"GATEWAY_REDIS_URL=" + redis.URL(), "GATEWAY_LOG_LEVEL=debug", "GATEWAY_ENGINE_CLOSE_TIMEOUT=1m", "GATEWAY_SHUTDOWN_TIMEOUT=1m",
	})
	addr := fmt.Sprint(p.logged("serving")["listen"])
	r := command(t, []string{"GATEWAY_JWT_SECRET=" + jwtSecret}, "", "token", "--user", "u1", "--name", "Ann", "--room", "chat:1")
	if r.err != nil {
		t.Fatal(r.err)
	}
	c := dialURL(t, "ws://"+addr+"/ws?token="+remember(strings.TrimSpace(r.out)))
	if f := c.awaitType("joined"); f.Room != "chat:1" {
		t.Errorf("got %s, want the room of the token", f.raw)
	}
	started := time.Now()
	p.signal(syscall.SIGTERM)
	p.logged("stopping")
	p.signal(syscall.SIGTERM)
	err := p.ended()
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("the process ended with %v, want it to be ended by the signal", err)
	}
	if took := time.Since(started); took > patience {
		t.Errorf("the process ended after %v, want at once", took)
	}
}

// TestServe_BadConfigurationEndsTheProcess, with a sentence and status 1.
func TestServe_BadConfigurationEndsTheProcess(t *testing.T) {
	t.Parallel()
	p := startProcess(t, nil)
	err := p.ended()
	if p.cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(p.logs.String(), "gateway: jwt.secret must be set") {
		t.Errorf("without a secret: %v, %s", err, &p.logs)
	}
}
