package api

import (
	"context"
	"net/http"

	"github.com/ginforge/gateway/cluster"
	"github.com/ginforge/gateway/session/auth"
)

// user is the user in the path.
func user(r *http.Request) (string, error) {
	id := r.PathValue("user")
	if !auth.ValidUserID(id) {
		return "", badRequest("user: want an id of 1 to 128 bytes without control characters")
	}
	return id, nil
}

// done is what became of an order to all nodes.
type done struct {
	Connections int      `json:"connections"` // that it was carried out for
	Missing     []string `json:"missing_nodes,omitempty"`
}

// devices lists a user's connections.
func (s *Server) devices(r *http.Request) (any, error) {
	id, err := user(r)
	if err != nil {
		return nil, err
	}
	return s.backend.Cluster.Devices(r.Context(), id)
}

// disconnect closes a user's connections, or some of them, with 4010.
func (s *Server) disconnect(r *http.Request) (any, error) {
	id, err := user(r)
	if err != nil {
		return nil, err
	}
	var which cluster.Selector
	if err := decode(r, &which); err != nil {
		return nil, err
	}
	n, missing, err := s.backend.Cluster.Disconnect(r.Context(), id, which, cluster.Disconnected)
	if err != nil {
		return nil, err
	}
	return done{n, missing}, nil
}

// join has all of a user's connections enter a room.
func (s *Server) join(r *http.Request) (any, error) {
	return s.changeRoom(r, s.backend.Cluster.Join)
}

// leave has all of a user's connections leave a room.
func (s *Server) leave(r *http.Request) (any, error) {
	return s.changeRoom(r, s.backend.Cluster.Leave)
}

func (s *Server) changeRoom(r *http.Request, change func(ctx context.Context, user, room string) (int, []string, error)) (any, error) {
	id, err := user(r)
	if err != nil {
		return nil, err
	}
	var body struct {
		Room string `json:"room"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	if err := s.checkRoom(body.Room); err != nil {
		return nil, err
	}
	n, missing, err := change(r.Context(), id, body.Room)
	if err != nil {
		return nil, err
	}
	return done{n, missing}, nil
}
