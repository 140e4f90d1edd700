package room

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/ginforge/gateway/engine"
)

// logs is the logs of this node: those of rooms and users with members here, and
// for a while of those that had.
type logs struct {
	hub *Hub
	cfg History

	now       atomic.Uint32 // ticks since the start
	keptBytes atomic.Int64  // what all logs keep in memory
	stats     logCounters
	listed    []*log        // owned by the hub's ticker
	wake      chan struct{} // holds a token when logs have come back

	mu  sync.RWMutex // guards the field below
	all map[Key]*log
}

func newLogs(hub *Hub, cfg History) *logs {
	l := &logs{hub: hub, cfg: cfg, wake: make(chan struct{}, 1), all: map[Key]*log{}}
	l.now.Store(1)
	return l
}

// has reports whether a key has a log at all.
func (l *logs) has(key Key) bool {
	return l.cfg.Size != nil && key.Kind != KindWatch && l.cfg.Size(key) > 0
}

// open notes that somebody is in key, which has a log.
func (l *logs) open(key Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.all[key]
	switch {
	case g == nil:
		g = &log{logs: l, key: key}
		// Logs that come to life at the same time are not checked at the same time.
		g.quiet.Store(l.now.Load() - rand.Uint32N(ticks(l.cfg.CheckInterval)+1))
		l.all[key] = g
	case g.refs == 0:
		g.stale.Store(true)
	}
	g.refs++
}

// close notes that somebody is in key no more.
func (l *logs) close(key Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.all[key]
	g.refs--
	g.idle = l.now.Load()
}

// find returns the log of key, or nil.
func (l *logs) find(key Key) *log {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.all[key]
}

// lingerTicks is how long a log is remembered that nobody is in: who comes back
// costs the store little.
const lingerTicks = 20

// forget drops a log that nobody was in for long.
func (l *logs) forget(g *log) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if g.refs > 0 || l.now.Load()-g.idle < lingerTicks || g.gone {
		return
	}
	g.gone = true
	g.clearKept()
	delete(l.all, g.key)
}

// push puts a frame into the inboxes of the shards that have members of key, and
// returns those. It does not wait; see Hub.DeliverLog. Quietly leaves workers that
// sleep to Hub.Flush. The caller holds the mu of the key's log.
func (l *logs) push(key Key, frame *engine.Frame, quietly bool) (reached uint64) {
	if key.Kind == KindUser {
		s := l.hub.shardOf(key.Name)
		reached = 1 << s.index
	} else {
		reached = l.hub.registry.shardsOf(key)
	}
	if quietly {
		l.hub.asleep.Or(reached)
	}
	eachShard(reached, func(i int) {
		l.hub.shards[i].inbox.pushFrame(op{kind: opDeliver, key: key, frame: frame}, quietly)
	})
	return reached
}

// start makes a request for g.
func (l *logs) start(g *log, r request) {
	switch r.kind {
	case requestRead:
		l.stats.reads.Add(1)
		l.cfg.Store.Read(g.key, r.after, pageEntries, func(p Page, err error) { g.answered(r, p, err) })
	case requestRestore:
		l.cfg.Store.Restore(g.key, r.from, r.put, func(at Position, err error) {
			g.answered(r, Page{Position: at}, err)
		})
	}
}

// DeliverLog brings a message of a log that the bus has delivered. Members get it
// in its order, once, whatever the bus does: what is missing before it is read
// from the store. An entry without a payload says only where the log ends. It may
// wait as Deliver does, and workers that sleep begin with it at the next Flush, as
// with Enqueue.
func (h *Hub) DeliverLog(key Key, epoch string, e Entry) {
	for {
		g := h.logs.find(key)
		if g == nil {
			return // nobody is here
		}
		if reached, alive := g.take(epoch, e); alive {
			eachShard(reached, func(i int) { h.shards[i].inbox.waitForRoom() })
			return
		}
	}
}

// LogPosition returns how far the members of a log on this node have heard, which
// is zero when nothing is known: nobody is here, or the store was not reached yet.
func (h *Hub) LogPosition(key Key) Position {
	g := h.logs.find(key)
	if g == nil {
		return Position{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == stateNew {
		return Position{}
	}
	return g.pos
}

// CheckLog has a log compared with the store within a second, since messages may
// have been lost: the bus was disconnected.
func (h *Hub) CheckLog(key Key) {
	if g := h.logs.find(key); g != nil {
		g.resumed.Store(true)
		select {
		case h.logs.wake <- struct{}{}:
		default:
		}
	}
}

// LogStats is a snapshot of what logs of a node have done.
type LogStats struct {
	Logs       int64  // rooms and users with a log in memory
	KeptBytes  int64  // what is kept of them in memory
	Early      uint64 // messages behind a gap
	Duplicates uint64 // messages dropped since members had them
	Repaired   uint64 // messages read from the store for members who had not got them
	Lost       uint64 // times members were told that messages are lost
	Restored   uint64 // times messages were put back into the store
	Reads      uint64 // reads of the store
	Failures   uint64 // requests to the store that failed
	Replays    uint64 // admissions, and pages of inboxes, with something to replay
	Replayed   uint64 // messages replayed
	Refused    uint64 // admissions without what was asked for
}

type logCounters struct {
	early, duplicates, repaired, lost, restored, reads, failures, replays, replayed, refused atomic.Uint64
}

// LogStats may be called from any goroutine.
func (h *Hub) LogStats() LogStats {
	c := &h.logs.stats
	h.logs.mu.RLock()
	n := len(h.logs.all)
	h.logs.mu.RUnlock()
	return LogStats{
		Logs: int64(n), KeptBytes: h.logs.keptBytes.Load(),
		Early: c.early.Load(), Duplicates: c.duplicates.Load(), Repaired: c.repaired.Load(), Lost: c.lost.Load(),
		Restored: c.restored.Load(), Reads: c.reads.Load(), Failures: c.failures.Load(),
		Replays: c.replays.Load(), Replayed: c.replayed.Load(), Refused: c.refused.Load(),
	}
}
