package room

import (
	"slices"
	"strings"
)

// Count is a room with members on this node.
type Count struct {
	Name        string
	Connections int
}

// Rooms returns the rooms with members on this node whose names begin with prefix
// and sort behind after, in order, up to limit: a page, if after is the last name of
// the page before. It looks at every room, under read locks that are never held
// during I/O.
func (h *Hub) Rooms(prefix, after string, limit int) []Count {
	names := h.registry.named(prefix, after)
	slices.Sort(names)
	rooms := make([]Count, 0, min(max(limit, 0), len(names)))
	for _, name := range names {
		if len(rooms) == cap(rooms) {
			break
		}
		if n := len(h.MembersIn(Room(name))); n > 0 {
			rooms = append(rooms, Count{name, n})
		}
	}
	return rooms
}

// named returns the names of the rooms that begin with prefix and sort behind
// after, in no order.
func (r *registry) named(prefix, after string) (names []string) {
	for i := range r.buckets {
		b := &r.buckets[i]
		b.mu.RLock()
		for e := range b.entries.all() {
			if e.kind == KindRoom && e.name > after && strings.HasPrefix(e.name, prefix) {
				names = append(names, e.name)
			}
		}
		b.mu.RUnlock()
	}
	return names
}

// MembersIn returns the members of key on this node.
func (h *Hub) MembersIn(key Key) (members []*Member) {
	look := func(s *shard) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if l := s.find(key); l != nil {
			members = slices.AppendSeq(members, l.members())
		}
	}
	if key.Kind == KindUser {
		look(h.shardOf(key.Name))
		return members
	}
	eachShard(h.registry.shardsOf(key), func(i int) { look(h.shards[i]) })
	return members
}
