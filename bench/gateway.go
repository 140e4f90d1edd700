package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Secret signs the tokens of measured servers.
const Secret = "a-secret-for-measuring-and-for-nothing-else"

// Gateway is a gateway that runs as a process of its own, on free ports.
type Gateway struct {
	*child
	Listen netip.AddrPort // public address
	Admin  netip.AddrPort // internal address
	Redis  string         // where its Redis is
}

// StartGateway starts the binary with settings (key=value) beside free ports and
// Secret, and waits until it serves. Its log goes to log, which may be nil. The
// process dies with this one.
func StartGateway(ctx context.Context, binary string, log io.Writer, settings ...string) (*Gateway, error) {
	args := []string{binary, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}
	for _, s := range append([]string{"redis.embedded_listen=127.0.0.1:0", "log.format=json"}, settings...) {
		args = append(args, "--set", s)
	}
	process, s, err := startChild(ctx, "gateway", log, []string{"GATEWAY_JWT_SECRET=" + Secret}, args...)
	if err != nil {
		return nil, err
	}
	g := &Gateway{child: process, Redis: s.Redis}
	var errs [2]error
	g.Listen, errs[0] = netip.ParseAddrPort(s.Listen)
	g.Admin, errs[1] = netip.ParseAddrPort(s.Admin)
	if err = errors.Join(errs[:]...); err == nil {
		err = g.waitReady(ctx)
	}
	if err != nil {
		g.kill()
		return nil, fmt.Errorf("bench: start gateway: %w", err)
	}
	return g, nil
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

// Metric reads one number without labels from /metrics.
func (g *Gateway) Metric(name string) (float64, error) {
	resp, err := http.Get("http://" + g.Admin.String() + "/metrics")
	if err != nil {
		return 0, fmt.Errorf("bench: read metrics: %w", err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("bench: no metric %q", name)
}
