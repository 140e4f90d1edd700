package engine

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// SlowConn is a connection for which more than half of what may wait does.
type SlowConn struct {
	Handler Handler
	Bytes   int       // that wait for it
	Since   time.Time // when it became slow
}

// slowConns are the connections that are slow at the moment. A connection enters
// and leaves when its backlog does, which is rare next to what is sent to it.
type slowConns struct {
	mu    sync.Mutex // taken with a connection's wmu held; guards the field below
	since map[*Conn]time.Time
}

func (s *slowConns) enter(c *Conn) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since == nil {
		s.since = map[*Conn]time.Time{}
	}
	s.since[c] = now
}

func (s *slowConns) leave(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.since, c)
}

// lookedAtSlow is how many slow connections Slow looks at for those for which most
// waits, so that a node whose clients all stall is not busy with listing them.
const lookedAtSlow = 256

// Slow returns connections that are slow at the moment, those first for which most
// waits, at most limit. Of more than a few hundred it picks any. Safe from any
// goroutine that holds no lock of a connection.
func (e *Engine) Slow(limit int) []SlowConn {
	var list []SlowConn
	for c, since := range e.slow.some() {
		c.wmu.Lock()
		if b := c.behind; b != nil && b.crowded { // it still is
			list = append(list, SlowConn{Handler: c.handler, Bytes: b.waiting(), Since: since})
		}
		c.wmu.Unlock()
	}
	slices.SortFunc(list, func(a, b SlowConn) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return list[:min(len(list), limit)]
}

// some returns up to lookedAtSlow of the connections.
func (s *slowConns) some() map[*Conn]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	some := make(map[*Conn]time.Time, min(len(s.since), lookedAtSlow))
	for c, since := range s.since {
		if len(some) == lookedAtSlow {
			break
		}
		some[c] = since
	}
	return some
}
