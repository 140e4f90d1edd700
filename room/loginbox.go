package room

// A user's log is their inbox. What a device has confirmed is the store's to
// know, so each device that connects has its inbox read for it.

// openInboxes reads the inboxes of devices that wait for theirs. It is called
// without mu, behind everything that may have let one in.
func (l *log) openInboxes() {
	if l.key.Kind != KindUser {
		return
	}
	for {
		j := l.nextInbox()
		if j == nil {
			return
		}
		l.logs.stats.reads.Add(1)
		l.logs.cfg.Store.OpenInbox(l.key.Name, j.device, l.logs.cfg.Size(l.key), func(in Inbox, err error) {
			l.opened(j, in, err)
		})
	}
}

func (l *log) nextInbox() *joining {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.joins {
		if j.inbox == nil && !j.opening && l.logs.now.Load() >= j.retry && !l.gone {
			j.opening = true
			return j
		}
	}
	return nil
}

// opened brings what the store has for a device.
func (l *log) opened(j *joining, in Inbox, err error) {
	l.mu.Lock()
	j.opening = false
	switch {
	case l.gone:
	case err != nil:
		l.logs.stats.failures.Add(1)
		j.retry = l.logs.now.Load() + 2
	default:
		j.inbox = &in
		l.learn(in.Page)
	}
	l.unlock()
}

// learn takes note of what an inbox that was read says of its log. The caller
// holds mu.
func (l *log) learn(p Page) {
	switch {
	case l.state == stateNew:
		l.begin(request{after: p.Offset}, p)
		l.drain()
	case l.state != stateKnown:
	case p.Epoch != l.pos.Epoch:
		l.look()
	default:
		l.heard = max(l.heard, p.Offset)
	}
}

// inboxFor says what a device is sent of its inbox, if that is known. The caller
// holds mu.
func (l *log) inboxFor(j *joining) (a admission, can bool) {
	in := j.inbox
	if in == nil {
		return a, false
	}
	later, all := l.kept.after(in.Offset, l.pos.Offset)
	switch {
	case in.Epoch != l.pos.Epoch && !l.due(), in.Offset <= l.pos.Offset && !all:
		j.inbox = nil // read again
		return a, false
	case l.due(), in.Offset > l.pos.Offset:
		return a, false
	}
	a.Admission = Admission{Position: l.pos, Logged: true, Recovered: true, Unread: in.Unread + len(later)}
	var waiting []kept
	for _, e := range in.Entries {
		waiting = append(waiting, l.keptOf(e))
	}
	waiting = append(waiting, later...)
	bytes := 0
	for i := len(waiting) - 1; i >= 0; i-- { // the newest, when not all can be sent
		if bytes += waiting[i].frame.Len(); bytes > l.logs.cfg.ReplayBytes {
			l.logs.stats.refused.Add(1)
			waiting, a.Recovered = waiting[i+1:], false
			break
		}
	}
	a.frames, _ = frames(waiting)
	return a, true
}
