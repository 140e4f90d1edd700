package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// consoleFigures is what a console gets each second.
type consoleFigures struct {
	Entity string
	Data   struct {
		At      int64 `json:"at_ms"`
		Nodes   []nodeStats
		Missing []string `json:"missing_nodes"`
		Partial bool
	}
}

// openConsole connects as the console page does.
func (n *testNode) openConsole(t *testing.T) *client {
	t.Helper()
	var access struct{ URL, Token string }
	n.mustCall(t, "POST /console", "", &access)
	if want := "ws://" + n.engine.Addr().String() + "/ws"; access.URL != want {
		t.Errorf("the console is sent to %s, want %s", access.URL, want)
	}
	remember(access.Token)
	origin := "http://" + n.admin.addr()
	c := n.mustDial(t, "?token="+access.Token, &websocket.DialOptions{HTTPHeader: header("Origin", origin)})
	c.greeted()
	return c
}

// figures returns the next figures for which check has no objection.
func (c *client) figures(check func(consoleFigures) error) {
	c.t.Helper()
	var objection error
	defer func() {
		if c.t.Failed() {
			c.t.Logf("the last figures: %v", objection)
		}
	}()
	c.await("figures", func(f frame) bool {
		if f.Type != "data_update" {
			return false
		}
		var got consoleFigures
		decode(c.t, f.Content, &got)
		if got.Entity != "console" {
			return false
		}
		objection = check(got)
		return objection == nil
	})
}

// TestServe_ConsoleSeesAllNodes has a console at one node see what is at both.
func TestServe_ConsoleSeesAllNodes(t *testing.T) {
	t.Parallel()
	s := startAPI(t, nil)
	console := s.a.openConsole(t)
	ann, bob := s.a.connect(t, "ann"), s.b.connect(t, "bob")
	ann.join("game:1")
	bob.join("game:1")
	console.figures(func(got consoleFigures) error {
		if len(got.Data.Nodes) != 2 || got.Data.Nodes[0].Node != "node-a" {
			return fmt.Errorf("nodes %+v", got.Data.Nodes)
		}
		a, b := got.Data.Nodes[0], got.Data.Nodes[1]
		if a.WebSockets != 2 || b.WebSockets != 1 || b.Rooms != 1 || a.State != "ready" || a.Redis.Kind != "standalone" || !b.Redis.Connected {
			return fmt.Errorf("a %+v\nb %+v", a, b)
		}
		for _, l := range []*latencyStats{a.Latency, b.Latency} {
			if l == nil || l.RoundTrip == nil || *l.RoundTrip <= 0 {
				return fmt.Errorf("latency %+v", l)
			}
		}
		if got.Data.Partial || len(got.Data.Missing) > 0 {
			return fmt.Errorf("partial %t, missing %q", got.Data.Partial, got.Data.Missing)
		}
		if a.Process == nil || a.Process.MemoryBytes == 0 || a.Process.Goroutines == 0 {
			return fmt.Errorf("process %+v", a.Process)
		}
		return nil
	})
	ann.say("game:1", "counted")
	bob.awaitText("counted")
	console.figures(func(got consoleFigures) error {
		b := got.Data.Nodes[len(got.Data.Nodes)-1]
		if n := b.Deliveries["sent"]; n == 0 {
			return fmt.Errorf("%d deliveries at b", n)
		}
		if l := b.Latency.Sockets; l == nil || l.Samples == 0 || l.P50 <= 0 || l.P99 < l.P50 {
			return fmt.Errorf("from the bus to the sockets of b: %+v", l)
		}
		return nil
	})
	if n := s.b.metric(t, "gateway_bus_to_sockets_seconds_count"); n < 1 {
		t.Errorf("%v messages are in the histogram", n)
	}
	if n := s.b.metric(t, "gateway_redis_probe_seconds_count"); n < 1 {
		t.Errorf("%v probes are in the histogram", n)
	}
	s.a.mustCall(t, "POST /drain", `{"node":`+quote(s.b.together.nodes.ID())+`}`, nil)
	console.figures(func(got consoleFigures) error {
		for _, n := range got.Data.Nodes {
			if n.Node == "node-b" && n.State == "draining" {
				return nil
			}
		}
		return fmt.Errorf("nodes %+v", got.Data.Nodes)
	})
}

