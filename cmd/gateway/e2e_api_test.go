package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// apiKey is the key of the nodes under test that have one.
const apiKey = "end-to-end-tests-call-with-this"

func withAPI(c *Config) { c.Admin.APIKeys = []string{apiKey} }

// call makes a call of the internal API, "METHOD PATH" under /api/v1; body may be
// empty.
func (n *testNode) call(t testing.TB, call, body string) answer {
	t.Helper()
	method, path, _ := strings.Cut(call, " ")
	req, err := http.NewRequest(method, "http://"+n.admin.addr()+"/api/v1"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", apiKey)
	resp, err := httpClient.Do(req)
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

// mustCall is call for one that must succeed, and decodes the data.
func (n *testNode) mustCall(t testing.TB, call, body string, data any) {
	t.Helper()
	got := n.call(t, call, body)
	if got.status != http.StatusOK {
		t.Fatalf("%s: %s answers %d %s", n.cfg.Node, call, got.status, got.body)
	}
	if data != nil {
		decode(t, []byte(got.body), &struct{ Data any }{data})
	}
}

// startAPI runs two nodes that know each other.
func startAPI(t *testing.T, edit func(*Config)) *system {
	t.Helper()
	s := startSystem(t, func(c *Config) {
		withAPI(c)
		if edit != nil {
			edit(c)
		}
	})
	for _, n := range s.nodes() {
		n.awaitNodes(t, 2)
	}
	return s
}

// awaitNodes waits until the node knows of so many, itself among them.
func (n *testNode) awaitNodes(t testing.TB, want int) {
	t.Helper()
	eventually(t, func() error {
		if got := len(n.together.nodes.Live()); got != want {
			return fmt.Errorf("%s knows %d nodes, want %d", n.cfg.Node, got, want)
		}
		return nil
	})
}

func TestServe_APIWantsItsKey(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	closed, open := launch(t, redis.URL(), "closed", nil), launch(t, redis.URL(), "keyed", withAPI)
	checkJSONError(t, closed.call(t, "GET /stats", ""), http.StatusForbidden)
	checkJSONError(t, open.getAdmin(t, "/api/v1/stats"), http.StatusUnauthorized)
	open.mustCall(t, "GET /stats", "", nil)
	checkJSONError(t, open.call(t, "GET /nothing", ""), http.StatusNotFound)
	if got := open.get(t, "/api/v1/stats"); got.status != http.StatusNotFound {
		t.Errorf("the public listener answers /api/v1/stats with %d", got.status)
	}
}

// TestServe_APIAcrossNodes asks one node of what is at the other.
func TestServe_APIAcrossNodes(t *testing.T) {
	t.Parallel()
	s := startAPI(t, nil)
	ann, bob := s.a.connect(t, "ann"), s.b.connect(t, "bob")
	ann.join("game:1")
	bob.join("game:1")

	s.a.mustCall(t, "POST /publish", `{"channel":"user:bob","message":{"type":"system","content":"by the API"}}`, nil)
	bob.awaitText("by the API")
	s.b.mustCall(t, "POST /publish/batch", `{"messages":[`+
		`{"channel":"room:game:1","message":{"type":"room_message","content":"one"}},{"channel":"room:game:1","message":{"type":"room_message","content":"two"}}]}`, nil)
	for _, c := range []*client{ann, bob} {
		c.awaitText("one")
		c.awaitText("two")
	}

	var rooms struct {
		Rooms []struct {
			Room        string
			Connections int
		}
	}
	s.a.mustCall(t, "GET /rooms?prefix=game:", "", &rooms)
	if len(rooms.Rooms) != 1 || rooms.Rooms[0].Room != "game:1" || rooms.Rooms[0].Connections != 2 {
		t.Errorf("the rooms are %+v, want game:1 with two connections", rooms)
	}
	var members struct {
		Users []struct {
			UserID string `json:"user_id"`
		}
		Connections int
	}
	s.a.mustCall(t, "GET /rooms/game:1/members", "", &members)
	if len(members.Users) != 2 || members.Connections != 2 {
		t.Errorf("the members are %+v, want ann and bob", members)
	}
	var devices struct {
		Devices []struct{ Node, ClientID string }
	}
	s.a.mustCall(t, "GET /users/bob/devices", "", &devices)
	if len(devices.Devices) != 1 || devices.Devices[0].Node != s.b.together.nodes.ID() {
		t.Errorf("bob's devices are %+v, want one at node-b", devices)
	}
	eventually(t, func() error {
		var presence struct{ Users []struct{ Online bool } }
		s.a.mustCall(t, "POST /presence", `{"users":["bob","nobody"]}`, &presence)
		if len(presence.Users) != 2 || !presence.Users[0].Online || presence.Users[1].Online {
			return fmt.Errorf("bob and nobody are %+v", presence.Users)
		}
		return nil
	})
	var nodes struct{ Nodes []struct{ ID, Name string } }
	s.a.mustCall(t, "GET /nodes", "", &nodes)
	if len(nodes.Nodes) != 2 || nodes.Nodes[0].Name != "node-a" {
		t.Errorf("the nodes are %+v, want node-a and node-b", nodes)
	}
	checkJSONError(t, s.a.call(t, "GET /rooms/game:1/history", ""), http.StatusNotFound)

	s.a.mustCall(t, "POST /users/bob/join", `{"room":"game:2"}`, nil)
	bob.await("joined", func(f frame) bool { return f.Type == "joined" && f.Room == "game:2" })
	s.a.mustCall(t, "POST /users/bob/leave", `{"room":"game:2"}`, nil)
	bob.await("left", func(f frame) bool { return f.Type == "left" && f.Room == "game:2" })

	s.a.mustCall(t, "POST /users/bob/disconnect", "", nil)
	if r := bob.closed(4010); r.DelayMS != nil {
		t.Errorf("the close reason is %+v, want no delay: bob should stop", r)
	}
	ann.alive()
}

// TestServe_APIHistory publishes into a room that keeps history, and reads it.
func TestServe_APIHistory(t *testing.T) {
	t.Parallel()
	s := startAPI(t, withHistory)
	ann := s.b.connect(t, "ann")
	ann.join("log:1")
	type published struct {
		Offset    int
		Epoch     string
		Duplicate bool
	}
	publish := func(id, text string) (p published) {
		t.Helper()
		s.a.mustCall(t, "POST /publish", `{"channel":"room:log:1","id":`+quote(id)+`,"message":{"type":"room_message","content":`+quote(text)+`}}`, &p)
		return p
	}
	first, again, second := publish("m1", "one"), publish("m1", "one"), publish("m2", "two")
	if first.Offset != 1 || first.Epoch == "" || first.Duplicate || again.Offset != 1 || !again.Duplicate || second.Offset != 2 {
		t.Errorf("published as %+v, %+v and %+v, want offsets 1, 1 again and 2", first, again, second)
	}
	ann.hears("log:1", 1, 2)
	ann.nothingMore()
	var log struct {
		Epoch         string
		Offset, First int
		Messages      []struct {
			Offset  int
			Message struct{ Content string }
		}
	}
	s.b.mustCall(t, "GET /rooms/log:1/history?after=1", "", &log)
	if log.Epoch != first.Epoch || log.Offset != 2 || log.First != 1 || len(log.Messages) != 1 || log.Messages[0].Message.Content != "two" {
		t.Errorf("the history behind 1 is %+v, want the second message", log)
	}

	s.redis.Kill()
	s.a.awaitRedis(t, false)
	for _, channel := range []string{"room:log:1", "room:plain", "user:ann"} {
		checkJSONError(t, s.a.call(t, "POST /publish", `{"channel":"`+channel+`","message":{"type":"system"}}`), http.StatusServiceUnavailable)
	}
}

// toldOfRevocation logs how long it took from its begin until a revocation at one node
// had ended what is held at another, of which a second is promised where the machine
// keeps up. It fails the test when that may have been the other's regular look at all
// revocations, instead of its being told.
func toldOfRevocation(t *testing.T, began time.Time) {
	t.Helper()
	took := time.Since(began)
	t.Logf("the revocation took %v", took)
	if took > revokedReload/2 {
		t.Errorf("the revocation took %v, want at most a second; the other node was not told", took)
	}
}

// TestServe_RevokeAcrossNodes revokes at one node what is held at the other, by each
// of the ways to name it.
func TestServe_RevokeAcrossNodes(t *testing.T) {
	t.Parallel()
	s := startAPI(t, nil)
	issued := time.Now().Add(-time.Minute).Unix()
	exp := time.Now().Add(time.Hour).Unix()
	token := func(user, jti string) string {
		claims := map[string]any{"user_id": user, "iat": issued, "exp": exp}
		if jti != "" {
			claims["jti"] = jti
		}
		return sign(claims)
	}
	for name, tt := range map[string]struct{ token, body string }{
		"by jti":   {token("u1", "t-1"), `{"jti":"t-1"}`},
		"by token": {token("u2", ""), `{"token":"` + token("u2", "") + `"}`},
		"by user":  {token("u3", ""), `{"user":"u3","ttl_seconds":60}`},
	} {
		t.Run(name, func(t *testing.T) {
			bystander := s.b.connectWith(t, token("bystander", ""))
			c := s.b.connectWith(t, tt.token)
			started := time.Now()
			s.a.mustCall(t, "POST /revoke", tt.body, nil)
			if r := c.closed(4301); r.Reason != "revoked" {
				t.Errorf("the close reason is %+v, want revoked", r)
			}
			toldOfRevocation(t, started)
			for _, n := range s.nodes() {
				n.mustDial(t, "?token="+tt.token, nil).closed(4301)
			}
			bystander.refused(4003, `{"type":"refresh","id":"ID","content":{"token":`+quote(tt.token)+`}}`)
			bystander.alive()
		})
	}
	checkJSONError(t, s.a.get(t, "/ws?token="+token("u1", "t-1")), http.StatusUnauthorized)

	phone := s.b.mustDial(t, "?device=phone&token="+token("u4", ""), nil)
	phone.greeted()
	desk := s.b.mustDial(t, "?device=desk&token="+token("u4", ""), nil)
	desk.greeted()
	s.a.mustCall(t, "POST /revoke", `{"user":"u4","device":"phone"}`, nil)
	phone.closed(4301)
	s.a.mustDial(t, "?device=phone&token="+token("u4", ""), nil).closed(4301)
	desk.alive()

	// A token that the user gets afterwards is good.
	after := sign(map[string]any{"user_id": "u3", "iat": time.Now().Unix() + 1, "exp": exp})
	s.b.connectWith(t, after)
}

// TestServe_RevocationsOutliveNodesAndOutages: a node that starts later knows them,
// and so does one that could not be told.
func TestServe_RevocationsOutliveNodesAndOutages(t *testing.T) {
	t.Parallel()
	s := startAPI(t, nil)
	first, second := sign(map[string]any{"user_id": "ann", "jti": "first"}), sign(map[string]any{"user_id": "ann", "jti": "second"})
	s.a.mustCall(t, "POST /revoke", `{"jti":"first"}`, nil)
	late := launch(t, s.redis.URL(), "late", withAPI)
	eventually(t, func() error {
		var stats struct{ Revoked int }
		late.mustCall(t, "GET /stats", "", &stats)
		if stats.Revoked != 1 {
			return fmt.Errorf("the node knows %d revocations", stats.Revoked)
		}
		return nil
	})
	late.mustDial(t, "?token="+first, nil).closed(4301)

	c := late.connectWith(t, second)
	s.redis.Pause()
	checkJSONError(t, s.a.call(t, "POST /revoke", `{"jti":"second"}`), http.StatusServiceUnavailable)
	s.redis.Resume()
	eventually(t, func() error {
		if got := s.a.call(t, "POST /revoke", `{"jti":"second"}`); got.status != http.StatusOK {
			return fmt.Errorf("revoke answers %d %s", got.status, got.body)
		}
		return nil
	})
	c.closed(4301)
}

// TestServe_DrainByTheAPI drains a node by way of another; the process stays.
func TestServe_DrainByTheAPI(t *testing.T) {
	t.Parallel()
	s := startAPI(t, nil)
	c := s.b.connect(t, "ann")
	checkJSONError(t, s.a.call(t, "POST /drain", `{"node":"no such node"}`), http.StatusNotFound)
	s.a.mustCall(t, "POST /drain", `{"node":`+quote(s.b.together.nodes.ID())+`}`, nil)
	c.awaitType("reconnect")
	c.closed(4200)
	select {
	case <-s.b.leaving.done:
	case <-time.After(patience):
		t.Fatal("the drain does not end")
	}
	select {
	case <-s.b.ended:
		t.Error("the process has ended with the drain")
	default:
	}
	s.b.mustCall(t, "GET /stats", "", nil)
	if _, err := s.b.dial(t, "?token="+tokenOf("ann"), nil); err == nil {
		t.Error("a drained node takes connections")
	}
	s.a.connect(t, "ann")
}
