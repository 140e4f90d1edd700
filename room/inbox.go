package room

import (
	"sync"

	"github.com/ginforge/gateway/engine"
)

type opKind uint8

const (
	opDeliver       opKind = iota // frame to the members of key
	opBroadcast                   // frame to every member
	opAttach                      // member arrives; done(error)
	opDetach                      // member is gone
	opJoin                        // member enters key; done(error)
	opLeave                       // member leaves key; done(error)
	opInOrder                     // done(nil when member is in key, ErrNotMember otherwise)
	opConfirmed                   // the bus delivers what list, of a user, is for
	opRoomConfirmed               // the bus delivers key, a room
	opOpen                        // list takes the deliveries from here on
	opStatus                      // a change of a user's status
	opCall                        // call(the shard)
	opTick                        // a second has passed
)

// op is one thing for a worker to do.
type op struct {
	kind     opKind
	presence bool // opJoin: the room shows its members' status
	key      Key
	list     *list
	member   *Member
	frame    *engine.Frame
	done     func(error)
	status   *statusChange
	call     func(*shard)
}

// maxInboxBytes is how far a worker may be behind with deliveries before those
// who deliver have to wait. Everything else is let in: it comes from clients,
// whose number and rate are bounded.
const maxInboxBytes = 16 << 20

// inbox is the queue of a worker: many producers, one consumer that takes
// everything at once.
type inbox struct {
	mu     sync.Mutex
	filled sync.Cond // something is there, or closed
	room   sync.Cond // bytes has fallen, or closed
	ops    []op      // guarded by mu
	bytes  int       // guarded by mu: sum of the frames in ops
	closed bool      // guarded by mu
}

func (b *inbox) init() {
	b.filled.L = &b.mu
	b.room.L = &b.mu
}

// push adds o; after close it is dropped.
func (b *inbox) push(o op) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pushLocked(o)
}

// pushWait adds a delivery, waiting while the worker is too far behind.
func (b *inbox) pushWait(o op) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waitLocked()
	b.bytes += o.frame.Len()
	b.pushLocked(o)
}

// pushFrame adds a delivery at once, however far the worker is behind; whoever can
// wait then calls waitForRoom. Quietly is as pushQuietly.
func (b *inbox) pushFrame(o op, quietly bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addLocked(o, quietly)
}

// waitForRoom waits while the worker is too far behind.
func (b *inbox) waitForRoom() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waitLocked()
}

// maxAsleep is how many deliveries a worker may be left to sleep over.
const maxAsleep = 256

// pushQuietly is pushWait, but lets a worker that sleeps do so until wake, unless
// a lot has gathered.
func (b *inbox) pushQuietly(o op) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waitLocked()
	b.addLocked(o, true)
}

func (b *inbox) addLocked(o op, quietly bool) {
	if b.closed {
		return
	}
	b.bytes += o.frame.Len()
	b.ops = append(b.ops, o)
	if !quietly || len(b.ops) == maxAsleep {
		b.filled.Signal()
	}
}

// wake has the worker look at what was pushed quietly.
func (b *inbox) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ops) > 0 {
		b.filled.Signal()
	}
}

// waitLocked waits while the worker, which is awake then, is too far behind.
func (b *inbox) waitLocked() {
	for b.bytes > maxInboxBytes && !b.closed {
		b.filled.Signal()
		b.room.Wait()
	}
}

func (b *inbox) pushLocked(o op) {
	if b.closed {
		return
	}
	b.ops = append(b.ops, o)
	b.filled.Signal() // next to nothing when the worker is awake
}

// take waits for work and returns all of it; reuse is the slice that the worker
// had before. It returns nil when the inbox was closed and is empty.
func (b *inbox) take(reuse []op) []op {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.ops) == 0 && !b.closed {
		b.filled.Wait()
	}
	if len(b.ops) == 0 {
		return nil
	}
	ops := b.ops
	b.ops = reuse[:0]
	b.bytes = 0
	b.room.Broadcast()
	return ops
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.filled.Signal()
	b.room.Broadcast()
}
