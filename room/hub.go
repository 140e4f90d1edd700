package room

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ginforge/gateway/engine"
)

// Config says what a Hub allows. The zero value of an optional field means the
// default in its comment.
type Config struct {
	// Shards is the number of workers, a power of two up to 64; 0 means one for
	// each CPU, or up to twice as many.
	Shards int
	// MaxRooms and MaxWatched bound the rooms and watched users per connection.
	MaxRooms   int
	MaxWatched int
	// ConfirmTimeout is how long a join waits for the bus; whole seconds.
	ConfirmTimeout time.Duration
	// Grace is how long a user whose last device has gone still counts as
	// online; whole seconds, 0 means not at all.
	Grace time.Duration
	// Status makes the frame that tells others of a user's status.
	Status func(userID, userName string, online bool) *engine.Frame
	// Changed is told of each user whose status at this node may have changed,
	// on the workers: it must not block. nil: users' status is this node's own
	// affair.
	Changed func(userID string)
	// EveryDevice has Changed told of each device that goes, too.
	EveryDevice bool
	// History is about rooms and users that have a log.
	History History
}

// Validate reports the first setting that is out of its range.
func (c Config) Validate() error {
	switch {
	case c.Shards < 0 || c.Shards > 64 || c.Shards&(c.Shards-1) != 0:
		return fmt.Errorf("room: shards is %d: allowed is a power of two up to 64", c.Shards)
	case c.MaxRooms < 1 || c.MaxWatched < 0:
		return fmt.Errorf("room: %d rooms and %d watched users per connection: allowed are at least 1 and 0", c.MaxRooms, c.MaxWatched)
	case c.ConfirmTimeout < time.Second || c.Grace < 0:
		return fmt.Errorf("room: confirm timeout is %s and grace %s: allowed are at least 1s and 0s", c.ConfirmTimeout, c.Grace)
	case c.Status == nil:
		return fmt.Errorf("room: no status frame maker")
	}
	return c.History.validate()
}

// Hub is the index of the rooms and users of this node.
type Hub struct {
	cfg      Config
	seed     maphash.Seed
	bus      Subscriber
	shards   []*shard
	registry *registry
	logs     *logs
	stats    counters
	asleep   atomic.Uint64 // the shards that Flush has to wake, as bits
}

// NewHub makes a hub; Run brings it to life.
func NewHub(cfg Config, bus Subscriber) (*Hub, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Shards == 0 {
		cfg.Shards = 1
		for cfg.Shards < min(64, runtime.NumCPU()) {
			cfg.Shards *= 2
		}
	}
	h := &Hub{cfg: cfg, seed: maphash.MakeSeed(), bus: bus, shards: make([]*shard, cfg.Shards)}
	h.logs = newLogs(h, cfg.History)
	h.registry = newRegistry(h.sum, bus, h.logs, func(key Key, mask uint64) {
		eachShard(mask, func(i int) { h.shards[i].inbox.push(op{kind: opRoomConfirmed, key: key}) })
	})
	h.registry.watches = cfg.Changed != nil
	for i := range h.shards {
		h.shards[i] = newShard(h, i)
	}
	return h, nil
}

// Run works until ctx ends and then until what was handed in before has been
// done; it returns nil.
func (h *Hub) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for _, s := range h.shards {
		workers.Go(s.run)
	}
	t := time.NewTicker(time.Second)
	defer t.Stop()
	resumed := time.NewTimer(time.Hour)
	defer resumed.Stop()
	for {
		select {
		case <-t.C:
			h.tick()
		case <-h.logs.wake:
			resumed.Reset(resumedPause)
		case <-resumed.C:
			h.logs.checkResumed()
		case <-ctx.Done():
			for _, s := range h.shards {
				s.inbox.close()
			}
			workers.Wait()
			return nil
		}
	}
}

// tick has every worker look at what has a time limit, and does so for the logs.
func (h *Hub) tick() {
	if h.cfg.History.Size != nil {
		h.logs.tick()
	}
	for _, s := range h.shards {
		s.inbox.push(op{kind: opTick})
	}
}

// sum is the hash by which tables find a key.
func (h *Hub) sum(key Key) uint32 { return uint32(maphash.String(h.seed, key.Name)) + uint32(key.Kind) }

// shardOf is the shard of a user's devices. It goes by bits that sum does not
// have, so that the users of a shard are spread over its table.
func (h *Hub) shardOf(userID string) *shard {
	return h.shards[maphash.String(h.seed, userID)>>32&uint64(len(h.shards)-1)]
}

func (h *Hub) push(m *Member, o op) {
	o.member = m
	h.shardOf(m.user).inbox.push(o)
}

// Attach enters a member and its user. done gets nil when the bus delivers the
// user's channels, ErrUnconfirmed when it did not confirm them in time (the
// member is attached nevertheless), or ErrGone.
func (h *Hub) Attach(m *Member, done func(error)) {
	h.push(m, op{kind: opAttach, done: done})
}

