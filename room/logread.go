package room

// request is one question to the store. A log has one under way at a time, but
// for those that open inboxes.
type request struct {
	kind  requestKind
	after uint64
	from  Position // pos when it was made
	heard uint64   // heard when it was made
	looks uint32   // wanted when it was made
	put   []Entry  // of requestRestore
}

type requestKind uint8

const (
	requestRead requestKind = iota
	requestRestore
)

const (
	// pageEntries is how many messages are read at a time.
	pageEntries = 256
	// slack is how many messages more than one member needs are read into the
	// past, so that those who come at the same time find theirs.
	slack = 64
	// tip is an offset behind which there is nothing.
	tip = 1 << 53
)

// next says what to ask the store now; then it is asked. The caller holds mu.
func (l *log) next() (r request, due bool) {
	if l.busy || l.gone || l.logs.now.Load() < l.retry {
		return r, false
	}
	r = request{kind: requestRead, from: l.pos, heard: l.heard, looks: l.wanted}
	switch l.state {
	case stateNew:
		r.after, due = l.startAt()
	case stateRenewed:
		r.after, due = l.mend, true
	case stateBehind:
		r.kind, r.put, due = requestRestore, l.toRestore(), true
	case stateKnown:
		switch {
		case l.unseen():
			r.after, due = l.pos.Offset, true
		case l.past.reading:
			r.after, due = l.past.next, true
		default:
			r.after, due = l.readPast()
		}
	}
	l.busy = due
	return r, due
}

// startAt says where the first read begins: where the earliest of those who wait
// wants to be replayed from. The caller holds mu.
func (l *log) startAt() (after uint64, due bool) {
	if l.key.Kind == KindUser || len(l.joins) == 0 {
		return 0, false // inboxes are opened one by one
	}
	after = tip
	for _, j := range l.joins {
		if j.since != nil && j.since.Epoch != "" {
			after = min(after, j.since.Offset-min(j.since.Offset, slack))
		}
	}
	return after, true
}

// readPast says where to read from for those who want what is not kept. The
// caller holds mu.
func (l *log) readPast() (after uint64, due bool) {
	after = l.pos.Offset
	for _, j := range l.joins {
		if j.since != nil && l.key.Kind == KindRoom {
			after, due = min(after, j.since.Offset-min(j.since.Offset, slack)), true
		}
	}
	if due {
		l.past = past{reading: true, next: after, floor: l.past.floor}
	}
	return after, due
}

// toRestore is what members have heard and the store has not. The caller holds
// mu.
func (l *log) toRestore() []Entry {
	have, all := l.kept.after(l.mend, l.pos.Offset)
	if !all {
		have = l.kept.entries
	}
	put := make([]Entry, len(have))
	for i, k := range have {
		put[i] = Entry{l.pos.Offset - uint64(len(have)-1-i), k.token, k.payload}
	}
	return put
}

// answered brings what the store said.
func (l *log) answered(r request, p Page, err error) {
	l.mu.Lock()
	l.busy = false
	switch {
	case l.gone:
	case err != nil:
		l.logs.stats.failures.Add(1)
		l.failed = min(l.failed+1, 4)
		l.retry = l.logs.now.Load() + 1<<(l.failed-1)
	default:
		l.failed, l.looked = 0, max(l.looked, r.looks)
		l.quiet.Store(l.logs.now.Load())
		l.absorb(r, p)
	}
	l.unlock()
}

// absorb takes in a page of the store. The caller holds mu.
func (l *log) absorb(r request, p Page) {
	switch l.state {
	case stateNew:
		l.begin(r, p)
	case stateRenewed:
		if l.goOn(r, p); l.state == stateRenewed {
			return
		}
	default:
		switch {
		case p.Epoch != l.pos.Epoch:
			l.renew(0)
			return
		case r.kind == requestRestore:
			l.restored(p)
			l.drain()
			return
		case r.from.Epoch == p.Epoch && p.Offset < max(r.from.Offset, r.heard):
			l.fellBack(p.Offset)
			return
		}
	}
	l.absorbNew(r, p)
	if l.past.reading {
		l.absorbPast(r, p)
	}
	l.drain()
	if l.early.epoch != l.pos.Epoch {
		l.early = early{}
	}
}

