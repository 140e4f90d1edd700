package room

// A join is answered when the bus has confirmed the subscription, so that
// nothing is missed after the answer.

// whenConfirmed answers now or when the bus has confirmed.
func (s *shard) whenConfirmed(l *list, m *Member, done func(error)) {
	if l.confirmed {
		done(nil)
		return
	}
	l.waiting = append(l.waiting, waiter{m, done, s.now})
	s.waiting++
}

// confirmed answers those who wait for key.
func (s *shard) confirmed(key Key) {
	l := s.lists[key]
	if l == nil {
		return
	}
	l.confirmed = true
	waiting := l.waiting
	l.waiting = nil
	s.waiting -= len(waiting)
	for _, w := range waiting {
		w.answer(nil, key)
	}
}

// answer calls done unless the member has left in the meantime.
func (w waiter) answer(err error, key Key) {
	if w.member.gone || w.member.in(key) < 0 {
		err = ErrGone
	}
	w.done(err)
}

// answerOrphans tells those whose room or user went away while they waited.
func (s *shard) answerOrphans() {
	for i, w := range s.orphans {
		w.done(ErrGone)
		s.orphans[i] = waiter{}
	}
	s.orphans = s.orphans[:0]
}

// tick looks at everything of this shard that has a time limit.
func (s *shard) tick() {
	s.now++
	s.depart()
	if s.waiting == 0 {
		return
	}
	for _, l := range s.lists {
		s.giveUp(l)
	}
}

// giveUp answers those who have waited too long. A member whose room was not
// confirmed is taken out again; a user stays, since its connection goes on.
func (s *shard) giveUp(l *list) {
	limit := uint32(s.hub.cfg.ConfirmTimeout.Seconds())
	for len(l.waiting) > 0 && s.now-l.waiting[0].since >= limit {
		w := l.waiting[0]
		l.waiting = l.waiting[1:]
		s.waiting--
		if i := w.member.in(l.key); i >= 0 && l.key.Kind == KindRoom {
			s.mu.Lock()
			s.unseat(w.member, i)
			s.mu.Unlock()
		}
		w.done(ErrUnconfirmed)
	}
}
