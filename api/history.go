package api

import (
	"errors"
	"net/http"
	"strconv"
)

// ErrNoHistory is returned for a room whose namespace keeps no history.
var ErrNoHistory = errors.New("api: the room keeps no history")

// history reads what a room has kept.
func (s *Server) history(r *http.Request) (any, error) {
	name, err := s.room(r)
	if err != nil {
		return nil, err
	}
	n, err := limit(r)
	if err != nil {
		return nil, err
	}
	var after uint64
	if text := r.URL.Query().Get("after"); text != "" {
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return nil, badRequest("after: want the offset of a message")
		}
	}
	log, err := s.backend.History.ReadHistory(r.Context(), name, after, n)
	if errors.Is(err, ErrNoHistory) {
		return nil, failure(http.StatusNotFound, "this room keeps no history")
	}
	if log.Messages == nil {
		log.Messages = []Kept{}
	}
	return log, err
}
