package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/cluster"
	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/pubsub/nodes"
	"github.com/ginforge/gateway/session/auth"
)

// fakeGateway is a backend that remembers what it was asked to do, in words.
type fakeGateway struct {
	mu   sync.Mutex
	did  []string // guarded by mu
	fail error    // what everything returns; set before the first call
}

func (g *fakeGateway) note(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.did = append(g.did, fmt.Sprintf(format, args...))
}

func (g *fakeGateway) Publish(_ context.Context, to Channel, payload []byte, id string) (Published, error) {
	g.note("publish %s %q %s %q", to.Kind, to.Name, payload, id)
	if to.Name == "full" {
		return Published{}, fmt.Errorf("bus: %w", ErrUnavailable)
	}
	return Published{Offset: 7, Epoch: "e"}, g.fail
}

func (g *fakeGateway) Members(_ context.Context, room string, limit int) (cluster.Members, error) {
	g.note("members %q %d", room, limit)
	return cluster.Members{Users: []cluster.Present{{UserID: "ann", UserName: "Ann", Devices: 2}}, Connections: 2}, g.fail
}

func (g *fakeGateway) OnlineUsers(_ context.Context, after string, limit int) (cluster.Page, error) {
	g.note("online %q %d", after, limit)
	return cluster.Page{Total: 1}, g.fail
}

func (g *fakeGateway) Devices(_ context.Context, user string) (cluster.Devices, error) {
	g.note("devices %q", user)
	return cluster.Devices{Devices: []cluster.Device{{Node: "n1", ClientID: "c1"}}}, g.fail
}

func (g *fakeGateway) Disconnect(_ context.Context, user string, which cluster.Selector, why cluster.Why) (int, []string, error) {
	g.note("disconnect %q %+v %s", user, which, why)
	return 2, []string{"n9"}, g.fail
}

func (g *fakeGateway) Online(_ context.Context, users []string) ([]bool, error) {
	g.note("presence %q", users)
	online := make([]bool, len(users))
	online[0] = true
	return online, g.fail
}

func (g *fakeGateway) Rooms(_ context.Context, prefix, after string, limit int) (cluster.RoomPage, error) {
	g.note("rooms %q %q %d", prefix, after, limit)
	return cluster.RoomPage{Rooms: []cluster.RoomCount{{Room: "chat:1", Connections: 3}}}, g.fail
}

func (g *fakeGateway) Join(_ context.Context, user, room string) (int, []string, error) {
	g.note("join %q %q", user, room)
	return 1, nil, g.fail
}

func (g *fakeGateway) Leave(_ context.Context, user, room string) (int, []string, error) {
	g.note("leave %q %q", user, room)
	return 1, nil, g.fail
}

func (g *fakeGateway) Nodes() []nodes.Node { return []nodes.Node{{ID: "n1", Name: "node-1"}} }

func (g *fakeGateway) Drain(_ context.Context, node string) error {
	g.note("drain %q", node)
	if node == "gone" {
		return fmt.Errorf("cluster: %w", nodes.ErrNoNode)
	}
	return g.fail
}

func (g *fakeGateway) ReadHistory(_ context.Context, room string, after uint64, limit int) (Log, error) {
	g.note("history %q %d %d", room, after, limit)
	if room == "plain" {
		return Log{}, fmt.Errorf("%w", ErrNoHistory)
	}
	return Log{Epoch: "e", Offset: 9, First: 3, Messages: []Kept{{4, json.RawMessage(`{"type":"x"}`)}}}, g.fail
}

func (g *fakeGateway) Revoke(_ context.Context, r auth.Revocation) error {
	g.note("revoke %s for %v", r.Encode(), time.Until(r.Until).Round(time.Minute))
	return g.fail
}

func (g *fakeGateway) Verify(token string) (auth.Identity, error) {
	switch token {
	case "good":
		return auth.Identity{UserID: "ann", Token: 1, Expires: time.Now().Add(time.Hour)}, nil
	case "old":
		return auth.Identity{}, auth.ErrExpired
	}
	return auth.Identity{}, auth.ErrInvalid
}

// testKey is the key of a test's server.
const testKey = "a-key-of-more-than-sixteen-bytes"

// newServer makes a server of a fake gateway; edit may be nil.
func newServer(edit func(*Config)) (*Server, *fakeGateway) {
	g := &fakeGateway{}
	cfg := Config{
		Keys: []string{"another-key-that-is-good-too", testKey}, Prefix: "websocket:",
		Message:  message.Limits{Bytes: 1024, Depth: 32},
		RoomName: func(name string) bool { return name != "" && len(name) <= 255 && !strings.ContainsAny(name, "\x00\n") },
	}
	if edit != nil {
		edit(&cfg)
	}
	backend := Backend{
		Publisher: g, Cluster: g, History: g, Revoker: g, Console: g, Tracer: g,
		Stats: func() any { return map[string]int{"connections": 5} },
		Drain: func() { g.note("drain this") },
	}
	return New(cfg, backend, zerolog.Nop()), g
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask makes a call; "METHOD PATH".
func ask(s http.Handler, call, body string, edit func(*http.Request)) answer {
	method, path, _ := strings.Cut(call, " ")
	r := httptest.NewRequest(method, path, io.Reader(strings.NewReader(body)))
	r.Header.Set(KeyHeader, testKey)
	if edit != nil {
		edit(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), strings.TrimSpace(w.Body.String())}
}

// wantError fails the test unless the answer is an error of this status that says
// text.
func (a answer) wantError(t *testing.T, status int, text string) {
	t.Helper()
	var body struct {
		Code    int
		Message string
		Data    any
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("the answer %q is no JSON: %v", a.body, err)
	}
	if a.status != status || body.Code != status || !strings.Contains(body.Message, text) || body.Data != nil {
		t.Errorf("the answer is %d %s, want %d and %q", a.status, a.body, status, text)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("the answer is %s, want application/json", got)
	}
}

var errSecret = errors.New("dial tcp 10.0.0.7:6379: refused")

func (g *fakeGateway) OpenConsole(origin, host string) (ConsoleAccess, error) {
	g.note("console %q %q", origin, host)
	return ConsoleAccess{URL: "ws://node/ws", Token: "t"}, g.fail
}

func (g *fakeGateway) ConsolePast(context.Context) (ConsolePast, error) {
	g.note("past")
	return ConsolePast{Moments: []ConsoleMoment{{At: 5000, Nodes: []json.RawMessage{json.RawMessage(`{"id":"n"}`)}}}}, g.fail
}

func (g *fakeGateway) Trace(_ context.Context, id string) (Tracing, error) {
	g.note("trace %q", id)
	return Tracing{ID: id}, g.fail
}

func (g *fakeGateway) Traced(_ context.Context, id string) (any, error) {
	g.note("traced %q", id)
	return map[string]any{"id": id}, g.fail
}
