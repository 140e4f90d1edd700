package room

import (
	"errors"
	"sync/atomic"

	"github.com/ginforge/gateway/engine"
)

// Stats is a snapshot of a hub's gauges and counters.
type Stats struct {
	Members   int64  // attached connections
	Users     int64  // users with at least one device
	Rooms     int64  // rooms with at least one member
	Delivered uint64 // messages handed to a connection
	Slow      uint64 // messages dropped because the connection's buffer was full
	Gone      uint64 // messages dropped because the connection was closing
}

type counters struct {
	members, users        atomic.Int64
	delivered, slow, gone atomic.Uint64
}

// tally counts what became of messages, without sharing, until it is added.
type tally struct{ delivered, slow, gone uint64 }

// count notes what became of n messages to one connection.
func (t *tally) count(err error, n int) {
	switch {
	case err == nil:
		t.delivered += uint64(n)
	case errors.Is(err, engine.ErrSlow):
		t.slow += uint64(n)
	default:
		t.gone += uint64(n)
	}
}

func (c *counters) add(t tally) {
	if t == (tally{}) {
		return
	}
	c.delivered.Add(t.delivered)
	c.slow.Add(t.slow)
	c.gone.Add(t.gone)
}

// Stats may be called from any goroutine.
func (h *Hub) Stats() Stats {
	return Stats{
		Members:   h.stats.members.Load(),
		Users:     h.stats.users.Load(),
		Rooms:     h.registry.rooms.Load(),
		Delivered: h.stats.delivered.Load(),
		Slow:      h.stats.slow.Load(),
		Gone:      h.stats.gone.Load(),
	}
}
