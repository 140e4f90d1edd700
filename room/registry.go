package room

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Subscriber receives interest in the channels of rooms and users. Its methods
// are called with locks held and must neither block nor call back into the hub,
// except for confirmed, which may run at once or later, on any goroutine, and
// runs once unless Unsubscribe came first.
type Subscriber interface {
	Subscribe(key Key, confirmed func())
	Unsubscribe(key Key)
}

// entry is what is known of a room across the shards of this node.
type entry struct {
	name string // of the key
	hash uint32 // of the key; see Hub.sum
	kind Kind   // of the key
	// shards has a bit for each shard with members; changed under the bucket's
	// mu, read without it on the delivery path.
	shards atomic.Uint64
	// confirmed says that the bus delivers this room's channel to us.
	confirmed atomic.Bool
}

func (e *entry) key() Key    { return Key{e.kind, e.name} }
func (e *entry) sum() uint32 { return e.hash }

// registry finds the shards that hold members of a room or watch a user, and
// turns a room's first member and its last into Subscribe and Unsubscribe. Both
// happen under the lock of the room's bucket, so that they reach the bus in the
// order in which they happened. Users are not in it: each is in one shard.
type registry struct {
	sum     func(Key) uint32
	bus     Subscriber
	logs    *logs
	watches bool              // the status of users is heard through the bus
	confirm func(Key, uint64) // tells the given shards that a room is confirmed
	rooms   atomic.Int64      // rooms with members, KindRoom only
	buckets [1 << bucketBits]bucket
}

// bucketBits is how many bits of a key's sum choose its bucket.
const bucketBits = 6

type bucket struct {
	mu      sync.RWMutex
	entries table[*entry] // guarded by mu
}

func newRegistry(sum func(Key) uint32, bus Subscriber, logs *logs, confirm func(Key, uint64)) *registry {
	return &registry{sum: sum, bus: bus, logs: logs, confirm: confirm}
}

// find returns the bucket of a key, by the upper bits of its sum; the bucket's
// table goes by the lower ones.
func (r *registry) find(key Key) (b *bucket, sum uint32) {
	sum = r.sum(key)
	return &r.buckets[sum>>(32-bucketBits)], sum
}

// shardsOf returns a bit for each shard with members of key.
func (r *registry) shardsOf(key Key) uint64 {
	b, sum := r.find(key)
	b.mu.RLock()
	e := b.entries.get(key, sum)
	b.mu.RUnlock()
	if e == nil {
		return 0
	}
	return e.shards.Load()
}

// confirmed reports whether the bus delivers key.
func (r *registry) confirmed(key Key) bool {
	b, sum := r.find(key)
	b.mu.RLock()
	defer b.mu.RUnlock()
	e := b.entries.get(key, sum)
	return e != nil && e.confirmed.Load()
}

// enter records that shard has its first member of key, and reports whether the
// room is already confirmed. If not, confirm is called for the shard later: it
// sets its bit before it looks, and confirmation is stored before bits are read,
// so one of the two sees the other.
func (r *registry) enter(key Key, shard int) (confirmed bool) {
	b, sum := r.find(key)
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries.get(key, sum)
	if e == nil {
		e = &entry{name: key.Name, kind: key.Kind, hash: sum}
		b.entries.put(e)
		e.shards.Store(1 << shard)
		r.first(key, e)
	} else {
		e.shards.Or(1 << shard)
	}
	return e.confirmed.Load()
}

// first subscribes to the channel of a room that has become alive.
func (r *registry) first(key Key, e *entry) {
	if key.Kind == KindRoom {
		r.rooms.Add(1)
	}
	if !r.subscribes(key) {
		e.confirmed.Store(true)
		return
	}
	if r.logs.has(key) {
		r.logs.open(key)
	}
	r.bus.Subscribe(key, func() {
		e.confirmed.Store(true)
		r.confirm(key, e.shards.Load())
	})
}

// leave records that shard has lost its last member of key.
func (r *registry) leave(key Key, shard int) {
	b, sum := r.find(key)
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries.get(key, sum)
	if e == nil {
		return
	}
	if e.shards.And(^uint64(1<<shard))&^(1<<shard) != 0 {
		return
	}
	b.entries.remove(e)
	if key.Kind == KindRoom {
		r.rooms.Add(-1)
	}
	if r.subscribes(key) {
		r.bus.Unsubscribe(key)
	}
	if r.logs.has(key) {
		r.logs.close(key)
	}
}

// subscribes reports whether a channel of the bus belongs to key.
func (r *registry) subscribes(key Key) bool { return key.Kind != KindWatch || r.watches }

// eachShard calls f with the index of every bit in mask.
func eachShard(mask uint64, f func(i int)) {
	for ; mask != 0; mask &= mask - 1 {
		f(bits.TrailingZeros64(mask))
	}
}
