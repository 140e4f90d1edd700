package api

import (
	"errors"
	"net/http"

	"github.com/ginforge/gateway/pubsub/nodes"
)

// stats is the numbers of this node.
func (s *Server) stats(*http.Request) (any, error) { return s.backend.Stats(), nil }

// nodes lists the nodes that live, this one first.
func (s *Server) nodes(*http.Request) (any, error) {
	return map[string]any{"nodes": s.backend.Cluster.Nodes()}, nil
}

// drain begins the drain of this node or, by its id, of another.
func (s *Server) drain(r *http.Request) (any, error) {
	var body struct {
		Node string `json:"node"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	if body.Node == "" {
		s.backend.Drain()
		return map[string]any{"draining": true}, nil
	}
	err := s.backend.Cluster.Drain(r.Context(), body.Node)
	if errors.Is(err, nodes.ErrNoNode) {
		return nil, failure(http.StatusNotFound, "node: none has this id")
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"draining": true}, nil
}
