package room

import "github.com/ginforge/gateway/engine"

// A user is online while one of its devices is attached, and for Config.Grace
// after the last has gone. Others are told at the edges only: those who watch
// the user, and those who share a room with presence with it. When an online
// user enters such a room, the members who had no such relation to it before
// are told once.

// statusChange says who is told of a user's status: the members of tell, but
// not those of except. Immutable; shared by the shards.
type statusChange struct {
	tell   []Key
	except []Key
}

// departure remembers a user whose last device has gone. Owned by the worker;
// others only look whether there is one.
type departure struct {
	name     string
	at       uint32 // tick at which the grace ends
	rooms    []Key  // rooms with presence whose members believe it online
	returned bool   // a device came back within the grace
}

// presenceRooms appends the rooms with presence that m is in.
func (m *Member) presenceRooms(dst []Key) []Key {
	for _, s := range m.seats {
		if s.list.presence {
			dst = append(dst, s.list.key)
		}
	}
	return dst
}

// cameOnline is called when the first device of a user has been attached.
func (s *shard) cameOnline(m *Member) {
	if d := s.departures[m.user]; d != nil {
		d.returned = true // nobody was told that it had gone
		return
	}
	s.announce(m.user, m.name, true, []Key{Watch(m.user)}, nil)
}

// wentAway is called when the last device of a user has been detached; rooms
// are those with presence that it was in.
func (s *shard) wentAway(m *Member, rooms []Key) {
	d := &departure{name: m.name, at: s.now + ticks(s.hub.cfg.Grace), rooms: rooms}
	if before := s.departures[m.user]; before != nil {
		d.rooms = union(d.rooms, before.rooms)
	}
	s.mu.Lock()
	s.departures[m.user] = d
	s.mu.Unlock()
	if s.hub.cfg.Grace == 0 {
		s.depart()
	}
}

// depart tells of the users whose grace has ended.
func (s *shard) depart() {
	for user, d := range s.departures {
		if d.at > s.now {
			continue
		}
		s.mu.Lock()
		delete(s.departures, user)
		s.mu.Unlock()
		if !d.returned {
			s.announce(user, d.name, false, append(d.rooms, Watch(user)), nil)
		}
	}
}

// enteredPresence is called before m joins a room with presence.
func (s *shard) enteredPresence(m *Member, key Key) {
	if d := s.departures[m.user]; d != nil && removeKey(&d.rooms, key) {
		return // back within the grace: its members believe it online
	}
	related := []Key{Watch(m.user)}
	for _, o := range s.lists[User(m.user)].occupants {
		if o.member.in(key) >= 0 {
			return // another device was there before
		}
		related = o.member.presenceRooms(related)
	}
	s.announce(m.user, m.name, true, []Key{key}, related)
}

// announce has every shard that holds one of tell send the status frame.
func (s *shard) announce(user, name string, online bool, tell, except []Key) {
	var mask uint64
	for _, key := range tell {
		mask |= s.hub.registry.shardsOf(key)
	}
	if mask == 0 {
		return
	}
	c := &statusChange{tell: tell, except: append(except, User(user))}
	frame := s.hub.cfg.Status(user, name, online)
	eachShard(mask, func(i int) {
		s.hub.shards[i].inbox.push(op{kind: opStatus, status: c, frame: frame})
	})
}

// tellStatus sends the frame once to each member concerned.
func (s *shard) tellStatus(c *statusChange, frame *engine.Frame) {
	s.stamp++
	for _, key := range c.except {
		if l := s.lists[key]; l != nil {
			for _, o := range l.occupants {
				o.member.stamp = s.stamp
			}
		}
	}
	for _, key := range c.tell {
		l := s.lists[key]
		if l == nil {
			continue
		}
		for _, o := range l.occupants {
			if o.member.stamp != s.stamp {
				o.member.stamp = s.stamp
				s.send(o.member, frame)
			}
		}
	}
}

func union(a, b []Key) []Key {
	for _, k := range b {
		if !hasKey(a, k) {
			a = append(a, k)
		}
	}
	return a
}

func hasKey(keys []Key, key Key) bool {
	for _, k := range keys {
		if k == key {
			return true
		}
	}
	return false
}

// removeKey takes key out of *keys and reports whether it was there.
func removeKey(keys *[]Key, key Key) bool {
	for i, k := range *keys {
		if k == key {
			*keys = append((*keys)[:i], (*keys)[i+1:]...)
			return true
		}
	}
	return false
}
