package api

import (
	"net/http"
	"strings"
)

// route is one call.
type route struct {
	method, path string
	handle       func(s *Server, r *http.Request) (data any, err error)
	changes      bool // it is logged who made it
	maxBody      int64
}

// maxBody is the most that calls take which carry no messages.
const maxBody = 64 << 10

// routes are all calls. docs/openapi.yaml has a section for each.
var routes = []route{
	{"POST", "/api/v1/publish", (*Server).publish, false, 0},
	{"POST", "/api/v1/publish/batch", (*Server).publishBatch, false, maxBatchBytes},
	{"GET", "/api/v1/rooms", (*Server).rooms, false, maxBody},
	{"GET", "/api/v1/rooms/{room}/members", (*Server).members, false, maxBody},
	{"GET", "/api/v1/rooms/{room}/history", (*Server).history, false, maxBody},
	{"GET", "/api/v1/users", (*Server).onlineUsers, false, maxBody},
	{"POST", "/api/v1/presence", (*Server).presence, false, maxPresenceBytes},
	{"GET", "/api/v1/users/{user}/devices", (*Server).devices, false, maxBody},
	{"POST", "/api/v1/users/{user}/disconnect", (*Server).disconnect, true, maxBody},
	{"POST", "/api/v1/users/{user}/join", (*Server).join, true, maxBody},
	{"POST", "/api/v1/users/{user}/leave", (*Server).leave, true, maxBody},
	{"POST", "/api/v1/revoke", (*Server).revoke, true, maxBody},
	{"GET", "/api/v1/stats", (*Server).stats, false, maxBody},
	{"GET", "/api/v1/nodes", (*Server).nodes, false, maxBody},
	{"POST", "/api/v1/drain", (*Server).drain, true, maxBody},
	{"POST", "/api/v1/trace", (*Server).trace, true, maxBody},
	{"GET", "/api/v1/trace/{id}", (*Server).traced, false, maxBody},
	{"POST", "/api/v1/console", (*Server).console, true, maxBody},
	{"GET", "/api/v1/console/past", (*Server).consolePast, false, maxBody},
}

func (r route) name() string { return r.method + " " + r.path }

// body is the most bytes that a body may have.
func (r route) body(s *Server) int64 {
	if r.maxBody == 0 { // one message, which JSON may hold escaped
		return int64(s.cfg.Message.Bytes)*2 + maxBody
	}
	return r.maxBody
}

// matches reports whether a path, escaped, is one of the route's.
func (r route) matches(path string) bool {
	want, got := strings.Split(r.path, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}
	return true
}
