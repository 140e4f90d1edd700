package admission

import (
	"hash/maphash"
	"sync"
)

// key names an entry: an address in its 16-byte form, or a digest of a user's id.
type key [2]uint64

const (
	numShards = 64
	shardBits = 6
	pageSize  = 64
	pageBits  = 6
)

// table is a bounded map whose entries keep their place, so that it can be noted
// in four bytes: a shard, and within it a page and a slot of the page. Pages that
// are empty are given back by sweep; nothing else makes an entry go away.
type table[V any] struct {
	seed   maphash.Seed
	shards [numShards]tableShard[V]
	most   int // entries in a shard
}

// tableShard is a part of the table with a lock of its own.
type tableShard[V any] struct {
	mu    sync.Mutex
	index map[key]uint32 // guarded by mu, as all below: places by key
	pages []*page[V]     // nil where a page was given back
	free  []uint32       // places that nothing occupies, in pages that exist
	peak  int            // the most entries since index was made
}

type page[V any] struct {
	slots [pageSize]slot[V]
}

type slot[V any] struct {
	key   key
	used  bool
	value V
}

func newTable[V any](entries int) *table[V] {
	t := &table[V]{seed: maphash.MakeSeed(), most: max(1, entries/numShards)}
	for i := range t.shards {
		t.shards[i].index = map[key]uint32{}
	}
	return t
}

// ref is the place of an entry in a table; 0 is none.
type ref uint32

func (r ref) shard() int    { return int(r) & (numShards - 1) }
func (r ref) place() uint32 { return uint32(r)>>shardBits - 1 }

func refOf(shard int, place uint32) ref { return ref((place+1)<<shardBits | uint32(shard)) }

// with calls f with the value of a key, which is made when there is none, and
// returns where it is. When the table is full it returns 0 and calls nothing. f is
// called under the lock of the shard.
func (t *table[V]) with(k key, f func(*V)) ref {
	i := int(maphash.Comparable(t.seed, k) & (numShards - 1))
	s := &t.shards[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	place, found := s.index[k]
	if !found {
		if len(s.index) >= t.most {
			return 0
		}
		place = s.take(k)
	}
	f(&s.at(place).value)
	return refOf(i, place)
}

// withRef calls f with the value at a place that with has returned and that keep
// has held on to since.
func (t *table[V]) withRef(r ref, f func(*V)) {
	s := &t.shards[r.shard()]
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.at(r.place()).value)
}

func (s *tableShard[V]) at(place uint32) *slot[V] {
	return &s.pages[place>>pageBits].slots[place&(pageSize-1)]
}

// take gives k a place.
func (s *tableShard[V]) take(k key) uint32 {
	if len(s.free) == 0 {
		s.addPage()
	}
	place := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	*s.at(place) = slot[V]{key: k, used: true}
	s.index[k] = place
	s.peak = max(s.peak, len(s.index))
	return place
}

func (s *tableShard[V]) addPage() {
	n := len(s.pages)
	for i, p := range s.pages {
		if p == nil {
			n = i
			break
		}
	}
	if n == len(s.pages) {
		s.pages = append(s.pages, nil)
	}
	s.pages[n] = new(page[V])
	for i := range uint32(pageSize) {
		s.free = append(s.free, uint32(n)<<pageBits|(pageSize-1-i))
	}
}

// sweep removes the entries that keep does not hold on to, and gives back what
// memory it can. It takes one shard's lock at a time.
func (t *table[V]) sweep(keep func(*V) bool) {
	for i := range t.shards {
		t.shards[i].sweep(keep)
	}
}

func (s *tableShard[V]) sweep(keep func(*V) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = s.free[:0]
	for n, p := range s.pages {
		if p == nil {
			continue
		}
		before, live := len(s.free), 0
		for i := range p.slots {
			if slot := &p.slots[i]; slot.used && keep(&slot.value) {
				live++
				continue
			} else if slot.used {
				delete(s.index, slot.key)
				p.slots[i].used = false
			}
			s.free = append(s.free, uint32(n)<<pageBits|uint32(i))
		}
		if live == 0 {
			s.pages[n], s.free = nil, s.free[:before]
		}
	}
	s.shrink()
}

// shrink gives back what was taken for many entries when few are left: Go's maps
// keep theirs.
func (s *tableShard[V]) shrink() {
	for len(s.pages) > 0 && s.pages[len(s.pages)-1] == nil {
		s.pages = s.pages[:len(s.pages)-1]
	}
	if s.peak < 4*pageSize || len(s.index) > s.peak/4 {
		return
	}
	index := make(map[key]uint32, len(s.index))
	for k, place := range s.index {
		index[k] = place
	}
	s.index, s.peak = index, len(index)
	s.pages = append(make([]*page[V], 0, len(s.pages)), s.pages...)
	s.free = append(make([]uint32, 0, len(s.free)), s.free...)
}

// len is the number of entries.
func (t *table[V]) len() (n int) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		n += len(s.index)
		s.mu.Unlock()
	}
	return n
}
