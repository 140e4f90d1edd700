package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// TestServe_Drain stops one of two nodes: its clients are sent elsewhere, with
// delays that spread them, and nobody new is let in.
func TestServe_Drain(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) {
		c.ReconnectWindow = 8 * time.Second
		c.Engine.CloseTimeout = 10 * time.Second
		c.Shutdown.Timeout = 2 * patience
	})
	var clients []*client
	for i := range 20 {
		clients = append(clients, s.a.connect(t, fmt.Sprint("u", i)))
	}
	// A client that does not answer the close frame keeps the node for as long
	// as engine.close_timeout, and one that has a connection open already may
	// still ask for something.
	s.a.connect(t, "silent")
	plain, upgradable := openConnection(t, s.a), openConnection(t, s.a)
	if got := plain.get("/readyz"); got.status != http.StatusOK {
		t.Errorf("/readyz is %d before the end, want 200", got.status)
	}

	started := time.Now()
	s.a.cancel()
	delays := map[int64]bool{}
	for _, c := range clients {
		r := c.closed(4200)
		if r.Reason != "draining" || r.DelayMS == nil || *r.DelayMS < 1 || *r.DelayMS > 8000 {
			t.Errorf("the close reason is %+v, want draining and a delay within 8000 ms", r)
			continue
		}
		delays[*r.DelayMS] = true
	}
	if len(delays) < 10 {
		t.Errorf("20 clients got the delays %v, want them spread", delays)
	}
	if got := plain.get("/readyz"); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "draining") {
		t.Errorf("/readyz of a draining node is %d %s, want 503 and the reason", got.status, got.body)
	}
	checkJSONError(t, plain.get("/ws?token="+tokenOf("late")), http.StatusServiceUnavailable)
	late := s.a.mustDial(t, "?token="+tokenOf("late"), &websocket.DialOptions{HTTPClient: upgradable.client()})
	if r := late.closed(4200); r.DelayMS == nil {
		t.Errorf("a late client is told %+v, want a delay", r)
	}
	if _, err := s.a.dial(t, "?token="+tokenOf("later"), nil); err == nil {
		t.Errorf("a draining node takes new connections")
	}

	select {
	case <-s.a.ended:
	case <-time.After(patience):
		t.Fatal("the node does not end")
	}
	if took := time.Since(started); s.a.err != nil || took > patience {
		t.Errorf("run returned %v after %v, want nil soon after close_timeout", s.a.err, took)
	}
	s.b.connect(t, "u0") // the other node goes on
}

// openedConn is a TCP connection that the node has accepted and keeps alive.
type openedConn struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func openConnection(t *testing.T, n *testNode) *openedConn {
	t.Helper()
	conn, err := net.Dial("tcp", n.engine.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &openedConn{t, conn, bufio.NewReader(conn)}
	if got := c.get("/healthz"); got.status != http.StatusOK {
		t.Fatalf("/healthz is %d", got.status)
	}
	return c
}

// get makes a request on this connection.
func (c *openedConn) get(path string) answer {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: gateway\r\n\r\n", path); err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatalf("GET %s on an open connection: %v", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// client makes its one connection out of this one.
func (c *openedConn) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return c.conn, nil },
	}}
}

// TestServe_ShutdownTimeoutCutsTheRest has a client that would keep the node for
// longer than it is given.
func TestServe_ShutdownTimeoutCutsTheRest(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	n := launch(t, redis.URL(), "hasty", func(c *Config) {
		c.Engine.CloseTimeout = 2 * patience
		c.Shutdown.Timeout = 500 * time.Millisecond
	})
	n.connect(t, "silent")
	started := time.Now()
	n.stop()
	if took := time.Since(started); took < 400*time.Millisecond || took > patience {
		t.Errorf("the node stopped after %v, want soon after shutdown.timeout, 500ms", took)
	}
	if log := n.lines.above("debug"); !strings.Contains(log, "cutting the rest") {
		t.Errorf("the log does not say that connections were cut:\n%s", log)
	}
}

// TestServe_AddressesThatAreTaken: run fails, says which key it is about, and
// leaves nothing behind, which TestMain would see.
func TestServe_AddressesThatAreTaken(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	n := launch(t, redis.URL(), "first", nil)
	for key, edit := range map[string]func(*Config){
		n.engine.Addr().String(): func(c *Config) { c.Listen = n.engine.Addr().String() },
		"admin_listen":           func(c *Config) { c.AdminListen = n.admin.addr() },
	} {
		cfg := testConfig(redis.URL(), "second")
		edit(&cfg)
		err := serve(t.Context(), cfg, zerolog.Nop(), io.Discard)
		if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "in use") {
			t.Errorf("serve = %v, want an error about %s", err, key)
		}
	}
}

// TestServe_EndsBeforeItHasBegun: the context is done when run is called.
func TestServe_EndsBeforeItHasBegun(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	started := time.Now()
	err := serve(ctx, testConfig(redis.URL(), "brief"), zerolog.Nop(), io.Discard)
	if took := time.Since(started); took > patience || (err != nil && !errors.Is(err, context.Canceled)) {
		t.Errorf("serve = %v after %v, want an end at once", err, took)
	}
}
