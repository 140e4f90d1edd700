package presence

import (
	"encoding/json"
	"fmt"
	"sync"
)

// Edge is a change of a user's status that others are told of.
type Edge struct {
	ID       string   `json:"i"`
	User     string   `json:"u"`
	Name     string   `json:"n"`
	Online   bool     `json:"o"`
	Watchers bool     `json:"w"` // those who watch the user are told
	Rooms    []string `json:"r"` // the rooms whose members are told
	Except   []string `json:"x"` // but not who is in one of these too: they know
}

// maxEdges is how many edges a node remembers having seen. The copies of one are
// published at once, so that few others come between them; one that is read from the
// stream and was forgotten is told again, which does no harm.
const maxEdges = 1024

// Edges lets each edge through once: it comes on several channels, and is read again
// from the stream by a node that was cut off. Its methods may be called from any
// goroutine.
type Edges struct {
	mu   sync.Mutex // guards the fields below
	seen map[string]struct{}
	ring [maxEdges]string // of what is in seen, the oldest at next
	next int
}

// Read reads what came on a channel of status or presence. first is false for the
// copy of an edge that has come before.
func (e *Edges) Read(payload string) (edge Edge, first bool, err error) {
	if err := json.Unmarshal([]byte(payload), &edge); err != nil {
		return Edge{}, false, fmt.Errorf("presence: read edge: %w", err)
	}
	return edge, e.First(edge), nil
}

// First reports whether an edge has not come before, as far as is remembered, and
// remembers it. One without an id is always new.
func (e *Edges) First(edge Edge) bool {
	if edge.ID == "" {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, seen := e.seen[edge.ID]; seen {
		return false
	}
	if e.seen == nil {
		e.seen = map[string]struct{}{}
	}
	delete(e.seen, e.ring[e.next])
	e.ring[e.next] = edge.ID
	e.seen[edge.ID] = struct{}{}
	e.next = (e.next + 1) % maxEdges
	return true
}
