package room

import (
	"errors"
	"slices"
	"sync"
)

// shard owns a share of the members and their part of every room. Its worker is
// the only one to change anything; it does so under mu, and reads without it.
// Other goroutines read under mu.
//
// Locks are taken in this order: a shard's mu, the mu of a bucket of the registry,
// then those of the bus or of an inbox.
type shard struct {
	hub   *Hub
	index int
	inbox inbox

	mu         sync.RWMutex
	members    []*Member             // every attached member, dense
	lists      table[*list]          // rooms and users with members here
	departures map[string]*departure // users with a device that has gone, within the grace

	// Owned by the worker.
	now     uint32             // ticks since the start
	waiting map[*list][]waiter // occupants whose join the bus has not confirmed yet
	crowd   int                // the most lists that waiting has had
	orphans []orphan           // answered when mu is not held
	stamp   uint32
	outbox  outbox
}

func newShard(h *Hub, index int) *shard {
	s := &shard{
		hub:        h,
		index:      index,
		waiting:    map[*list][]waiter{},
		departures: map[string]*departure{},
		outbox:     newOutbox(&h.stats),
	}
	s.inbox.init()
	return s
}

// maxKeptOps is how big a batch may have been for its slice to be used again.
const maxKeptOps = 1 << 10

// run works until the inbox is closed and empty.
func (s *shard) run() {
	var batch []op
	for {
		batch = s.inbox.take(batch)
		if batch == nil {
			return
		}
		s.work(batch)
		if cap(batch) > maxKeptOps {
			batch = nil
		}
	}
}

// work handles a batch, after which everything in it has been sent.
func (s *shard) work(batch []op) {
	for i := range batch {
		s.do(&batch[i])
		batch[i] = op{} // the slice is reused and must not keep anything alive
	}
	s.outbox.flush()
}

// do handles one op. Deliveries are collected; everything else first sends what
// is collected, so that order is kept.
func (s *shard) do(o *op) {
	switch o.kind {
	case opDeliver:
		if l := s.find(o.key); l != nil && l.open {
			s.outbox.add(l.occupants, nil, o.frame)
		}
		return
	case opBroadcast:
		s.outbox.add(nil, s.members, o.frame)
		return
	case opStatus:
		s.tellStatus(o.status, o.frame)
		return
	case opOpen:
		o.list.open = true
		return
	}
	s.outbox.flush()
	switch o.kind {
	case opAttach:
		s.attach(o.member, o.done)
	case opDetach:
		s.detach(o.member)
	case opJoin:
		s.join(o.member, o.key, o.presence, o.done)
	case opLeave:
		s.leave(o.member, o.key, o.done)
	case opInOrder:
		s.inOrder(o.member, o.key, o.done)
	case opConfirmed:
		s.confirmed(o.list)
	case opRoomConfirmed:
		s.roomConfirmed(o.key)
	case opCall:
		o.call(s)
	case opTick:
		s.tick()
	}
	s.answerOrphans()
}

func (s *shard) attach(m *Member, done func(error)) {
	if m.gone {
		done(ErrGone)
		return
	}
	s.whenConfirmed(s.sit(m), m, done)
}

// sit enters m and its user, and returns the list of the user's devices.
func (s *shard) sit(m *Member) *list {
	s.mu.Lock()
	m.attached = true
	m.index = int32(len(s.members))
	s.members = append(s.members, m)
	l, first := s.seat(m, User(m.user))
	s.mu.Unlock()
	s.hub.stats.members.Add(1)
	if first {
		s.hub.stats.users.Add(1)
		s.cameOnline(m)
	}
	return l
}

func (s *shard) detach(m *Member) {
	m.gone = true
	if !m.attached {
		return
	}
	rooms := m.presenceRooms(nil)
	s.mu.Lock()
	m.attached = false
	last := len(s.members) - 1
	s.members[m.index] = s.members[last]
	s.members[m.index].index = m.index
	s.members[last] = nil
	s.members = shrink(s.members[:last])
	for len(m.seats) > 0 {
		s.unseat(m, len(m.seats)-1, ErrGone)
	}
	m.seats = nil
	s.mu.Unlock()
	s.hub.stats.members.Add(-1)
	lastDevice := s.find(User(m.user)) == nil
	if lastDevice {
		s.hub.stats.users.Add(-1)
	}
	s.deviceGone(m, rooms, lastDevice)
}

func (s *shard) join(m *Member, key Key, presence bool, done func(error)) {
	if m.attached && m.in(key) >= 0 {
		s.whenConfirmed(s.find(key), m, done)
		return
	}
	l, err := s.enter(m, key, presence)
	if err != nil {
		done(err)
		return
	}
	s.whenConfirmed(l, m, done)
}

