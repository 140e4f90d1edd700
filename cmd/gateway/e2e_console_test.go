package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// consoleFigures is what a console gets each second.
type consoleFigures struct {
	Entity string
	Data   struct {
		Nodes   []nodeStats
		Missing []string `json:"missing_nodes"`
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
		if a.Latency == nil || b.Latency == nil || a.Latency.P50 <= 0 || a.Latency.P99 < a.Latency.P50 {
			return fmt.Errorf("latencies %+v %+v", a.Latency, b.Latency)
		}
		if a.Process == nil || a.Process.MemoryBytes == 0 || a.Process.Goroutines == 0 {
			return fmt.Errorf("process %+v", a.Process)
		}
		return nil
	})
	ann.say("game:1", "counted")
	bob.awaitText("counted")
	console.figures(func(got consoleFigures) error {
		if n := got.Data.Nodes[len(got.Data.Nodes)-1].Deliveries["sent"]; n == 0 {
			return fmt.Errorf("%d deliveries at b", n)
		}
		return nil
	})
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
