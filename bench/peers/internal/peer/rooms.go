package peer

import (
	"context"
	"sync"
	"time"
)

// heartbeatSlots is into how many parts the pings of one interval are spread.
const heartbeatSlots = 25

// Rooms is who is connected and who is in which room: maps of sets behind one
// lock, the form that these libraries' own examples have. C is a connection.
//
// The functions given to its methods run with the lock held for reading: they
// may write to connections, and must not call Rooms.
type Rooms[C comparable] struct {
	mu    sync.RWMutex // guards the fields below
	conns map[C]uint8  // the value is the connection's slot of the heartbeat
	rooms map[string]map[C]struct{}
	added int // connections ever added
}

// NewRooms returns Rooms without connections.
func NewRooms[C comparable]() *Rooms[C] {
	return &Rooms[C]{conns: make(map[C]uint8), rooms: make(map[string]map[C]struct{})}
}

// Add makes c known.
func (r *Rooms[C]) Add(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[c] = uint8(r.added % heartbeatSlots)
	r.added++
}

// Join makes c, when it is known, a member of room.
func (r *Rooms[C]) Join(c C, room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.conns[c]; !ok {
		return // it ended meanwhile
	}
	members, ok := r.rooms[room]
	if !ok {
		members = make(map[C]struct{})
		r.rooms[room] = members
	}
	members[c] = struct{}{}
}

// Remove forgets c and takes it out of the rooms that it had joined.
func (r *Rooms[C]) Remove(c C, joined []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
	for _, room := range joined {
		delete(r.rooms[room], c)
		if len(r.rooms[room]) == 0 {
			delete(r.rooms, room)
		}
	}
}

// InRoom calls f for each member of room.
func (r *Rooms[C]) InRoom(room string, f func(C)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for c := range r.rooms[room] {
		f(c)
	}
}

// All calls f for each connection.
func (r *Rooms[C]) All(f func(C)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for c := range r.conns {
		f(c)
	}
}

// Heartbeat calls ping for each connection once in every interval, spread over
// it, until ctx ends. It is for libraries that leave pings to their user and
// whose connections have no goroutine that could wait for a timer.
func (r *Rooms[C]) Heartbeat(ctx context.Context, interval time.Duration, ping func(C)) {
	ticker := time.NewTicker(interval / heartbeatSlots)
	defer ticker.Stop()
	for slot := 0; ; slot = (slot + 1) % heartbeatSlots {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.mu.RLock()
			for c, s := range r.conns {
				if int(s) == slot {
					ping(c)
				}
			}
			r.mu.RUnlock()
		}
	}
}
