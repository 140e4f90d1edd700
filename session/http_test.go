package session

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/engine"
)

// answer is a JSON answer as another program sees it.
type answer struct {
	Code    int            `json:"code"`
	Message string         `json:"message"`
	Data    map[string]any `json:"data"`
}

// ask serves one request and reads the answer.
func ask(t testing.TB, h http.Handler, r *http.Request) (*http.Response, answer) {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	var a answer
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
		t.Fatalf("answer %q: %v", rec.Body, err)
	}
	res := rec.Result()
	if got := res.Header.Get("Content-Length"); got != strconv.Itoa(rec.Body.Len()) {
		t.Errorf("Content-Length is %s, want %d", got, rec.Body.Len())
	}
	if got := res.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q, want application/json", got)
	}
	return res, a
}

func get(path string) *http.Request { return httptest.NewRequest(http.MethodGet, path, nil) }

func TestWriteJSON(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		fill func([]byte) []byte
		want string
	}{
		"no data":    {"success", nil, `{"code":7,"message":"success"}`},
		"empty data": {"success", func(b []byte) []byte { return b }, `{"code":7,"message":"success","data":{}}`},
		"data": {
			"success", func(b []byte) []byte { return append(b, `"n":1`...) },
			`{"code":7,"message":"success","data":{"n":1}}`,
		},
		"quotes": {"a \"b\"\n\xff", nil, "{\"code\":7,\"message\":\"a \\\"b\\\"\\n\ufffd\"}"},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { WriteJSON(w, http.StatusTeapot, 7, tt.text, tt.fill) })
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, get("/"))
			if rec.Code != http.StatusTeapot || rec.Body.String() != tt.want {
				t.Errorf("WriteJSON = %d %s, want %d %s", rec.Code, rec.Body, http.StatusTeapot, tt.want)
			}
			ask(t, h, get("/")) // it is JSON
		})
	}
}

func TestManager_ServeStats(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.connect(t, "u1", "a", "b")
		w.connect(t, "u1", "a")
		w.connect(t, "u2")
		_, a := ask(t, w.ServeStats(time.Now().Add(-90*time.Second)), get("/ws/stats"))
		want := map[string]any{"total_clients": 3.0, "online_users": 2.0, "total_rooms": 2.0, "uptime": 90.0}
		if a.Code != 0 || a.Message != "success" || fmt.Sprint(a.Data) != fmt.Sprint(want) {
			t.Errorf("answer = %+v, want %v", a, want)
		}
	})
}

func TestManager_ServeOnlineUsers(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		for i := range 250 {
			w.connect(t, fmt.Sprintf("u%03d", i))
		}
		w.connect(t, "u000")
		h := http.HandlerFunc(w.ServeOnlineUsers)
		for _, tt := range []struct {
			query       string
			first, last string // empty: no users
			users       int
		}{
			{"", "u000", "u099", 100},
			{"&limit=1", "u000", "u000", 1},
			{"&limit=1000", "u000", "u249", 250},
			{"&after=u000&limit=2", "u001", "u002", 2},
			{"&after=u0995", "u100", "u199", 100},
			{"&after=u199", "u200", "u249", 50},
			{"&after=u249", "", "", 0},
			{"&after=zzz", "", "", 0},
		} {
			res, a := ask(t, h, get("/ws/online-users?token=good"+tt.query))
			users := a.Data["users"].([]any)
			if res.StatusCode != http.StatusOK || a.Code != 0 || a.Data["total"] != 250.0 || len(users) != tt.users {
				t.Errorf("%q: %d code %d, %d users of %v; want 200, 0, %d of 250", tt.query, res.StatusCode, a.Code, len(users), a.Data["total"], tt.users)
				continue
			}
			if tt.users == 0 {
				continue
			}
			first, last := users[0].(map[string]any), users[len(users)-1].(map[string]any)
			if first["user_id"] != tt.first || last["user_id"] != tt.last {
				t.Errorf("%q: %v to %v, want %s to %s", tt.query, first["user_id"], last["user_id"], tt.first, tt.last)
			}
			if first["user_id"] == "u000" && (first["devices"] != 2.0 || first["user_name"] != "U000") {
				t.Errorf("%q: first is %v, want U000 with 2 devices", tt.query, first)
			}
		}
	})
}

// Lists are made by pollers: nobody can keep them busy with that.
func TestManager_ServeOnlineUsersRate(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		statuses := map[int]int{}
		h := http.HandlerFunc(w.ServeOnlineUsers)
		for range 30 {
			res, a := ask(t, h, get("/ws/online-users?token=good"))
			statuses[res.StatusCode]++
			if res.StatusCode == http.StatusTooManyRequests && (a.Code != 429 || res.Header.Get("Retry-After") != "1") {
				t.Errorf("answer = %+v, Retry-After %q, want 429 and 1", a, res.Header.Get("Retry-After"))
			}
		}
		if statuses[200] != 10 || statuses[429] != 20 {
			t.Errorf("statuses are %v, want 10 of 200 and 20 of 429", statuses)
		}
		time.Sleep(time.Second)
		if res, _ := ask(t, h, get("/ws/online-users?token=good")); res.StatusCode != http.StatusOK {
			t.Errorf("status %d after a second, want 200", res.StatusCode)
		}
	})
}

