package room

import (
	"cmp"
	"slices"
)

// Presence is a user that is in a room, or online, on this node.
type Presence struct {
	UserID   string
	UserName string
	Devices  int
}

// OnlineEach reports for each of users whether it is online on this node; a user
// within its grace counts. It takes read locks that are never held during I/O.
func (h *Hub) OnlineEach(users []string) []bool {
	online := make([]bool, len(users))
	for i, u := range users {
		s := h.shardOf(u)
		s.mu.RLock()
		online[i] = s.find(User(u)) != nil
		if !online[i] {
			_, online[i] = s.departures[u]
		}
		s.mu.RUnlock()
	}
	return online
}

// Status is how things are with a user at this node.
type Status struct {
	Here  bool // it has a device here, or had one within its grace
	Name  string
	Rooms []string // rooms with presence that it is in, or was within its grace; some twice
}

// Status takes a lock as OnlineEach does.
func (h *Hub) Status(userID string) (st Status) {
	s := h.shardOf(userID)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if d := s.departures[userID]; d != nil {
		st = Status{Here: true, Name: d.name, Rooms: names(nil, d.rooms)}
	}
	if l := s.find(User(userID)); l != nil {
		st.Here = true
		for m := range l.members() {
			st.Name = m.name
			st.Rooms = names(st.Rooms, m.presenceRooms(nil))
		}
	}
	return st
}

func names(dst []string, keys []Key) []string {
	for _, k := range keys {
		dst = append(dst, k.Name)
	}
	return dst
}

// Users calls f for every user that is online on this node, within its grace too,
// some of them twice. A lock is held meanwhile: f must be short and not call back.
func (h *Hub) Users(f func(userID string)) {
	for _, s := range h.shards {
		s.mu.RLock()
		for l := range s.lists.all() {
			if l.kind == KindUser {
				f(l.name)
			}
		}
		for user := range s.departures {
			f(user)
		}
		s.mu.RUnlock()
	}
}

// Watched calls f for every user that a member on this node watches. Locks are held
// meanwhile: f must be short and not call back.
func (h *Hub) Watched(f func(userID string)) {
	for i := range h.registry.buckets {
		b := &h.registry.buckets[i]
		b.mu.RLock()
		for e := range b.entries.all() {
			if e.kind == KindWatch {
				f(e.name)
			}
		}
		b.mu.RUnlock()
	}
}

// InRoom returns up to limit users of a room on this node, each once, and how
// many connections it has here.
func (h *Hub) InRoom(name string, limit int) (users []Presence, connections int) {
	key := Room(name)
	eachShard(h.registry.shardsOf(key), func(i int) {
		s := h.shards[i]
		s.mu.RLock()
		defer s.mu.RUnlock()
		l := s.find(key)
		if l == nil {
			return
		}
		connections += len(l.occupants)
		at := map[string]int{} // devices of a user are in one shard
		for m := range l.members() {
			if j, seen := at[m.user]; seen {
				users[j].Devices++
			} else if len(users) < limit {
				at[m.user] = len(users)
				users = append(users, Presence{m.user, m.name, 1})
			}
		}
	})
	return users, connections
}

// Members returns every member of this node, in the order of the shards.
func (h *Hub) Members() []*Member {
	members := make([]*Member, 0, h.stats.members.Load())
	for _, s := range h.shards {
		s.mu.RLock()
		members = append(members, s.members...)
		s.mu.RUnlock()
	}
	return members
}

// OnlineUsers returns the users with devices on this node whose id sorts behind
// after, in order, up to limit: a page, if after is the last id of the page
// before. It looks at every user.
func (h *Hub) OnlineUsers(after string, limit int) []Presence {
	var users []Presence
	for _, s := range h.shards {
		s.mu.RLock()
		for l := range s.lists.all() {
			if l.kind == KindUser && l.name > after {
				users = append(users, Presence{l.name, l.occupants[0].member.name, len(l.occupants)})
			}
		}
		s.mu.RUnlock()
	}
	slices.SortFunc(users, func(a, b Presence) int { return cmp.Compare(a.UserID, b.UserID) })
	return users[:min(max(limit, 0), len(users))]
}
