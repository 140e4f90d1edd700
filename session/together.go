package session

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/ginforge/gateway/room"
)

// Nodes is what all nodes together know. None of its methods waits: done is
// called once, at once or later on any goroutine, or never when the method
// reports false: then too much is asked, and the client should try again.
type Nodes interface {
	// Others reports whether there are other nodes.
	Others() bool
	// Online reports for each of users whether it is online at any node.
	Online(users []string, done func(online []bool)) bool
	// InRoom tells of up to limit users in a room, and of how many connections.
	InRoom(name string, limit int, done func(users []room.Presence, connections int)) bool
	// OnlineUsers tells of up to limit users online whose ids sort behind
	// after, and of how many there are.
	OnlineUsers(after string, limit int, done func(users []room.Presence, total int64)) bool
	// Window is the time over which clients should spread their reconnects.
	Window() time.Duration
}

// DeviceLimit decides which connections of a user may stay, over all nodes.
type DeviceLimit interface {
	// Admit asks for a connection, and calls done once with the answer, on any
	// goroutine. It does not wait.
	Admit(userID, clientID, deviceID string, done func(admitted bool))
	// Settled says that a connection that was let in is in the hub now, or has
	// ended.
	Settled(userID, clientID string)
}

// Together tells the manager how to reach the other nodes; without it the node is
// by itself. limit may be nil. Called before the engine starts.
func (m *Manager) Together(nodes Nodes, limit DeviceLimit) { m.nodes, m.limit = nodes, limit }

// alone is a node without others.
type alone struct {
	hub    *room.Hub
	window time.Duration
}

func (a alone) Others() bool { return false }

func (a alone) Online(users []string, done func([]bool)) bool {
	done(a.hub.OnlineEach(users))
	return true
}

func (a alone) InRoom(name string, limit int, done func([]room.Presence, int)) bool {
	done(a.hub.InRoom(name, limit))
	return true
}

func (a alone) OnlineUsers(after string, limit int, done func([]room.Presence, int64)) bool {
	done(a.hub.OnlineUsers(after, limit), a.hub.Stats().Users)
	return true
}

func (a alone) Window() time.Duration { return a.window }

// undecided are the sessions that a DeviceLimit has not let in, by their numbers.
// There are few at a time.
type undecided struct {
	count atomic.Int32 // of numbers, to be looked at without the lock
	mu    sync.Mutex
	set   map[uint32]struct{} // guarded by mu
}

func (u *undecided) add(number uint32) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.set == nil {
		u.set = map[uint32]struct{}{}
	}
	u.set[number] = struct{}{}
	u.count.Store(int32(len(u.set)))
}

func (u *undecided) remove(number uint32) {
	if u.count.Load() == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.set, number)
	if len(u.set) == 0 {
		u.set = nil // a map would keep the size of its largest day
	}
	u.count.Store(int32(len(u.set)))
}

func (u *undecided) has(number uint32) bool {
	if u.count.Load() == 0 {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	_, is := u.set[number]
	return is
}
