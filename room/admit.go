package room

import (
	"sync/atomic"

	"github.com/ginforge/gateway/engine"
)

// A member of a room with a log, and a device of a user with an inbox, takes its
// seat at once like any other, but hears nothing there until the log has admitted
// it: then it gets the answer to its join, what it is replayed, and from then on
// everything that comes.

// joining is a member that waits for a log to admit it, or that is in and wants
// older messages.
type joining struct {
	member *Member
	list   *list
	since  *Position // replayed from there, nil: not at all
	device string    // of an inbox
	done   func(Admission, error)
	void   atomic.Bool // it waits no more

	// Guarded by the log's mu.
	looked bool // the store was looked at for it
	boxing      // of an inbox
}

// join has a member admitted, once the bus delivers what is published. Called by
// a worker.
func (l *log) join(j *joining) {
	stale := l.stale.Swap(false)
	l.mu.Lock()
	if stale && l.state == stateKnown && l.key.Kind == KindRoom {
		l.look()
	}
	l.joins = append(l.joins, j)
	l.unlock()
}

// serve admits those who can be. The caller holds mu.
func (l *log) serve() {
	if l.state != stateKnown || len(l.joins) == 0 {
		return
	}
	rest := l.joins[:0]
	for _, j := range l.joins {
		var (
			a   admission
			can bool
		)
		if l.key.Kind == KindUser {
			a, can = l.inboxFor(j)
		} else {
			a, can = l.replayFor(j)
		}
		if can {
			l.admit(j, a)
		}
		if !can || a.more {
			rest = append(rest, j)
		}
	}
	clear(l.joins[len(rest):])
	if l.joins = rest; len(rest) == 0 {
		l.joins = nil
	}
}

// admission is what a member gets when it is admitted.
type admission struct {
	Admission
	frames []*engine.Frame
	first  bool  // done is to be called
	more   bool  // it is not admitted yet: another page of its inbox follows
	acks   []ack // to be done behind the frames
}

// replayFor says what a member of a room is replayed, if that is known. The
// caller holds mu.
func (l *log) replayFor(j *joining) (a admission, can bool) {
	a = admission{Admission: Admission{Position: l.pos, Logged: true}, first: true}
	since := j.since
	switch {
	case l.due():
		return a, false
	case since == nil:
		return a, true
	case since.Epoch != l.pos.Epoch:
		return l.refuse(a), true
	case since.Offset > l.pos.Offset && !j.looked:
		j.looked = true // it has heard more than this node
		l.look()
		return a, false
	case since.Offset > l.pos.Offset && l.unseen():
		return a, false
	case since.Offset > l.pos.Offset:
		return l.refuse(a), true
	}
	entries, all := l.kept.after(since.Offset, l.pos.Offset)
	switch {
	case since.Offset+1 < l.past.floor, l.pos.Offset-since.Offset > uint64(l.logs.cfg.Size(l.key)):
		return l.refuse(a), true
	case all:
		return l.replay(a, entries), true
	}
	return a, false
}

// replay adds entries to what a member gets, or refuses when they are too much.
// The caller holds mu.
func (l *log) replay(a admission, entries []kept) admission {
	frames, bytes := frames(entries)
	if bytes > l.logs.cfg.ReplayBytes {
		return l.refuse(a)
	}
	if len(frames) > 0 {
		l.replayed = l.logs.now.Load()
	}
	a.frames, a.Recovered = append(a.frames, frames...), true
	return a
}

func (l *log) refuse(a admission) admission {
	l.logs.stats.refused.Add(1)
	a.frames, a.Recovered = nil, false
	return a
}

// admit puts the admission into the inbox of the member's shard, behind what the
// shard has got so far and before what it gets next. The caller holds mu.
func (l *log) admit(j *joining, a admission) {
	if len(a.frames) > 0 {
		l.logs.stats.replays.Add(1)
		l.logs.stats.replayed.Add(uint64(len(a.frames)))
	}
	if a.first && !a.Recovered && l.key.Kind == KindUser {
		l.logs.stats.refused.Add(1)
	}
	l.logs.hub.shardOf(j.member.user).inbox.push(op{kind: opCall, call: func(s *shard) { s.admit(j, a) }})
}

// JoinLog is Join for a room that has a log, for which done is told where in it
// the member begins to hear; for another it is Join. With since, everything
// behind it that the log still has is replayed right behind done. A member that
// is in the room already may join again to have older messages replayed.
func (h *Hub) JoinLog(m *Member, key Key, presence bool, since *Position, done func(Admission, error)) {
	if !h.logs.has(key) {
		h.Join(m, key, presence, func(err error) { done(Admission{}, err) })
		return
	}
	h.push(m, op{kind: opCall, call: func(s *shard) {
		s.joinLog(&joining{member: m, since: since, done: done}, key, presence)
	}})
}

