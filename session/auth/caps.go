package auth

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// maxCaps is how many patterns each list of a token may hold.
const maxCaps = 100

// errCaps is returned for a list that holds something else.
var errCaps = errors.New(`caps is not a list of room names, prefixes such as chat:* and "*", at most 100, ` +
	`nor an object with such lists as join and publish`)

// Caps says which rooms a token may join and publish to. A nil *Caps allows
// all of them. It never changes.
type Caps struct {
	join, publish patterns
}

// NewCaps returns capabilities to join and to publish to the rooms that a
// pattern in the list names: exactly, or by the prefix of chat:*, or all with
// "*".
func NewCaps(join, publish []string) (*Caps, error) {
	c := &Caps{join: slices.Clone(join), publish: slices.Clone(publish)}
	if !c.join.valid() || !c.publish.valid() {
		return nil, errCaps
	}
	return c, nil
}

// CanJoin reports whether the token may join room.
func (c *Caps) CanJoin(room string) bool { return c == nil || c.join.match(room) }

// CanPublish reports whether the token may publish to room.
func (c *Caps) CanPublish(room string) bool { return c == nil || c.publish.match(room) }

// parseCaps reads the claim: a list for both capabilities, or an object with a
// list for each, where what is not granted is not allowed.
func parseCaps(raw json.RawMessage) (*Caps, error) {
	if raw == nil {
		return nil, nil
	}
	if raw[0] == '[' {
		var both []string
		if json.Unmarshal(raw, &both) != nil {
			return nil, errCaps
		}
		return NewCaps(both, both)
	}
	var lists map[string]json.RawMessage
	if json.Unmarshal(raw, &lists) != nil {
		return nil, errCaps
	}
	var join, publish []string
	for name, list := range map[string]*[]string{"join": &join, "publish": &publish} {
		if raw, ok := lists[name]; ok && json.Unmarshal(raw, list) != nil {
			return nil, errCaps
		}
	}
	return NewCaps(join, publish)
}

// MarshalJSON writes the claim that parseCaps reads.
func (c *Caps) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string][]string{
		"join":    append([]string{}, c.join...),
		"publish": append([]string{}, c.publish...),
	})
}

// patterns is a list of room names, of which those that end in :* stand for
// all with that beginning, and * for all.
type patterns []string

func (p patterns) match(room string) bool {
	for _, pattern := range p {
		prefix, wild := strings.CutSuffix(pattern, "*")
		if pattern == room || (wild && strings.HasPrefix(room, prefix)) {
			return true
		}
	}
	return false
}

// valid reports whether there is no doubt about what each pattern means: a *
// after anything but a colon might be meant either way.
func (p patterns) valid() bool {
	if len(p) > maxCaps {
		return false
	}
	for _, pattern := range p {
		prefix, wild := strings.CutSuffix(pattern, "*")
		if !isName(pattern, maxRoomBytes) || (wild && prefix != "" && !strings.HasSuffix(prefix, ":")) {
			return false
		}
	}
	return true
}
