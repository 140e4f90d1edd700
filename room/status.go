package room

import "github.com/ginforge/gateway/engine"

// A user is online while one of its devices is attached, and for Config.Grace
// after the last has gone. Others are told at the edges only: those who watch
// the user, and those who share a room with presence with it. A room is shared
// while a device of the user is in it, and for the same grace after a device in
// it has gone (a browser that quits ends its connections one by one); leaving
// the room ends it at once. When an online user enters such a room, the members
// who had no such relation to it before are told once.

// statusChange says who is told of a user's status: the members of tell, but
// not those of except. Immutable; shared by the shards.
type statusChange struct {
	tell   []Key
	except []Key
}

// departure remembers for a grace that a device of a user has gone. Owned by the
// worker; others only look whether there is one.
type departure struct {
	name  string
	ends  uint32 // tick at which the grace is over
	rooms []Key  // rooms with presence that devices were in when they went
	here  bool   // other devices have stayed or come back: nobody is told
}

// presenceRooms appends the rooms with presence that m is in.
func (m *Member) presenceRooms(dst []Key) []Key {
	for _, s := range m.seats {
		if s.list.presence {
			dst = append(dst, s.list.key())
		}
	}
	return dst
}

// cameOnline is called when the first device of a user has been attached.
func (s *shard) cameOnline(m *Member) {
	if d := s.departures[m.user]; d != nil {
		d.here = true // nobody was told that it had gone
		return
	}
	s.announce(m.user, m.name, true, []Key{Watch(m.user)}, nil)
}

// deviceGone is called when m has been detached from rooms with presence; last
// says that it was the last device of its user.
func (s *shard) deviceGone(m *Member, rooms []Key, last bool) {
	switch {
	case s.hub.cfg.Grace == 0 && last:
		s.wentOffline(m.user, m.name, rooms)
		return
	case s.hub.cfg.Grace == 0, !last && len(rooms) == 0:
		return
	}
	d := s.departures[m.user]
	if d == nil {
		d = &departure{}
		s.mu.Lock()
		s.departures[m.user] = d
		s.mu.Unlock()
	}
	d.name, d.here = m.name, !last
	d.ends = s.now + ticks(s.hub.cfg.Grace) + 1
	d.rooms = union(d.rooms, rooms)
}

// endGraces tells of the users whose grace is over.
func (s *shard) endGraces() {
	for user, d := range s.departures {
		if d.ends > s.now {
			continue
		}
		s.mu.Lock()
		delete(s.departures, user)
		s.mu.Unlock()
		if !d.here {
			s.wentOffline(user, d.name, d.rooms)
		}
	}
}

func (s *shard) wentOffline(user, name string, rooms []Key) {
	s.announce(user, name, false, append(rooms, Watch(user)), nil)
}

// enteredPresence is called when m has taken its seat in a room with presence:
// who comes to the room later than the announcement finds m there.
func (s *shard) enteredPresence(m *Member, key Key) {
	related := []Key{Watch(m.user)}
	if d := s.departures[m.user]; d != nil {
		if removeKey(&d.rooms, key) {
			return // back within the grace: its members believe it online
		}
		related = append(related, d.rooms...)
	}
	for _, o := range s.find(User(m.user)).occupants {
		if o.member != m && o.member.in(key) >= 0 {
			return // another device was there before
		}
		related = o.member.presenceRooms(related)
	}
	removeKey(&related, key) // m's own seat
	s.announce(m.user, m.name, true, []Key{key}, related)
}

// announce has every shard that holds one of tell send the status frame. The
// user's own devices are not told.
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
		if l := s.find(key); l != nil {
			for _, o := range l.occupants {
				o.member.stamp = s.stamp
			}
		}
	}
	for _, key := range c.tell {
		l := s.find(key)
		if l == nil {
			continue
		}
		for _, o := range l.occupants {
			if o.member.stamp != s.stamp {
				o.member.stamp = s.stamp
				s.outbox.addOne(o.member, frame)
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