// TestServe_ConsoleSaysThatRedisIsAway has a console not take what one node knows for
// all there is.
func TestServe_ConsoleSaysThatRedisIsAway(t *testing.T) {
	t.Parallel()
	s := startAPI(t, nil)
	console := s.a.openConsole(t)
	console.figures(func(got consoleFigures) error {
		if len(got.Data.Nodes) != 2 || got.Data.Nodes[0].Latency.RoundTrip == nil {
			return fmt.Errorf("nodes %+v", got.Data.Nodes)
		}
		return nil
	})
	b := s.b.together.nodes.ID()
	s.redis.Kill()
	console.figures(func(got consoleFigures) error {
		d := got.Data
		if !d.Partial || len(d.Nodes) != 1 || !slices.Equal(d.Missing, []string{b}) {
			return fmt.Errorf("partial %t, %d nodes, missing %q; want this node alone, and that node-b is missing", d.Partial, len(d.Nodes), d.Missing)
		}
		if l := d.Nodes[0].Latency; l.RoundTrip != nil || l.Sockets != nil {
			return fmt.Errorf("latency %+v, want none", l)
		}
		return nil
	})
	s.redis.Restart()
	console.figures(func(got consoleFigures) error {
		if d := got.Data; d.Partial || len(d.Nodes) != 2 || len(d.Missing) > 0 {
			return fmt.Errorf("partial %t, %d nodes, missing %q", d.Partial, len(d.Nodes), d.Missing)
		}
		return nil
	})
}

// TestServe_ConsoleNamesTheSlow has a client read nothing while its room is loud.
func TestServe_ConsoleNamesTheSlow(t *testing.T) {
	t.Parallel()
	s := startAPI(t, func(c *Config) { c.Limits.WriteBufferBytes = 2 << 20 })
	console := s.a.openConsole(t)
	slow := s.b.mustDial(t, "?device=tv&token="+tokenOf("slow"), narrow())
	slow.greeted()
	slow.join("game:1")
	rdb := s.backend(t)
	eventually(t, func() error {
		if s.b.metric(t, "gateway_slow_connections") == 0 {
			// There is room for 16 times as much between slow and gone.
			publishAll(t, rdb, "websocket:room:game:1", 16, func(int) string {
				return `{"type":"room_message","content":"` + strings.Repeat("x", 4000) + `"}`
			})
			return fmt.Errorf("the socket takes everything")
		}
		return nil
	})
	console.figures(func(got consoleFigures) error {
		if len(got.Data.Nodes) != 2 {
			return fmt.Errorf("%d nodes", len(got.Data.Nodes))
		}
		list := got.Data.Nodes[1].Slow
		if len(list) != 1 || list[0].User != "slow" || list[0].Device != "tv" || list[0].Client == "" || list[0].Bytes < 1<<20 || list[0].Since.IsZero() {
			return fmt.Errorf("slow are %+v", list)
		}
		return nil
	})
}

// TestServe_ConsoleHasAPast asks what was before a console was opened.
func TestServe_ConsoleHasAPast(t *testing.T) {
	t.Parallel()
	s := startAPI(t, nil)
	eventually(t, func() error {
		var past struct {
			Moments []struct {
				At    int64 `json:"at_ms"`
				Nodes []nodeStats
			}
		}
		s.a.mustCall(t, "GET /console/past", "", &past)
		for _, m := range past.Moments {
			if len(m.Nodes) == 2 && m.Nodes[0].ID != m.Nodes[1].ID && m.At%5000 == 0 && m.Nodes[0].Process != nil {
				return nil
			}
		}
		return fmt.Errorf("the past is %+v", past)
	})
}

// TestServe_ConsoleIsClosedToOthers has tokens of consoles and users be good for
// what they are for only.
func TestServe_ConsoleIsClosedToOthers(t *testing.T) {
	t.Parallel()
	s := startAPI(t, nil)
	checkJSONError(t, fetchPost(t, "http://"+s.a.admin.addr()+"/api/v1/console"), http.StatusUnauthorized)
	console := s.a.openConsole(t)
	console.refused(4003, `{"type":"join_room","id":"ID","content":{"room":"game:1"}}`)
	console.figures(func(consoleFigures) error { return nil })

	var access struct{ Token string }
	s.a.mustCall(t, "POST /console", "", &access)
	remember(access.Token)
	other := s.b.mustDial(t, "?token="+access.Token, nil)
	other.closed(4001)

	_, err := s.a.dial(t, "?token="+tokenOf("eve"), &websocket.DialOptions{HTTPHeader: header("Origin", "https://evil.example.com")})
	if err == nil {
		t.Error("a page of another site connects")
	}
	eve := s.a.connect(t, "eve")
	for range 2 { // as long as the console gets something, eve does not
		console.figures(func(consoleFigures) error { return nil })
	}
	eve.nothingMore()
}

// fetchPost posts nothing, without a key.
func fetchPost(t *testing.T, url string) answer {
	t.Helper()
	resp, err := httpClient.Post(url, "application/json", strings.NewReader("{}")) //nolint:noctx // bounded by the client's timeout
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

func TestServe_ConsolePage(t *testing.T) {
	t.Parallel()
	s := startAPI(t, nil)
	page := s.a.getAdmin(t, "/console/")
	if page.status != http.StatusOK || !strings.Contains(page.body, "<html") || !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("/console/ answers %d %v %.200s", page.status, page.header, page.body)
	}
	if got := s.a.get(t, "/console/"); got.status != http.StatusNotFound {
		t.Errorf("the public listener answers /console/ with %d", got.status)
	}
}
