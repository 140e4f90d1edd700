package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lesismal/nbio"
)

// wheel is the clock of an engine: one goroutine that wakes once a second, sends
// pings, notices silence and ends what has been given a time. Connections are
// spread over the seconds of the ping interval, so that each second touches its
// share of them; no connection has a timer.
//
// Time is counted in ticks, not taken from the wall clock: a process that was
// stopped for a minute goes on where it was and gives its peers their time,
// instead of finding all of them silent.
type wheel struct {
	interval uint32 // ticks between pings, the number of slots
	timeout  uint32 // ticks after a ping until silence is noticed
	onSilent func(*Conn)
	onTick   func() // called once a tick, on the wheel's goroutine

	now  atomic.Uint32 // tick; written by the wheel's goroutine
	next atomic.Uint32 // spreads connections over the slots

	slots []slot
	due   []dueSlot // ring of coming ticks, longer than any delay
	batch []*Conn   // scratch of the wheel's goroutine
}

// slot holds the connections that are pinged in one second of the interval.
type slot struct {
	mu    sync.Mutex
	conns []*Conn // guarded by mu, each knows its index
}

// dueSlot holds what ends at one tick.
type dueSlot struct {
	mu     sync.Mutex
	chunks []*dueChunk // guarded by mu
}

// dueChunk is a part of a slot. In a storm of connects a slot gets tens of thousands of
// entries; chunks are used again, and nothing is copied to grow.
type dueChunk struct {
	n       int
	entries [64]dueEntry
}

var dueChunks = sync.Pool{New: func() any { return new(dueChunk) }}

// dueEntry is checked again when its time comes: it may have become void.
type dueEntry struct {
	conn    *Conn      // a connection whose deadline comes,
	closing bool       // or whose closing handshake should have ended,
	held    bool       // or whose response has been held back for long enough
	http    *nbio.Conn // a connection that should have been upgraded
}

func newWheel(c Config, onSilent func(*Conn), onTick func()) *wheel {
	w := &wheel{
		interval: uint32(c.PingInterval / time.Second),
		timeout:  uint32(c.PongTimeout / time.Second),
		onSilent: onSilent,
		onTick:   onTick,
	}
	longest := max(c.HandshakeTimeout, c.CloseTimeout, c.PingInterval, maxLater)
	w.slots = make([]slot, w.interval)
	w.due = make([]dueSlot, int(longest/time.Second)+4)
	w.now.Store(1) // 0 means "no deadline" in a connection
	return w
}

// run ticks until ctx ends.
func (w *wheel) run(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			w.tick()
		}
	}
}

// tick does the work of one second. Called by one goroutine.
func (w *wheel) tick() {
	now := w.now.Add(1)
	for _, c := range w.members(now % w.interval) {
		if !c.ep.sparePings || now-c.seen.Load() >= w.interval {
			c.ping()
		}
		if d := c.deadline.Load(); d != 0 && d < now+w.interval {
			w.at(max(d, now+1), dueEntry{conn: c})
		}
	}
	if now > w.timeout {
		pinged := now - w.timeout
		for _, c := range w.members(pinged % w.interval) {
			if c.seen.Load() < pinged && c.pinged.Load() == pinged {
				w.onSilent(c)
			}
		}
	}
	clear(w.batch) // it must not keep what is closed meanwhile
	w.expire(now)
	w.onTick()
}

// members copies a slot, since nothing may be written under its lock.
func (w *wheel) members(i uint32) []*Conn {
	s := &w.slots[i]
	s.mu.Lock()
	w.batch = append(w.batch[:0], s.conns...)
	s.mu.Unlock()
	return w.batch
}

// expire ends what is due at tick now.
func (w *wheel) expire(now uint32) {
	s := &w.due[now%uint32(len(w.due))]
	s.mu.Lock()
	chunks := s.chunks
	s.chunks = nil
	s.mu.Unlock()
	for _, chunk := range chunks {
		for _, e := range chunk.entries[:chunk.n] {
			e.expire(now)
		}
		*chunk = dueChunk{} // it must not keep what is closed meanwhile
		dueChunks.Put(chunk)
	}
}

func (e dueEntry) expire(now uint32) {
	switch {
	case e.http != nil:
		cutHTTP(e.http)
	case e.held:
		e.conn.respondLate()
	case e.closing:
		e.conn.shutdown(true)
	default:
		e.conn.expire(now)
	}
}

// at has e looked at in tick t, which lies less than a ring ahead.
func (w *wheel) at(t uint32, e dueEntry) {
	s := &w.due[t%uint32(len(w.due))]
	s.mu.Lock()
	last := len(s.chunks) - 1
	if last < 0 || s.chunks[last].n == len(s.chunks[last].entries) {
		s.chunks = append(s.chunks, dueChunks.Get().(*dueChunk))
		last++
	}
	chunk := s.chunks[last]
	chunk.entries[chunk.n] = e
	chunk.n++
	s.mu.Unlock()
}

// after has e looked at when d has passed, rounded up to whole ticks.
func (w *wheel) after(d time.Duration, e dueEntry) {
	w.at(w.tickAfter(d), e)
}

// tickAfter is the first tick at which d has certainly passed: the current tick
// has begun some time ago, and may end before the caller has entered anything.
func (w *wheel) tickAfter(d time.Duration) uint32 { return w.now.Load() + 1 + ticks(d) }

func ticks(d time.Duration) uint32 {
	return max(1, uint32((d+time.Second-1)/time.Second))
}

// add enters a connection; its first ping comes within one interval.
func (w *wheel) add(c *Conn) {
	c.slot = uint16(w.next.Add(1) % w.interval)
	s := &w.slots[c.slot]
	s.mu.Lock()
	c.slotIndex = int32(len(s.conns))
	s.conns = append(s.conns, c)
	s.mu.Unlock()
}

// remove takes a connection out; removing one twice does nothing.
func (w *wheel) remove(c *Conn) {
	s := &w.slots[c.slot]
	s.mu.Lock()
	defer s.mu.Unlock()
	i := c.slotIndex
	if i < 0 {
		return
	}
	last := len(s.conns) - 1
	moved := s.conns[last]
	s.conns[i] = moved
	moved.slotIndex = i
	s.conns[last] = nil
	s.conns = s.conns[:last]
	c.slotIndex = -1
	if cap(s.conns) > 64 && len(s.conns) < cap(s.conns)/4 {
		s.conns = append(make([]*Conn, 0, 2*len(s.conns)), s.conns...)
	}
}
