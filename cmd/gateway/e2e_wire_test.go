package main

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// TestServe_IDsComeBack as they were sent, whatever they hold; an id that is
// empty or null is none.
func TestServe_IDsComeBack(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	c := s.a.connect(t, "ann")
	for _, id := range []string{"1", " ", "with space", `"quoted\`, "é😀", "\u2028", "a\nb\t\x00", "<&>", strings.Repeat("i", 128)} {
		c.send(`{"type":"ping","id":` + quote(id) + `}`)
		if pong, ack := c.read(), c.read(); pong.Type != "pong" || pong.ID != id || ack.Type != "ack" || ack.ID != id {
			t.Errorf("id %q comes back in %s and %s", id, pong.raw, ack.raw)
		}
		c.send(`{"type":"what?","id":` + quote(id) + `}`)
		c.awaitError(id, 4005)
	}
	for _, id := range []string{`""`, `null`} {
		c.send(`{"type":"ping","id":` + id + `}`)
		if pong := c.read(); pong.raw != `{"type":"pong"}` {
			t.Errorf("id %s comes back in %s", id, pong.raw)
		}
	}
	c.nothingMore()
}

// TestServe_Origins: pages of others may not connect, and programs that are no
// pages send no origin.
func TestServe_Origins(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) {
		c.Engine.Origins = []string{"https://example.com", "https://*.example.org"}
	})
	token := "?token=" + tokenOf("ann")
	for origin, welcome := range map[string]bool{
		"":                              true,
		"https://example.com":           true,
		"https://app.example.org":       true,
		"http://example.com":            false,
		"https://example.com.evil.test": false,
		"https://evil.test":             false,
		"null":                          false,
	} {
		opts := &websocket.DialOptions{}
		if origin != "" {
			opts.HTTPHeader = header("Origin", origin)
		}
		conn, err := s.a.dial(t, token, opts)
		if (err == nil) != welcome {
			t.Errorf("a page of %q is let in: %v, want %v", origin, err == nil, welcome)
		}
		if err == nil {
			_ = conn.CloseNow()
		} else if !strings.Contains(err.Error(), "403") {
			t.Errorf("a page of %q is refused with %v, want 403", origin, err)
		}
	}
	sameHost := startSystem(t, nil).a
	own := "http://" + sameHost.engine.Addr().String()
	if _, err := sameHost.dial(t, token, &websocket.DialOptions{HTTPHeader: header("Origin", own)}); err != nil {
		t.Errorf("a page of the gateway's own host is refused: %v", err)
	}
	if _, err := sameHost.dial(t, token, &websocket.DialOptions{HTTPHeader: header("Origin", "http://evil.test")}); err == nil {
		t.Error("without a list a page of another host is let in")
	}
}

// TestServe_Compression has a client that inflates and one that does not get the
// same messages, and send them.
func TestServe_Compression(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Engine.Compression.Enabled = true })
	deflate := &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover, CompressionThreshold: 1}
	small := s.a.mustDial(t, "?token="+tokenOf("small"), deflate)
	small.greeted()
	plain := s.b.connect(t, "plain")
	for _, c := range []*client{small, plain} {
		c.join("game:1")
	}
	content := `{"text":"` + strings.Repeat("compressible é😀 ", 500) + `"}`
	sent := s.a.metric(t, "gateway_bytes_out_total")
	for _, from := range []*client{small, plain} {
		from.request(`{"type":"room_message","id":"ID","room":"game:1","content":` + content + `}`)
		for _, to := range []*client{small, plain} {
			if f := to.awaitType("room_message"); string(f.Content) != content || f.From != from.user {
				t.Errorf("%s got other bytes from %s: %.100s", to.user, from.user, f.raw)
			}
		}
	}
	if sent = s.a.metric(t, "gateway_bytes_out_total") - sent; sent > float64(len(content)) {
		t.Errorf("%v bytes were sent for two messages of %d, want them compressed", sent, len(content))
	}
	// A bomb: little on the wire, more than limits.message_bytes inflated.
	small.send(`{"type":"ping","x":"` + strings.Repeat("x", 1<<20) + `"}`)
	small.closed(websocket.StatusMessageTooBig)
}

// TestServe_Echo is the endpoint for conformance tests.
func TestServe_Echo(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Engine.Echo = true })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, "ws://"+s.a.engine.Addr().String()+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("the handshake is answered with %s", resp.Status)
	}
	for typ, payload := range map[websocket.MessageType]string{websocket.MessageText: "text é", websocket.MessageBinary: "\x00\xff"} {
		if err := conn.Write(ctx, typ, []byte(payload)); err != nil {
			t.Fatal(err)
		}
		if got, b, err := conn.Read(ctx); err != nil || got != typ || string(b) != payload {
			t.Errorf("%q comes back as %v %q, %v", payload, got, b, err)
		}
	}
}
