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
	if s.hub.cfg.EveryDevice {
		s.changed(m.user)
	}
	switch {
	case s.hub.cfg.Grace == 0 && last:
		s.wentOffline(m.user, m.name, rooms)
		return
	case !last && len(rooms) == 0:
		return
	case s.hub.cfg.Grace == 0:
		s.changed(m.user)
		return
	}
	d := s.departures[m.user]
	if d == nil {
		d = &departure{}
		s.mu.Lock()
		s.departures[m.user] = d
		s.mu.Unlock()
	}
	d.here, d.ends = !last, s.now+ticks(s.hub.cfg.Grace)+1
	s.mu.Lock()
	d.name, d.rooms = m.name, union(d.rooms, rooms)
	s.mu.Unlock()
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
		} else if len(d.rooms) > 0 {
			s.changed(user)
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
		s.mu.Lock()
		known := removeKey(&d.rooms, key)
		s.mu.Unlock()
		if known {
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

// changed says that the status of a user at this node may have changed, to whoever
// wants to know.
func (s *shard) changed(user string) {
	if s.hub.cfg.Changed != nil {
		s.hub.cfg.Changed(user)
	}
}

// announce tells of a user's status, here or, with Config.Changed, by way of those
// who know all nodes.
func (s *shard) announce(user, name string, online bool, tell, except []Key) {
	if s.hub.cfg.Changed != nil {
		s.hub.cfg.Changed(user)
		return
	}
	if s.hub.shardsOf(tell) != 0 {
		s.hub.TellStatus(user, s.hub.cfg.Status(user, name, online), tell, except)
	}
}

// TellStatus sends a frame about a user's status to the members of tell on this
// node, to each once, but not to those of except nor to the user's own devices. It
// does not wait; the slices are kept.
func (h *Hub) TellStatus(userID string, frame *engine.Frame, tell, except []Key) {
	c := &statusChange{tell: tell, except: append(except, User(userID))}
	eachShard(h.shardsOf(tell), func(i int) {
		h.shards[i].inbox.push(op{kind: opStatus, status: c, frame: frame})
	})
}

// Concerns reports whether any of keys, which are no users', has members on this
// node.
func (h *Hub) Concerns(keys []Key) bool { return h.shardsOf(keys) != 0 }

// shardsOf returns a bit for each shard with members of one of keys.
func (h *Hub) shardsOf(keys []Key) (mask uint64) {
	for _, key := range keys {
		mask |= h.registry.shardsOf(key)
	}
	return mask
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