func TestManager_ServeOnlineUsersRefuses(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		for query, want := range map[string]answer{
			"":                         {Code: 401, Message: "bad token"},
			"?token=wrong":             {Code: 401, Message: "bad token"},
			"?token=expired":           {Code: 401, Message: "expired"},
			"?token=good&limit=0":      {Code: 400, Message: "limit must be a number from 1 to 1000"},
			"?token=good&limit=1001":   {Code: 400, Message: "limit must be a number from 1 to 1000"},
			"?token=good&limit=x":      {Code: 400, Message: "limit must be a number from 1 to 1000"},
			"?token=good&limit=-1":     {Code: 400, Message: "limit must be a number from 1 to 1000"},
			"?token=good&limit=1&x=%%": {},
		} {
			res, a := ask(t, http.HandlerFunc(w.ServeOnlineUsers), get("/ws/online-users"+query))
			if a.Code != want.Code || (want.Code != 0 && (a.Message != want.Message || res.StatusCode != want.Code || a.Data != nil)) {
				t.Errorf("%q: %d %+v, want %+v", query, res.StatusCode, a, want)
			}
		}
	})
}

// withEngine gives the world an engine that is never started: enough for what
// is not upgraded.
func (w *world) withEngine(t testing.TB) *world {
	t.Helper()
	e, err := engine.New(engine.DefaultConfig(), http.NewServeMux(), zerolog.Nop())
	if err != nil {
		t.Fatalf("engine.New: %v", err)
	}
	w.Serve(e)
	return w
}

func TestManager_ServeHTTPPlain(t *testing.T) {
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer good") }
	webSocket := func(r *http.Request) {
		bearer(r)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	}
	for name, tt := range map[string]struct {
		path     string
		edit     func(*http.Request)
		draining bool
		want     answer
		header   string // that must be there
		result   string // of Stats.Handshakes
	}{
		"no token":      {"/ws", nil, false, answer{Code: 401, Message: "bad token"}, "Www-Authenticate", "bad_token"},
		"wrong token":   {"/ws?token=wrong", nil, false, answer{Code: 401, Message: "bad token"}, "Www-Authenticate", "bad_token"},
		"expired token": {"/ws?token=expired", nil, false, answer{Code: 401, Message: "expired"}, "Www-Authenticate", "expired"},
		"draining":      {"/ws?token=good", nil, true, answer{Code: 503, Message: "draining"}, "", "draining"},
		"no upgrade":    {"/ws?token=good", nil, false, answer{Code: 426, Message: "this path speaks WebSocket"}, "Upgrade", "bad_request"},
		"old version": {
			"/ws", func(r *http.Request) { webSocket(r); r.Header.Set("Sec-WebSocket-Version", "8") },
			false,
			answer{Code: 426, Message: "Sec-WebSocket-Version must be 13"},
			"Sec-Websocket-Version", "bad_request",
		},
		"old version, draining": {
			"/ws", func(r *http.Request) { webSocket(r); r.Header.Set("Sec-WebSocket-Version", "8") },
			true,
			answer{Code: 426, Message: "Sec-WebSocket-Version must be 13"},
			"Sec-Websocket-Version", "bad_request",
		},
		"wrong method": {
			"/ws", func(r *http.Request) { webSocket(r); r.Method = http.MethodPost },
			false,
			answer{Code: 405, Message: "a WebSocket handshake is a GET request"},
			"Allow", "bad_request",
		},
		"no key": {
			"/ws", func(r *http.Request) { webSocket(r); r.Header.Del("Sec-WebSocket-Key") },
			false,
			answer{Code: 400, Message: "Sec-WebSocket-Key must be 16 bytes in base64"},
			"", "bad_request",
		},
		"another origin": {
			"/ws", func(r *http.Request) { webSocket(r); r.Header.Set("Origin", "https://evil.example") },
			false,
			answer{Code: 403, Message: "this origin may not connect"},
			"", "bad_request",
		},
		"another origin, wrong token": {
			"/ws?token=wrong", func(r *http.Request) { webSocket(r); r.Header.Set("Origin", "https://evil.example") },
			false,
			answer{Code: 403, Message: "this origin may not connect"},
			"", "bad_request",
		},
		"not of our engine": {
			"/ws", webSocket,
			false,
			answer{Code: 500, Message: "this connection cannot be upgraded"},
			"", "bad_request",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil).withEngine(t)
			w.draining.Store(tt.draining)
			r := get(tt.path)
			if tt.edit != nil {
				tt.edit(r)
			}
			res, a := ask(t, w, r)
			if res.StatusCode != tt.want.Code || a.Code != tt.want.Code || a.Message != tt.want.Message {
				t.Errorf("answer = %d %+v, want %+v", res.StatusCode, a, tt.want)
			}
			if tt.header != "" && res.Header.Get(tt.header) == "" {
				t.Errorf("header %s is missing: %v", tt.header, res.Header)
			}
			for result, n := range w.Stats().Handshakes {
				if want := result == tt.result; (n == 1) != want {
					t.Errorf("Handshakes[%s] = %d, want only %s counted", result, n, tt.result)
				}
			}
		})
	}
}