// begin starts a log of which nothing was known: at its end, with what the page
// has of the way there.
func (l *log) begin(r request, p Page) {
	l.state, l.pos, l.heard = stateKnown, p.Position, p.Offset
	if r.after < p.Offset {
		l.past = past{reading: l.key.Kind == KindRoom, next: r.after}
	}
	if l.early.epoch == p.Epoch && len(l.early.entries) > 0 {
		l.heard = max(l.heard, l.early.entries[len(l.early.entries)-1].Offset)
	}
}

// absorbNew hands over the messages of a page that members have not heard. What
// the page lacks in front of them, or behind them when it is the last one, is
// lost.
func (l *log) absorbNew(r request, p Page) {
	l.heard = max(l.heard, p.Offset)
	for _, e := range p.Entries {
		switch {
		case e.Offset <= l.pos.Offset:
			continue
		case e.Offset > l.pos.Offset+1 && r.after > l.pos.Offset:
			return // read further ahead than members are
		case e.Offset > l.pos.Offset+1:
			l.skipTo(e.Offset - 1)
		}
		l.logs.stats.repaired.Add(1)
		l.advance(e)
	}
	if len(p.Entries) == 0 && p.Offset > l.pos.Offset && r.after <= l.pos.Offset {
		l.skipTo(p.Offset)
	}
}

// absorbPast takes what a page has for those who want older messages.
func (l *log) absorbPast(r request, p Page) {
	end := l.pos.Offset + 1 // where the past meets what is kept
	if len(l.kept.entries) > 0 {
		end = l.kept.first
	}
	have := &l.past.ring
	for _, e := range p.Entries {
		if e.Offset <= l.past.next || e.Offset >= end {
			continue
		}
		if e.Offset > l.past.next+1 {
			*have, l.past.floor = ring{}, e.Offset
		}
		have.push(e.Offset, l.keptOf(e))
		l.past.next = e.Offset
		for have.bytes > 3*l.logs.cfg.ReplayBytes {
			have.drop()
			l.past.floor = have.first
		}
	}
	switch {
	case l.past.next+1 >= end:
	case r.after <= l.past.next && (len(p.Entries) == 0 || p.Entries[len(p.Entries)-1].Offset >= end):
		*have, l.past.floor = ring{}, end // the store has nothing up to there
	default:
		return // another page
	}
	l.past.reading = false
	l.replayed = l.logs.now.Load()
	l.logs.keptBytes.Add(int64(have.bytes))
	l.kept.precede(*have)
	l.past.ring = ring{}
}

// fellBack is called when the store has less than it had: it was restarted, or a
// replica took over, without its latest messages. What is kept of them is put
// back, and nobody gets the offsets of the rest. The caller holds mu.
func (l *log) fellBack(offset uint64) {
	if l.pos.Offset <= offset {
		l.renew(offset) // it never had what was pushed
		return
	}
	l.state, l.mend = stateBehind, offset
}

// restored brings where the store's log ends after messages were put back. The
// caller holds mu.
func (l *log) restored(p Page) {
	if p.Offset < l.pos.Offset {
		l.renew(p.Offset)
		return
	}
	l.logs.stats.restored.Add(1)
	l.state, l.heard = stateKnown, max(l.heard, p.Offset)
}

// renew begins anew behind offset, since what members have heard is not what the
// store has. The caller holds mu.
func (l *log) renew(offset uint64) {
	l.state, l.mend = stateRenewed, offset
	l.clearKept()
	l.past = past{}
	l.heard = 0
	if l.early.epoch == l.pos.Epoch {
		l.early = early{}
	}
}

// goOn tells members where a renewed log goes on. The caller holds mu.
func (l *log) goOn(r request, p Page) {
	if p.Epoch != l.pos.Epoch && r.after != 0 {
		l.renew(0) // behind an offset of the epoch before: read again, from the start
		return
	}
	l.state = stateKnown
	l.pos = Position{p.Epoch, min(r.after, p.Offset)}
	l.heard = p.Offset
	l.setBack()
	switch {
	case len(p.Entries) > 0:
		l.skipTo(p.Entries[0].Offset - 1)
	default:
		l.skipTo(p.Offset)
	}
	if l.early.epoch == p.Epoch && len(l.early.entries) > 0 {
		l.heard = max(l.heard, l.early.entries[len(l.early.entries)-1].Offset)
	}
}
