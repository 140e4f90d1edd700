package room

import (
	"slices"
	"testing"
)

// check fails the test unless every index of a settled hub agrees with every
// other: members, seats, lists, the registry, the gauges and the bus.
func check(t testing.TB, w *world) {
	t.Helper()
	lists := map[Key]uint64{} // shards with members of a key
	var members, users, rooms int64
	for _, s := range w.shards {
		checkMembers(t, s)
		checkIdle(t, s)
		waiting := 0
		for l := range s.lists.all() {
			checkList(t, s, l)
			if len(s.waiting[l]) > 0 {
				waiting++
			}
			lists[l.key()] |= 1 << s.index
		}
		if waiting != len(s.waiting) {
			t.Errorf("shard %d has waiters for %d lists, %d of them its own", s.index, len(s.waiting), waiting)
		}
		members += int64(len(s.members))
	}
	for key := range lists {
		switch key.Kind {
		case KindRoom:
			rooms++
		case KindUser:
			users++
		}
	}
	got := w.Stats()
	if got.Members != members || got.Users != users || got.Rooms != rooms {
		t.Errorf("Stats() = %d members, %d users, %d rooms; want %d, %d, %d",
			got.Members, got.Users, got.Rooms, members, users, rooms)
	}
	checkRegistry(t, w, lists)
	checkBus(t, w, lists)
}

// checkMembers looks at the seats of each member.
func checkMembers(t testing.TB, s *shard) {
	t.Helper()
	for i, m := range s.members {
		if !m.attached || m.gone || int(m.index) != i || s.hub.shardOf(m.user) != s {
			t.Errorf("member %d of shard %d is %+v", i, s.index, m)
		}
		count := [3]int32{}
		for j, seat := range m.seats {
			key := seat.list.key()
			count[key.Kind]++
			if s.find(key) != seat.list {
				t.Errorf("%s has a seat in a list of %s that is not the shard's", m.user, nameOf(key))
			}
			if o := seat.list.occupants[seat.index]; o.member != m || int(o.seat) != j {
				t.Errorf("%s's seat %d in %s belongs to seat %d of %s", m.user, j, nameOf(key), o.seat, o.member.user)
			}
			if m.in(key) != j {
				t.Errorf("%s is twice in %s", m.user, nameOf(key))
			}
		}
		if m.in(User(m.user)) < 0 || count[KindUser] != 1 {
			t.Errorf("%s has %d user seats, want 1, its own", m.user, count[KindUser])
		}
		if count[KindRoom] != m.rooms || count[KindWatch] != m.watched {
			t.Errorf("%s counts %d rooms and %d watched, and has %v", m.user, m.rooms, m.watched, count)
		}
		if m.out != 0 {
			t.Errorf("%s has frames that were not sent", m.user)
		}
	}
}

// checkList looks at the members of a list.
func checkList(t testing.TB, s *shard, l *list) {
	t.Helper()
	key := l.key()
	if s.find(key) != l || len(l.occupants) == 0 {
		t.Errorf("the list of %s is not found, or has no occupant: %d", nameOf(key), len(l.occupants))
	}
	for i, o := range l.occupants {
		m := o.member
		if !m.attached || s.members[m.index] != m {
			t.Errorf("%s in %s is not attached", m.user, nameOf(key))
		} else if seat := m.seats[o.seat]; seat.list != l || int(seat.index) != i {
			t.Errorf("occupant %d of %s is seat %d of %s, which is elsewhere", i, nameOf(key), o.seat, m.user)
		}
	}
	for _, o := range l.occupants[len(l.occupants):cap(l.occupants)] {
		if o.member != nil {
			t.Errorf("%s keeps %s alive, who has left", nameOf(key), o.member.user)
		}
	}
	for _, waiter := range s.waiting[l] {
		if waiter.member.in(key) < 0 {
			t.Errorf("%s waits for %s and is not in it", waiter.member.user, nameOf(key))
		}
	}
	if !l.open {
		t.Errorf("%s does not take deliveries", nameOf(key))
	}
	if l.confirmed && len(s.waiting[l]) > 0 {
		t.Errorf("%s is confirmed and %d wait", nameOf(key), len(s.waiting[l]))
	}
}

// checkIdle looks at what must be empty between batches.
func checkIdle(t testing.TB, s *shard) {
	t.Helper()
	if s.inbox.peek() > 0 || s.inbox.bytes > 0 {
		t.Errorf("shard %d has not settled: %d ops, %d bytes", s.index, len(s.inbox.ops), s.inbox.bytes)
	}
	if len(s.orphans) > 0 || len(s.outbox.runs) > 0 || len(s.outbox.dirty) > 0 || len(s.outbox.links) > 1 {
		t.Errorf("shard %d has %d orphans, %d runs, %d dirty members and %d links left", s.index,
			len(s.orphans), len(s.outbox.runs), len(s.outbox.dirty), len(s.outbox.links)-1)
	}
	for user, d := range s.departures {
		if here := s.find(User(user)) != nil; here != d.here {
			t.Errorf("%s is within its grace, here: %v, want %v", user, d.here, here)
		}
	}
}

// checkRegistry compares the registry with the lists of the shards.
func checkRegistry(t testing.TB, w *world, lists map[Key]uint64) {
	t.Helper()
	entries := 0
	for i := range w.registry.buckets {
		entries += w.registry.buckets[i].entries.count
	}
	for key, shards := range lists {
		if key.Kind == KindUser {
			if shards != 1<<w.shardOf(key.Name).index {
				t.Errorf("the devices of %s are in the shards %b", key.Name, shards)
			}
			continue
		}
		entries--
		if got := w.registry.shardsOf(key); got != shards {
			t.Errorf("the registry has the shards %b for %s, want %b", got, nameOf(key), shards)
		}
	}
	if entries != 0 {
		t.Errorf("the registry has %d rooms too many", entries)
	}
}

// checkBus compares what the bus was asked for, and has confirmed, with the
// lists of the shards.
func checkBus(t testing.TB, w *world, lists map[Key]uint64) {
	t.Helper()
	subscribed := len(w.bus.wanted)
	for key, shards := range lists {
		waits, ok := w.bus.wanted[key]
		if ok {
			subscribed--
		} else if key.Kind != KindWatch {
			t.Errorf("%s is not subscribed", nameOf(key))
		}
		eachShard(shards, func(i int) {
			if got := w.shards[i].find(key).confirmed; got != (waits == nil) {
				t.Errorf("%s is confirmed in shard %d: %v, want %v", nameOf(key), i, got, !got)
			}
		})
	}
	if subscribed != 0 {
		t.Errorf("%d subscriptions too many", subscribed)
	}
	if len(w.bus.strange) > 0 {
		t.Errorf("calls of the bus that break its contract: %q", w.bus.strange)
	}
}

// checkEmpty is check for a hub that everybody has left.
func checkEmpty(t testing.TB, w *world) {
	t.Helper()
	check(t, w)
	for _, s := range w.shards {
		if len(s.members) > 0 || s.lists.count > 0 || slices.ContainsFunc(s.members[:cap(s.members)], func(m *Member) bool { return m != nil }) {
			t.Errorf("shard %d keeps %d members and %d lists after the last has left", s.index, len(s.members), s.lists.count)
		}
	}
}
