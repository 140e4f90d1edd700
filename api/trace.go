package api

import (
	"context"
	"net/http"
	"time"
)

// Tracer follows single messages through all nodes.
type Tracer interface {
	// Trace has every node look for the message with an id.
	Trace(ctx context.Context, id string) (Tracing, error)
	// Traced returns what the nodes have seen of it, to be encoded as JSON.
	Traced(ctx context.Context, id string) (any, error)
}

// Tracing is the answer to a call that begins a trace.
type Tracing struct {
	ID      string    `json:"id"`
	Until   time.Time `json:"until"`
	Missing []string  `json:"missing_nodes,omitempty"`
}

// trace begins to follow a message.
func (s *Server) trace(r *http.Request) (any, error) {
	var body struct {
		ID string `json:"id"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	return s.backend.Tracer.Trace(r.Context(), body.ID)
}

// traced says what has become of it.
func (s *Server) traced(r *http.Request) (any, error) {
	return s.backend.Tracer.Traced(r.Context(), r.PathValue("id"))
}
