package presence

import (
	"encoding/json"
	"fmt"
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
// published at once, so that few others come between them.
const maxEdges = 1024

// Edges reads edges from channels and lets each through once. Owned by the
// reader of the bus.
type Edges struct {
	seen map[string]struct{}
	ring [maxEdges]string // of what is in seen, the oldest at next
	next int
}

// Read reads what came on a channel of status or presence. first is false for the
// copy of an edge that has come on another channel already.
func (e *Edges) Read(payload string) (edge Edge, first bool, err error) {
	if err := json.Unmarshal([]byte(payload), &edge); err != nil {
		return Edge{}, false, fmt.Errorf("presence: read edge: %w", err)
	}
	channels := len(edge.Rooms)
	if edge.Watchers {
		channels++
	}
	if channels < 2 {
		return edge, true, nil // there is no copy
	}
	if _, seen := e.seen[edge.ID]; seen {
		return edge, false, nil
	}
	if e.seen == nil {
		e.seen = map[string]struct{}{}
	}
	delete(e.seen, e.ring[e.next])
	e.ring[e.next] = edge.ID
	e.seen[edge.ID] = struct{}{}
	e.next = (e.next + 1) % maxEdges
	return edge, true, nil
}