// enter seats m in key, where it is not yet.
func (s *shard) enter(m *Member, key Key, presence bool) (*list, error) {
	switch {
	case !m.attached:
		return nil, ErrGone
	case key.Kind == KindRoom && int(m.rooms) >= s.hub.cfg.MaxRooms:
		return nil, ErrTooManyRooms
	case key.Kind == KindWatch && int(m.watched) >= s.hub.cfg.MaxWatched:
		return nil, ErrTooManyWatched
	}
	s.mu.Lock()
	l, _ := s.seat(m, key)
	l.presence = presence && key.Kind == KindRoom
	s.mu.Unlock()
	if l.presence {
		s.enteredPresence(m, key)
	}
	return l, nil
}

func (s *shard) leave(m *Member, key Key, done func(error)) {
	i := m.in(key)
	if i < 0 {
		done(ErrNotMember)
		return
	}
	presence := m.seats[i].list.presence
	s.mu.Lock()
	s.unseat(m, i, ErrGone)
	s.mu.Unlock()
	if presence {
		s.changed(m.user)
	}
	s.answerOrphans() // joins come before the leave that ended them
	done(nil)
}

func (s *shard) inOrder(m *Member, key Key, done func(error)) {
	switch {
	case m.gone:
		done(ErrGone)
	case m.in(key) < 0:
		done(ErrNotMember)
	default:
		s.behindJoin(m.seats[m.in(key)], m, done)
	}
}

// seat puts m into the list of key, which is made when it is the first. The
// caller holds mu.
func (s *shard) seat(m *Member, key Key) (l *list, first bool) {
	sum := s.hub.sum(key)
	if l = s.lists.get(key, sum); l == nil {
		l = &list{name: key.Name, kind: key.Kind, hash: sum}
		s.lists.put(l)
		s.begin(l)
		first = true
	}
	l.add(m)
	return l, first
}

// find returns the list of key, or nil. Goroutines other than the worker hold mu.
func (s *shard) find(key Key) *list { return s.lists.get(key, s.hub.sum(key)) }

// begin makes a new list known: a user to the bus, since all its devices are in
// this shard, anything else to the registry. The caller holds mu.
//
// Deliveries that are in the inbox by now may be for members of a room who have
// left: those behind them passed this shard by while it had no member, and the
// new one would see a gap. So the list of a room opens behind them, which is
// before its join can be answered. All that is for a user comes here, whether it
// has devices or not.
func (s *shard) begin(l *list) {
	if l.kind == KindUser {
		l.open = true
		if s.hub.logs.has(l.key()) {
			s.hub.logs.open(l.key())
		}
		s.hub.bus.Subscribe(l.key(), func() { s.inbox.push(op{kind: opConfirmed, list: l}) })
		return
	}
	l.confirmed = s.hub.registry.enter(l.key(), s.index)
	s.inbox.push(op{kind: opOpen, list: l})
}

// end forgets a list that is empty. The caller holds mu.
func (s *shard) end(l *list) {
	s.lists.remove(l)
	if l.kind == KindUser {
		s.hub.bus.Unsubscribe(l.key())
		if s.hub.logs.has(l.key()) {
			s.hub.logs.close(l.key())
		}
		return
	}
	s.hub.registry.leave(l.key(), s.index)
}

// unseat takes the i-th seat of m away, and the list when it is empty; joins of
// m that still wait for it are answered with why. The caller holds mu.
func (s *shard) unseat(m *Member, i int, why error) {
	l := m.remove(i)
	s.orphan(l, m, why)
	if len(l.occupants) == 0 {
		s.end(l)
	}
}

// orphan takes what m waits for off l, to be answered with why.
func (s *shard) orphan(l *list, m *Member, why error) {
	before := s.waiting[l]
	after := slices.DeleteFunc(before, func(w waiter) bool {
		if w.member != m {
			return false
		}
		s.orphaned(w, why)
		return true
	})
	switch {
	case len(after) > 0:
		s.waiting[l] = after
	case before != nil:
		s.stopWaiting(l)
	}
}

// orphaned has a waiter that is taken off its list answered.
func (s *shard) orphaned(w waiter, why error) {
	if w.join != nil {
		w.join.void.Store(true)
	}
	switch {
	case w.told:
	case w.behind && errors.Is(why, ErrGone):
		s.orphans = append(s.orphans, orphan{w.done, nil})
	default:
		s.orphans = append(s.orphans, orphan{w.done, why})
	}
}
