package api

import (
	"fmt"
	"net/http"

	"github.com/ginforge/gateway/cluster"
	"github.com/ginforge/gateway/session/auth"
)

// maxPresenceBytes is room for the longest ids.
const maxPresenceBytes = 512 << 10

// onlineUsers lists who is online, in the order of the ids.
func (s *Server) onlineUsers(r *http.Request) (any, error) {
	n, err := limit(r)
	if err != nil {
		return nil, err
	}
	return s.backend.Cluster.OnlineUsers(r.Context(), r.URL.Query().Get("after"), n)
}

// presence says which of some users are online.
func (s *Server) presence(r *http.Request) (any, error) {
	var asked struct {
		Users []string `json:"users"`
	}
	if err := decode(r, &asked); err != nil {
		return nil, err
	}
	if n := len(asked.Users); n == 0 || n > cluster.MaxAsked {
		return nil, badRequest(fmt.Sprintf("users: %d; want 1 to %d", n, cluster.MaxAsked))
	}
	for _, user := range asked.Users {
		if !auth.ValidUserID(user) {
			return nil, badRequest("users: want ids of 1 to 128 bytes without control characters")
		}
	}
	online, err := s.backend.Cluster.Online(r.Context(), asked.Users)
	if err != nil {
		return nil, err
	}
	type status struct {
		UserID string `json:"user_id"`
		Online bool   `json:"online"`
	}
	users := make([]status, len(asked.Users))
	for i, user := range asked.Users {
		users[i] = status{user, online[i]}
	}
	return map[string]any{"users": users}, nil
}
