package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ginforge/gateway/session/auth"
)

const (
	postPublish = "POST /api/v1/publish"
	hello       = `{"type":"system","content":{"message":"hi"}}`
)

// TestCalls has what each call asks of the gateway, and what it answers.
func TestCalls(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		call, body string
		did        []string
		data       string
	}{
		"publish": {
			postPublish, `{"channel":"room:chat:1","message":` + hello + `,"id":"m1"}`,
			[]string{`publish room "chat:1" ` + hello + ` "m1"`},
			`{"offset":7,"epoch":"e"}`,
		},
		"publish as in Redis": {
			postPublish, `{"channel":"websocket:user:ann","message":{"message":` + hello + `}}`,
			[]string{`publish user "ann" {"message":` + hello + `} ""`},
			`{"offset":7,"epoch":"e"}`,
		},
		"broadcast": {
			postPublish, `{"channel":"broadcast","message":` + hello + `}`,
			[]string{`publish broadcast "" ` + hello + ` ""`},
			`{"offset":7,"epoch":"e"}`,
		},
		"notification": {
			postPublish, `{"channel":"notification:ann","message":` + hello + `}`,
			[]string{`publish notification "ann" ` + hello + ` ""`},
			`{"offset":7,"epoch":"e"}`,
		},
		"batch": {
			postPublish + "/batch", `{"messages":[{"channel":"room:a","message":` + hello + `},{"channel":"x","message":{}},{"channel":"room:full","message":` + hello + `},{"channel":"room:b","message":` + hello + `}]}`,
			[]string{`publish room "a" ` + hello + ` ""`, `publish room "full" ` + hello + ` ""`, `publish room "b" ` + hello + ` ""`},
			`{"results":[{"code":0,"data":{"offset":7,"epoch":"e"}},` +
				`{"code":400,"message":"channel: want broadcast, user:ID, notification:ID or room:NAME"},` +
				`{"code":503,"message":"Redis is not available: try again"},{"code":0,"data":{"offset":7,"epoch":"e"}}]}`,
		},
		"rooms":         {"GET /api/v1/rooms?prefix=chat:&after=chat:0&limit=7", "", []string{`rooms "chat:" "chat:0" 7`}, `{"rooms":[{"room":"chat:1","connections":3}]}`},
		"rooms, all":    {"GET /api/v1/rooms", "", []string{`rooms "" "" 100`}, `{"rooms":[{"room":"chat:1","connections":3}]}`},
		"members":       {"GET /api/v1/rooms/a%2Fb:c/members", "", []string{`members "a/b:c" 100`}, `{"users":[{"user_id":"ann","user_name":"Ann","devices":2}],"connections":2}`},
		"history":       {"GET /api/v1/rooms/chat:1/history?after=3&limit=5", "", []string{`history "chat:1" 3 5`}, `{"epoch":"e","offset":9,"first":3,"messages":[{"offset":4,"message":{"type":"x"}}]}`},
		"console":       {"POST /api/v1/console", "", []string{`console "http://example.com" "example.com"`}, `{"url":"ws://node/ws","token":"t","expires_at":"0001-01-01T00:00:00Z"}`},
		"console, past": {"GET /api/v1/console/past", "", []string{`past`}, `{"moments":[{"at_ms":5000,"nodes":[{"id":"n"}]}]}`},
		"trace":         {"POST /api/v1/trace", `{"id":"m-17"}`, []string{`trace "m-17"`}, `{"id":"m-17","until":"0001-01-01T00:00:00Z"}`},
		"traced":        {"GET /api/v1/trace/m%2F17", "", []string{`traced "m/17"`}, `{"id":"m/17"}`},
		"users":         {"GET /api/v1/users?after=a", "", []string{`online "a" 100`}, `{"users":null,"total":1}`},
		"presence":      {"POST /api/v1/presence", `{"users":["ann","bob"]}`, []string{`presence ["ann" "bob"]`}, `{"users":[{"user_id":"ann","online":true},{"user_id":"bob","online":false}]}`},
		"devices":       {"GET /api/v1/users/ann/devices", "", []string{`devices "ann"`}, `{"devices":[{"node":"n1","client_id":"c1"}]}`},
		"disconnect":    {"POST /api/v1/users/ann/disconnect", "", []string{`disconnect "ann" {DeviceID: ClientID:} disconnected`}, `{"connections":2,"missing_nodes":["n9"]}`},
		"a device":      {"POST /api/v1/users/ann/disconnect", `{"device_id":"phone"}`, []string{`disconnect "ann" {DeviceID:phone ClientID:} disconnected`}, `{"connections":2,"missing_nodes":["n9"]}`},
		"join":          {"POST /api/v1/users/ann/join", `{"room":"chat:1"}`, []string{`join "ann" "chat:1"`}, `{"connections":1}`},
		"leave":         {"POST /api/v1/users/ann/leave", `{"room":"chat:1"}`, []string{`leave "ann" "chat:1"`}, `{"connections":1}`},
		"stats":         {"GET /api/v1/stats", "", nil, `{"connections":5}`},
		"drain":         {"POST /api/v1/drain", "", []string{`drain this`}, `{"draining":true}`},
		"drain another": {"POST /api/v1/drain", `{"node":"n2"}`, []string{`drain "n2"`}, `{"draining":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, g := newServer(nil)
			got := ask(s, tt.call, tt.body, nil)
			if want := `{"code":0,"message":"success","data":` + tt.data + `}`; got.status != http.StatusOK || got.body != want {
				t.Errorf("%s answers %d\n\t%s\nwant\n\t%s", tt.call, got.status, got.body, want)
			}
			if !slices.Equal(g.did, tt.did) {
				t.Errorf("%s did %q, want %q", tt.call, g.did, tt.did)
			}
		})
	}
}

// TestCalls_Refused has what callers do wrong, none of which reaches the gateway.
func TestCalls_Refused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1024)
	for name, tt := range map[string]struct {
		call, body string
		status     int
		text       string
	}{
		"no JSON":             {postPublish, `hello`, 400, "the body is not what this call takes"},
		"unknown member":      {postPublish, `{"chanel":"broadcast"}`, 400, "chanel"},
		"more than an object": {postPublish, `{"channel":"broadcast"}{}`, 400, "behind"},
		"no message":          {postPublish, `{"channel":"broadcast"}`, 400, "message is missing"},
		"no type":             {postPublish, `{"channel":"broadcast","message":{"content":1}}`, 400, "type is missing"},
		"too big":             {postPublish, `{"channel":"broadcast","message":{"type":"x","content":"` + long + `"}}`, 413, "1024 bytes"},
		"far too big":         {postPublish, `{"channel":"` + strings.Repeat("x", 1<<17) + `"}`, 413, "the body is longer than"},
		"no user":             {postPublish, `{"channel":"user:","message":` + hello + `}`, 400, "user:ID"},
		"no room":             {postPublish, `{"channel":"room:","message":` + hello + `}`, 400, "room:NAME"},
		"named broadcast":     {postPublish, `{"channel":"broadcast:x","message":` + hello + `}`, 400, "no name"},
		"empty channel":       {postPublish, `{"message":` + hello + `}`, 400, "channel"},
		"long id":             {postPublish, `{"channel":"broadcast","message":` + hello + `,"id":"` + long + `"}`, 400, "128 bytes"},
		"empty batch":         {postPublish + "/batch", `{"messages":[]}`, 400, "1 to 1000"},
		"long batch":          {postPublish + "/batch", `{"messages":[` + strings.Repeat(`{},`, 1000) + `{}]}`, 400, "1 to 1000"},
		"limit zero":          {"GET /api/v1/rooms?limit=0", "", 400, "1 to 1000"},
		"limit no number":     {"GET /api/v1/users?limit=x", "", 400, "1 to 1000"},
		"limit too big":       {"GET /api/v1/rooms/a/members?limit=1001", "", 400, "1 to 1000"},
		"bad room":            {"GET /api/v1/rooms/%00/members", "", 400, "room"},
		"bad offset":          {"GET /api/v1/rooms/a/history?after=-1", "", 400, "after"},
		"nobody":              {"POST /api/v1/presence", `{}`, 400, "1 to 1000"},
		"bad user":            {"POST /api/v1/presence", `{"users":[""]}`, 400, "128 bytes"},
		"bad user in path":    {"GET /api/v1/users/%0A/devices", "", 400, "128 bytes"},
		"which":               {"POST /api/v1/users/ann/disconnect", `{"devise":"x"}`, 400, "devise"},
		"join nothing":        {"POST /api/v1/users/ann/join", `{}`, 400, "room"},
		"revoke nothing":      {"POST /api/v1/revoke", `{}`, 400, "one of token, jti and user"},
		"revoke two":          {"POST /api/v1/revoke", `{"user":"ann","jti":"x"}`, 400, "one of token, jti and user"},
		"device of nobody":    {"POST /api/v1/revoke", `{"jti":"x","device":"d"}`, 400, "one of token, jti and user"},
		"a bad token":         {"POST /api/v1/revoke", `{"token":"bad"}`, 400, "token"},
		"an expired token":    {"POST /api/v1/revoke", `{"token":"old"}`, 409, "expired"},
		"for ever":            {"POST /api/v1/revoke", `{"jti":"x","ttl_seconds":99999999999}`, 400, "ttl_seconds"},
		"a bad device":        {"POST /api/v1/revoke", `{"user":"ann","device":"` + long + `"}`, 400, "device"},
		"no call":             {"GET /api/v1/nothing", "", 404, "no such call"},
		"another method":      {"GET /api/v1/drain", "", 405, "POST"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, g := newServer(nil)
			ask(s, tt.call, tt.body, nil).wantError(t, tt.status, tt.text)
			if len(g.did) > 0 {
				t.Errorf("the gateway was asked to %q", g.did)
			}
		})
	}
}

func TestCalls_NotFound(t *testing.T) {
	t.Parallel()
	s, _ := newServer(nil)
	ask(s, "GET /api/v1/rooms/plain/history", "", nil).wantError(t, 404, "keeps no history")
	ask(s, "POST /api/v1/drain", `{"node":"gone"}`, nil).wantError(t, 404, "node")
}

// What goes wrong inside is told without its details.
func TestCalls_Fail(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		status int
		text   string
	}{
		"inside":     {errSecret, 500, "this did not work"},
		"Redis away": {fmt.Errorf("bus: %w", ErrUnavailable), 503, "try again"},
		"Redis lost": {fmt.Errorf("redis: %w", &net.OpError{Op: "read", Err: errSecret}), 503, "try again"},
		"too slow":   {fmt.Errorf("redis: %w", context.DeadlineExceeded), 504, "try again"},
	} {
		for _, r := range routes {
			if r.path == "/api/v1/stats" || r.path == "/api/v1/nodes" || r.path == "/api/v1/publish/batch" {
				continue // they have no error of their own
			}
			s, g := newServer(nil)
			g.fail = tt.err
			call := strings.NewReplacer("{room}", "r", "{user}", "u").Replace(r.name())
			got := ask(s, call, bodies[r.path], nil)
			t.Run(name+" "+call, func(t *testing.T) { got.wantError(t, tt.status, tt.text) })
			if strings.Contains(got.body, "10.0.0.7") {
				t.Errorf("%s tells %s", call, got.body)
			}
		}
	}
}

// bodies are good ones, of the calls that take one.
var bodies = map[string]string{
	"/api/v1/publish":            `{"channel":"broadcast","message":` + hello + `}`,
	"/api/v1/presence":           `{"users":["u"]}`,
	"/api/v1/users/{user}/join":  `{"room":"r"}`,
	"/api/v1/users/{user}/leave": `{"room":"r"}`,
	"/api/v1/revoke":             `{"user":"u"}`,
	"/api/v1/drain":              `{"node":"n"}`,
}

// TestRevoke has what each way of naming tokens comes to.
func TestRevoke(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"token":"good"}`:                                  `revoke {"token":"0000000000000001"} for 1h0m0s`, // as long as it would be good
		`{"token":"good","ttl_seconds":60}`:                 `revoke {"token":"0000000000000001"} for 1m0s`,
		`{"jti":"t1"}`:                                      `revoke {"token":"` + tokenOf("t1") + `"} for 24h0m0s`,
		`{"user":"ann","ttl_seconds":600}`:                  `revoke {"user":"ann","issued":NOW} for 10m0s`,
		`{"user":"ann","device":"phone","ttl_seconds":600}`: `revoke {"user":"ann","device":"phone","issued":NOW} for 10m0s`,
	} {
		s, g := newServer(nil)
		if got := ask(s, "POST /api/v1/revoke", body, nil); got.status != http.StatusOK || !strings.Contains(got.body, `"until":`) {
			t.Errorf("revoke %s answers %d %s", body, got.status, got.body)
		}
		if len(g.did) != 1 || issuedNow.ReplaceAllString(g.did[0], `"issued":NOW`) != want {
			t.Errorf("revoke %s did %q, want %q", body, g.did, want)
		}
	}
}

var issuedNow = regexp.MustCompile(`"issued":\d+`)

func tokenOf(jti string) string { return auth.TokenIDOf(jti).String() }
