package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Console is how a page of the internal listener gets figures as they change: over
// the gateway's own WebSocket, as one of its clients.
type Console interface {
	// OpenConsole lets a page in, which the browser has from origin and host of
	// the internal listener, and returns what it needs.
	OpenConsole(origin, host string) (ConsoleAccess, error)
	// ConsolePast returns the figures that the nodes have kept of the last minutes.
	ConsolePast(ctx context.Context) (ConsolePast, error)
}

// ConsolePast is what a console has to plot when it is opened.
type ConsolePast struct {
	Moments []ConsoleMoment `json:"moments"` // in order
	Missing []string        `json:"missing_nodes,omitempty"`
}

// ConsoleMoment is the figures of all nodes at one time.
type ConsoleMoment struct {
	At    int64             `json:"at_ms"`
	Nodes []json.RawMessage `json:"nodes"` // each as of GET /stats
}

// ConsoleAccess is what a console needs to connect.
type ConsoleAccess struct {
	URL       string    `json:"url"`   // of the WebSocket
	Token     string    `json:"token"` // for this node, and this process of it, alone
	ExpiresAt time.Time `json:"expires_at"`
}

// console lets a console in.
func (s *Server) console(r *http.Request) (any, error) {
	var nothing struct{}
	if err := decode(r, &nothing); err != nil {
		return nil, err
	}
	origin := r.Header.Get("Origin")
	if origin == "" { // no browser, or an old one on the same origin
		origin = "http://" + r.Host
	}
	return s.backend.Console.OpenConsole(origin, r.Host)
}

// consolePast says what was before a console was opened.
func (s *Server) consolePast(r *http.Request) (any, error) {
	return s.backend.Console.ConsolePast(r.Context())
}
