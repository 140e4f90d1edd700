package session

import (
	"sync/atomic"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/session/admission"
)

// What became of a request to /ws.
const (
	handshakeOK = iota
	handshakeBadToken
	handshakeExpired
	handshakeRevoked
	handshakeOverCapacity
	handshakeDraining
	handshakeBadRequest
	numOwnHandshakes
	// Behind them are those whom the gate has refused, by cause.
	numHandshakes = numOwnHandshakes + int(admission.NumCauses) - 1
)

var handshakeNames = [numOwnHandshakes]string{"ok", "bad_token", "expired", "revoked", "over_capacity", "draining", "bad_request"}

// refusedFor is what a request counts as that the gate does not let in.
func refusedFor(c admission.Cause) int { return numOwnHandshakes + int(c) - 1 }

func handshakeName(result int) string {
	if result < numOwnHandshakes {
		return handshakeNames[result]
	}
	return admission.Cause(result - numOwnHandshakes + 1).String()
}

// resultOf is what a request that is turned away for r counts as.
func resultOf(r reason) int {
	switch r {
	case reasonExpired:
		return handshakeExpired
	case reasonRevoked:
		return handshakeRevoked
	case reasonOverCapacity:
		return handshakeOverCapacity
	case reasonDraining:
		return handshakeDraining
	case reasonBadDevice:
		return handshakeBadRequest
	default:
		return handshakeBadToken
	}
}

// Why a payload from Redis was dropped.
const (
	dropMalformed = iota
	dropTooLarge
	dropTooDeep
	dropNotUTF8
	numDrops
)

var dropNames = [numDrops]string{"malformed", "too_large", "too_deep", "not_utf8"}

// frameTypes are the types that are counted by name; the last stands for all
// others.
var frameTypes = [...]string{
	message.TypePing, message.TypeJoinRoom, message.TypeLeaveRoom, message.TypeRoomMessage,
	message.TypeUserMessage, message.TypeChat, message.TypePresence, message.TypeWatch,
	message.TypeUnwatch, message.TypeAck, message.TypeRefresh, message.TypeNotification,
	message.TypeSystem, message.TypeDataUpdate, message.TypeBroadcast, "other",
}

var frameTypeIndex = func() map[string]int {
	index := make(map[string]int, len(frameTypes))
	for i, t := range frameTypes {
		index[t] = i
	}
	return index
}()

func indexOfType(t string) int {
	if i, ok := frameTypeIndex[t]; ok {
		return i
	}
	return len(frameTypes) - 1
}

// Stats is a snapshot of the manager's counters. Every label is present from
// the start and there are no others.
type Stats struct {
	Handshakes map[string]uint64 // requests to /ws, by result
	Frames     map[string]uint64 // frames from clients, by type
	Payloads   map[string]uint64 // payloads from Redis that were delivered, by type
	Drops      map[string]uint64 // payloads from Redis that were not, by cause
	Refusals   map[int]uint64    // error frames, by code
	Revoked    int               // revocations that this node knows
}

// counters are the live counters behind Stats.
type counters struct {
	handshakes [numHandshakes]atomic.Uint64
	frames     [len(frameTypes)]atomic.Uint64
	payloads   [len(frameTypes)]atomic.Uint64
	drops      [numDrops]atomic.Uint64
	refusals   [len(refusalCodes)]atomic.Uint64
}

func (c *counters) handshake(result int) { c.handshakes[result].Add(1) }
func (c *counters) dropped(why int)      { c.drops[why].Add(1) }
func (c *counters) frame(typ string)     { c.frames[indexOfType(typ)].Add(1) }
func (c *counters) received(typ string)  { c.payloads[indexOfType(typ)].Add(1) }
func (c *counters) refused(code int) {
	for i, known := range refusalCodes {
		if code == known {
			c.refusals[i].Add(1)
		}
	}
}

// Stats may be called from any goroutine.
func (m *Manager) Stats() Stats {
	c := &m.stats
	s := Stats{
		Handshakes: map[string]uint64{}, Frames: map[string]uint64{}, Payloads: map[string]uint64{},
		Drops: map[string]uint64{}, Refusals: map[int]uint64{}, Revoked: m.revoked.Len(),
	}
	for i := range c.handshakes {
		s.Handshakes[handshakeName(i)] = c.handshakes[i].Load()
	}
	for i, name := range dropNames {
		s.Drops[name] = c.drops[i].Load()
	}
	for i, name := range frameTypes {
		s.Frames[name] = c.frames[i].Load()
		s.Payloads[name] = c.payloads[i].Load()
	}
	for i, code := range refusalCodes {
		s.Refusals[code] = c.refusals[i].Load()
	}
	return s
}
