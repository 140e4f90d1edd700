package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// behindProxy are the headers with which a proxy passes on a client's request.
func behindProxy(client string) *websocket.DialOptions {
	return &websocket.DialOptions{HTTPHeader: header("X-Forwarded-For", client)}
}

// TestServe_AddressLimits has clients behind a proxy that the configuration trusts:
// they are told apart, and cannot say that they are somebody else.
func TestServe_AddressLimits(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) {
		c.Admission.TrustedProxies = []string{"127.0.0.1"}
		c.Admission.IP.Connections = 2
	})
	n := s.a
	query := "?token=" + tokenOf("ann")
	first := n.mustDial(t, query, behindProxy("203.0.113.7"))
	first.greeted()
	n.mustDial(t, query, behindProxy("203.0.113.7")).greeted()

	late := n.mustDial(t, query, behindProxy("198.51.100.1, 203.0.113.7"))
	if r := late.closed(4101); r.Reason != "rate limit" || r.DelayMS == nil || *r.DelayMS < 1000 {
		t.Errorf("the close reason is %+v, want rate limit and a delay", r)
	}
	a := n.get(t, "/ws", "X-Forwarded-For", "203.0.113.7")
	checkJSONError(t, a, http.StatusTooManyRequests)
	if a.header.Get("Retry-After") == "" {
		t.Errorf("a refused request has the headers %v, want Retry-After", a.header)
	}
	n.mustDial(t, query, behindProxy("203.0.113.8")).greeted()
	n.awaitMetric(t, `gateway_handshakes_total{result="ip_connections"}`, 2)
	if lines := strings.Count(n.lines.String(), "handshake refused"); lines != 1 {
		t.Errorf("%d lines about refused handshakes, want 1", lines)
	}

	first.leave()
	eventually(t, func() error {
		again, err := n.dial(t, query, behindProxy("203.0.113.7"))
		if err != nil {
			t.Fatal(err)
		}
		c := &client{t: t, conn: again}
		if f, err := c.tryRead(); err != nil || f.Type != "welcome" {
			return fmt.Errorf("got %s, %w; want a welcome once another has left", f.raw, err)
		}
		return nil
	})
	n.awaitMetric(t, "gateway_handshakes_in_flight", 0)
}

// TestServe_NodeBudget has more clients than the node begins handshakes for.
func TestServe_NodeBudget(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) {
		c.Admission.HandshakesPerSecond, c.Admission.HandshakesBurst = 1, 5
	})
	var last time.Time // the earliest at which the client before may come again
	for refused := 0; refused < 5; {
		began := time.Now()
		c := s.a.mustDial(t, "?token="+tokenOf("ann"), nil)
		if f, err := c.tryRead(); err == nil && f.Type == "welcome" {
			continue
		} else if websocket.CloseStatus(err) != 4100 {
			t.Fatalf("got %s, %v; want welcome or close 4100", f.raw, err)
		} else if r := reasonIn(t, err); r.DelayMS == nil {
			t.Errorf("client %d is sent away with %+v, want a delay", refused, r)
		} else { // it was decided on between now and then
			delay := time.Duration(*r.DelayMS) * time.Millisecond
			if latest := time.Now().Add(delay); latest.Before(last.Add(time.Second)) {
				t.Errorf("client %d may come again by %v, want a place behind the one before, who has %v", refused, latest, last)
			}
			last = began.Add(delay)
		}
		refused++
	}
	s.b.connect(t, "ann").alive() // the other node has a budget of its own
}
