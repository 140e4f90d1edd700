package api

import (
	"fmt"
	"net/http"
	"strconv"
)

// Items on one page: unless the request says how many, and at most.
const (
	pageSize    = 100
	maxPageSize = 1000
)

// limit reads ?limit=.
func limit(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return pageSize, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPageSize {
		return 0, badRequest(fmt.Sprintf("limit: want a number from 1 to %d", maxPageSize))
	}
	return n, nil
}

// room is the room in the path.
func (s *Server) room(r *http.Request) (string, error) {
	name := r.PathValue("room")
	return name, s.checkRoom(name)
}

func (s *Server) checkRoom(name string) error {
	if !s.cfg.RoomName(name) {
		return badRequest("room: want 1 to 255 bytes without control characters")
	}
	return nil
}

// rooms lists the rooms that have members, in the order of their names.
func (s *Server) rooms(r *http.Request) (any, error) {
	n, err := limit(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	return s.backend.Cluster.Rooms(r.Context(), q.Get("prefix"), q.Get("after"), n)
}

// members lists who is in a room.
func (s *Server) members(r *http.Request) (any, error) {
	name, err := s.room(r)
	if err != nil {
		return nil, err
	}
	n, err := limit(r)
	if err != nil {
		return nil, err
	}
	return s.backend.Cluster.Members(r.Context(), name, n)
}