// AttachInbox is Attach for a user who has an inbox, for which done is told where
// in it the device begins to hear, and how much it has not confirmed, which
// follows right behind done, page by page: each when the member's Conn has caught
// up with the one before, of which CaughtUp tells. For another it is Attach. When
// done gets ErrUnconfirmed it is called once more later, when the inbox can be read.
func (h *Hub) AttachInbox(m *Member, device string, done func(Admission, error)) {
	if !h.logs.has(User(m.user)) {
		h.Attach(m, func(err error) { done(Admission{}, err) })
		return
	}
	h.push(m, op{kind: opCall, call: func(s *shard) {
		s.attachInbox(&joining{member: m, device: device, done: done})
	}})
}

// CaughtUp tells that nothing waits for a member any more whose Conn has said
// otherwise. It does not block, and may be called with locks of the Conn held.
func (h *Hub) CaughtUp(m *Member) {
	h.push(m, op{kind: opCall, call: func(s *shard) { s.caughtUp(m) }})
}

// WhenSent calls do when a device was sent its inbox up to offset, so that what it
// confirms cannot be ahead of what it has: at once on the calling goroutine, unless
// that is among the pages that are still to come, then on a worker. It reports false
// when too much waits for that already, and then do is not called.
func (h *Hub) WhenSent(m *Member, offset uint64, do func()) bool {
	now, ok := true, true
	if g := h.logs.find(User(m.user)); g != nil {
		now, ok = g.whenSent(m, offset, do)
	}
	if now {
		do()
	}
	return ok
}

func (s *shard) caughtUp(m *Member) {
	if g := s.hub.logs.find(User(m.user)); g != nil {
		g.caughtUp(m)
	}
}

func (s *shard) joinLog(j *joining, key Key, presence bool) {
	m := j.member
	if i := m.in(key); m.attached && i >= 0 {
		j.list = m.seats[i].list
	} else {
		l, err := s.enter(m, key, presence)
		if err != nil {
			j.done(Admission{}, err)
			return
		}
		j.list = l
		s.setWaits(m, l, true)
	}
	s.askLog(j)
}

func (s *shard) attachInbox(j *joining) {
	m := j.member
	if m.gone {
		j.done(Admission{}, ErrGone)
		return
	}
	j.list = s.sit(m)
	s.setWaits(m, j.list, true)
	s.askLog(j)
}

// askLog has the log admit j, now or when the bus has confirmed.
func (s *shard) askLog(j *joining) {
	s.wait(j.list, waiter{
		member: j.member, since: s.now, join: j,
		done: func(err error) { j.done(Admission{}, err) },
	})
	if j.list.confirmed {
		s.hub.logs.find(j.list.key()).join(j)
	}
}

// askForAll has a log admit everybody who waits for it.
func (s *shard) askForAll(l *list) {
	g := s.hub.logs.find(l.key())
	for _, w := range s.waiting[l] {
		if w.join != nil {
			g.join(w.join)
		}
	}
}

// occupancy is the entry of a list for a member that is in it.
func (s *shard) occupancy(m *Member, l *list) *occupant {
	return &l.occupants[m.seats[m.in(l.key())].index]
}

// setWaits changes whether deliveries pass a member by, under mu: others copy the
// entry.
func (s *shard) setWaits(m *Member, l *list, waits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.occupancy(m, l).waits = waits
}

// admit sends a member what it gets and then lets it hear, unless it has left or was
// given up meanwhile.
func (s *shard) admit(j *joining, a admission) {
	if !s.admitted(j, a.more) {
		return
	}
	m := j.member
	if a.first {
		j.done(a.Admission, nil)
	}
	err := s.outbox.replay(m, a.frames)
	if err == nil { // else it comes again when the client does
		for _, ack := range a.acks {
			ack.do()
		}
	}
	if a.more {
		if err == nil && m.conn.CaughtUp() {
			s.caughtUp(m)
		}
		return
	}
	if s.occupancy(m, j.list).waits {
		s.setWaits(m, j.list, false)
		s.answerBehind(j.list, m)
	}
}

// admitted takes j off those who wait, or notes that it was answered and waits on,
// and reports whether it was there.
func (s *shard) admitted(j *joining, waitsOn bool) bool {
	waiting := s.waiting[j.list]
	for i, w := range waiting {
		if w.join != j {
			continue
		}
		if waitsOn {
			waiting[i].told = true
			return true
		}
		copy(waiting[i:], waiting[i+1:])
		waiting[len(waiting)-1] = waiter{}
		if s.waiting[j.list] = waiting[:len(waiting)-1]; len(waiting) == 1 {
			s.stopWaiting(j.list)
		}
		return true
	}
	return false
}

// answerBehind answers what a member asked for behind its join.
func (s *shard) answerBehind(l *list, m *Member) {
	var behind []waiter
	rest := s.waiting[l][:0]
	for _, w := range s.waiting[l] {
		if w.member == m && w.behind {
			behind = append(behind, w)
		} else {
			rest = append(rest, w)
		}
	}
	switch {
	case len(behind) == 0:
		return
	case len(rest) == 0:
		s.stopWaiting(l)
	default:
		s.waiting[l] = rest
	}
	for _, w := range behind {
		w.done(nil)
	}
}
