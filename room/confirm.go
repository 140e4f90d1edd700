package room

import (
	"slices"
	"time"
)

// A join is answered when the bus has confirmed the subscription, so that
// nothing is missed after the answer.

// whenConfirmed answers now or when the bus has confirmed.
func (s *shard) whenConfirmed(l *list, m *Member, done func(error)) {
	if l.confirmed {
		done(nil)
		return
	}
	s.wait(l, waiter{member: m, done: done, since: s.now})
}

func (s *shard) wait(l *list, w waiter) {
	s.waiting[l] = append(s.waiting[l], w)
	s.crowd = max(s.crowd, len(s.waiting))
}

// maxWaits bounds what one member may have wait for one list, so that nobody
// fills memory while the bus is away.
const maxWaits = 16

// behindJoin answers a member now or when its join is answered: a message that
// went to the bus before the subscription would not come back to its sender. When
// the member leaves, there is nothing more to wait for.
func (s *shard) behindJoin(at seat, m *Member, done func(error)) {
	l := at.list
	if l.confirmed && !l.occupants[at.index].waits {
		done(nil)
		return
	}
	waits := 0
	for _, w := range s.waiting[l] {
		if w.member == m {
			waits++
		}
	}
	if waits >= maxWaits {
		done(ErrUnconfirmed)
		return
	}
	s.wait(l, waiter{member: m, done: done, since: s.now, behind: true})
}

// roomConfirmed is confirmed for a room of the registry. The news may be about an
// earlier subscription, so the registry is asked whether the present one is
// confirmed.
func (s *shard) roomConfirmed(key Key) {
	if l := s.find(key); l != nil && s.hub.registry.confirmed(key) {
		s.confirmed(l)
	}
}

// confirmed answers those who wait for l; nobody does when l has come to its end.
// Those whom a log has to admit wait for that now.
func (s *shard) confirmed(l *list) {
	l.confirmed = true
	if len(s.waiting[l]) > 0 && s.hub.logs.has(l.key()) {
		s.askForAll(l)
		return
	}
	waiting := s.waiting[l]
	s.stopWaiting(l)
	for _, w := range waiting {
		w.done(nil)
	}
}

// stopWaiting drops the waiters of a list, and with the last of a crowd the map,
// which would keep the size of its largest day.
func (s *shard) stopWaiting(l *list) {
	delete(s.waiting, l)
	if len(s.waiting) == 0 && s.crowd > 1000 {
		s.waiting, s.crowd = map[*list][]waiter{}, 0
	}
}

// answerOrphans tells those who left, or were taken out, while they waited.
func (s *shard) answerOrphans() {
	for i, o := range s.orphans {
		o.done(o.why)
		s.orphans[i] = orphan{}
	}
	s.orphans = s.orphans[:0]
}

// tick looks at everything of this shard that has a time limit.
func (s *shard) tick() {
	s.now++
	s.endGraces()
	for l := range s.waiting {
		s.giveUp(l)
	}
}

// giveUp answers those who have waited too long. A member whose room was not
// confirmed is taken out again; a user stays, since its connection goes on, and
// so does a member who was in before and has asked for older messages.
func (s *shard) giveUp(l *list) {
	limit := ticks(s.hub.cfg.ConfirmTimeout)
	for i := 0; i < len(s.waiting[l]); {
		w := &s.waiting[l][i]
		switch {
		case w.told || s.now-w.since <= limit:
			i++
		case l.kind == KindUser && w.join != nil:
			w.told = true
			s.orphans = append(s.orphans, orphan{w.done, ErrUnconfirmed})
			i++
		case l.kind == KindUser || w.join != nil && !s.occupancy(w.member, l).waits:
			s.orphaned(*w, ErrUnconfirmed)
			s.waiting[l] = slices.Delete(s.waiting[l], i, i+1)
			if len(s.waiting[l]) == 0 {
				s.stopWaiting(l)
			}
		default:
			m := w.member
			s.mu.Lock()
			s.unseat(m, m.in(l.key()), ErrUnconfirmed)
			s.mu.Unlock()
			i = 0
		}
	}
}

// ticks is d in whole seconds, rounded up. Since the first tick comes at any time
// within a second, d has passed for certain after one tick more.
func ticks(d time.Duration) uint32 { return uint32((d + time.Second - 1) / time.Second) }