// Detach takes a member out of everything; nothing reaches it afterwards, and
// what was asked for before Detach and not yet done is void.
func (h *Hub) Detach(m *Member) { h.push(m, op{kind: opDetach}) }

// Join enters a member into a room, or among the watchers of a user; presence
// says whether the members of a KindRoom learn each other's status. done gets
// nil once the bus delivers the room, also when the member was in it before, or
// ErrTooManyRooms, ErrTooManyWatched, ErrUnconfirmed or ErrGone.
func (h *Hub) Join(m *Member, key Key, presence bool, done func(error)) {
	h.push(m, op{kind: opJoin, key: key, presence: presence, done: done})
}

// Leave takes a member out of a room; done gets nil or ErrNotMember.
func (h *Hub) Leave(m *Member, key Key, done func(error)) {
	h.push(m, op{kind: opLeave, key: key, done: done})
}

// InOrder calls done behind everything that was asked for this member before,
// with nil when it is in key, ErrNotMember or ErrGone otherwise. While its join
// waits for the bus, done does too; it gets ErrUnconfirmed when the join does, or
// when too much waits already.
func (h *Hub) InOrder(m *Member, key Key, done func(error)) {
	h.push(m, op{kind: opInOrder, key: key, done: done})
}

// Deliver sends a frame to the members of key on this node. It may wait when a
// worker is behind, so pollers must not call it.
func (h *Hub) Deliver(key Key, frame *engine.Frame) {
	o := op{kind: opDeliver, key: key, frame: frame}
	if key.Kind == KindUser {
		h.shardOf(key.Name).inbox.pushWait(o)
		return
	}
	eachShard(h.registry.shardsOf(key), func(i int) { h.shards[i].inbox.pushWait(o) })
}

// Enqueue is Deliver, but workers that sleep begin with it at the next Flush: who
// has many messages at hand wakes each of them once.
func (h *Hub) Enqueue(key Key, frame *engine.Frame) {
	o := op{kind: opDeliver, key: key, frame: frame}
	mask := uint64(0)
	if key.Kind == KindUser {
		mask = 1 << h.shardOf(key.Name).index
	} else {
		mask = h.registry.shardsOf(key)
	}
	h.asleep.Or(mask)
	eachShard(mask, func(i int) { h.shards[i].inbox.pushQuietly(o) })
}

// Flush has the workers begin with what was enqueued.
func (h *Hub) Flush() {
	eachShard(h.asleep.Swap(0), func(i int) { h.shards[i].inbox.wake() })
}

// FlushThen is Flush, and has done called as Through does by those workers for whom
// something was enqueued since the last Flush. When there are none it reports false, and
// done is not called.
func (h *Hub) FlushThen(done func()) bool {
	mask := h.asleep.Swap(0)
	if mask == 0 {
		return false
	}
	h.through(mask, done)
	return true
}

// Broadcast sends a frame to every member of this node. It may wait as Deliver
// does.
func (h *Hub) Broadcast(frame *engine.Frame) {
	h.asleep.Or(h.everyShard()) // for FlushThen: they do not wait for Flush
	for _, s := range h.shards {
		s.inbox.pushWait(op{kind: opBroadcast, frame: frame})
	}
}

// Through calls done, on one of the workers, when all that was there for members
// before the call was handed to their connections.
func (h *Hub) Through(done func()) { h.through(h.everyShard(), done) }

// everyShard is all shards, as bits.
func (h *Hub) everyShard() uint64 { return 1<<len(h.shards) - 1 } // also when there are 64

func (h *Hub) through(mask uint64, done func()) {
	var left atomic.Int32
	left.Store(int32(bits.OnesCount64(mask))) //nolint:gosec // at most 64
	pass := func(*shard) {
		if left.Add(-1) == 0 {
			done()
		}
	}
	eachShard(mask, func(i int) { h.shards[i].inbox.push(op{kind: opCall, call: pass}) })
}

// EachIn calls f for every member of key on this node, as Each does.
func (h *Hub) EachIn(key Key, f func(*Member)) {
	o := op{kind: opCall, call: func(s *shard) {
		if l := s.find(key); l != nil {
			for _, o := range l.occupants {
				f(o.member)
			}
		}
	}}
	if key.Kind == KindUser {
		h.shardOf(key.Name).inbox.push(o)
		return
	}
	eachShard(h.registry.shardsOf(key), func(i int) { h.shards[i].inbox.push(o) })
}

// Each calls f for every member, on the workers: several calls may run at a time,
// each as a callback does.
func (h *Hub) Each(f func(*Member)) {
	for _, s := range h.shards {
		s.inbox.push(op{kind: opCall, call: func(s *shard) {
			for _, m := range s.members {
				f(m)
			}
		}})
	}
}
