package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Secret signs the tokens of measured gateways.
const Secret = "a-secret-for-measuring-and-for-nothing-else"

// Gateway is a gateway that runs as a process of its own, on free ports.
type Gateway struct {
	Listen netip.AddrPort // public address
	Admin  netip.AddrPort // internal address
	Redis  string         // where its Redis is
	cmd    *exec.Cmd
	exited chan error // gets the process's end
}

// serving is the log line that tells where a gateway listens.
type serving struct {
	Message string `json:"message"`
	Listen  string `json:"listen"`
	Admin   string `json:"admin_listen"`
	Redis   string `json:"redis"`
}

// StartGateway starts the binary with settings (key=value) beside free ports and
// Secret, and waits until it serves. Its log goes to log, which may be nil. The
// process dies with this one.
func StartGateway(ctx context.Context, binary string, log io.Writer, settings ...string) (*Gateway, error) {
	args := []string{"serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}
	for _, s := range append([]string{"redis.embedded_listen=127.0.0.1:0", "log.format=json"}, settings...) {
		args = append(args, "--set", s)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "GATEWAY_JWT_SECRET="+Secret)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	logs, err := cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: start gateway: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: start gateway: %w", err)
	}
	g := &Gateway{cmd: cmd, exited: make(chan error, 1)}
	up := make(chan serving, 1)
	go func() {
		followLog(logs, log, up)
		g.exited <- cmd.Wait()
	}()
	if err := g.waitServing(ctx, up); err != nil {
		_ = cmd.Process.Kill() // it may have ended by itself
		return nil, fmt.Errorf("bench: start gateway: %w", err)
	}
	return g, nil
}

// followLog copies the log until its end and reports the line that says where
// the gateway listens.
func followLog(logs io.Reader, log io.Writer, up chan<- serving) {
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		if log != nil {
			fmt.Fprintln(log, lines.Text())
		}
		var s serving
		if json.Unmarshal(lines.Bytes(), &s) == nil && s.Message == "serving" {
			up <- s
		}
	}
	close(up)
}

func (g *Gateway) waitServing(ctx context.Context, up <-chan serving) error {
	select {
	case s, ok := <-up:
		if !ok {
			return errors.New("it ended before it was ready; see its log")
		}
		g.Redis = s.Redis
		var errs [2]error
		g.Listen, errs[0] = netip.ParseAddrPort(s.Listen)
		g.Admin, errs[1] = netip.ParseAddrPort(s.Admin)
		return errors.Join(errs[0], errs[1], g.waitReady(ctx))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waitReady polls /readyz, which also waits for Redis.
func (g *Gateway) waitReady(ctx context.Context) error {
	for {
		resp, err := http.Get("http://" + g.Listen.String() + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		}
	}
}

// PID is the gateway's process.
func (g *Gateway) PID() int { return g.cmd.Process.Pid }

// Metric reads one number without labels from /metrics.
func (g *Gateway) Metric(name string) (float64, error) {
	resp, err := http.Get("http://" + g.Admin.String() + "/metrics")
	if err != nil {
		return 0, fmt.Errorf("bench: read metrics: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("bench: no metric %q", name)
}

// Stop ends the gateway with SIGTERM and waits for it; when ctx ends first it is
// killed.
func (g *Gateway) Stop(ctx context.Context) error {
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("bench: stop gateway: %w", err)
	}
	select {
	case err := <-g.exited:
		if err != nil {
			return fmt.Errorf("bench: gateway ended badly: %w", err)
		}
		return nil
	case <-ctx.Done():
		_ = g.cmd.Process.Kill()
		return fmt.Errorf("bench: stop gateway: %w", ctx.Err())
	}
}
