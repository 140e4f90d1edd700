package room

import (
	"slices"

	"github.com/ginforge/gateway/engine"
)

// A user's log is their inbox. What a device has confirmed is the store's to
// know, so each device that connects has its inbox read for it.
//
// It is sent page by page, the oldest first. What comes to the user meanwhile
// passes the device by, and is in a later page; with the one that ends where the
// log is, the device is admitted:
//
//	read ──► page ──► the device has read it all ──► read ──► page ... ──► admitted
//
// So a device has no more than a page waiting for it, however much the inbox holds,
// and a node nothing of what it has not sent yet.

// maxInboxPage bounds a page in bytes, if History.ReplayBytes does not. The sockets
// of a client that keeps up hold more, so it does not notice that there are pages.
const maxInboxPage = 256 << 10

func (l *log) inboxPage() int { return min(maxInboxPage, l.logs.cfg.ReplayBytes) }

// boxing is how far a device is with its inbox that has not been admitted.
type boxing struct {
	inbox   *Inbox   // what was read and not sent
	opening bool     // it is being read
	turn    uint32   // counts what makes void what is being read
	retry   uint32   // tick before which it is not read again
	sent    Position // what the device was sent ends there; zero before the first page
	held    bool     // it has not read that yet
	missed  int      // bytes that have come since, while held
	lost    bool     // before the next page it is told that messages were lost
	acks    []ack    // what it has confirmed of the pages to come
}

// ack is what is to be done when a device was sent its inbox up to offset.
type ack struct {
	offset uint64
	do     func()
}

// openInboxes reads the inboxes of devices that wait for theirs. It is called
// without mu, behind everything that may have let one in.
func (l *log) openInboxes() {
	if l.key.Kind != KindUser {
		return
	}
	for {
		j, q, turn := l.nextInbox()
		if j == nil {
			return
		}
		l.logs.stats.reads.Add(1)
		l.logs.cfg.Store.OpenInbox(q, func(in Inbox, err error) { l.opened(j, turn, in, err) })
	}
}

func (l *log) nextInbox() (next *joining, q InboxQuery, turn uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.joins {
		if j.inbox == nil && !j.opening && !j.held && l.logs.now.Load() >= j.retry && !l.gone {
			j.opening = true
			q = InboxQuery{UserID: l.key.Name, Device: j.device, After: j.sent, Limit: pageEntries, Bytes: l.inboxPage()}
			return j, q, j.turn
		}
	}
	return nil, q, 0
}

// opened brings what the store has for a device.
func (l *log) opened(j *joining, turn uint32, in Inbox, err error) {
	l.mu.Lock()
	j.opening = false
	switch {
	case l.gone:
	case err != nil:
		l.logs.stats.failures.Add(1)
		j.retry = l.logs.now.Load() + 2
	case turn == j.turn:
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

// inboxFor says what a device is sent of its inbox next, if that is known. The
// caller holds mu.
func (l *log) inboxFor(j *joining) (a admission, can bool) {
	p := page{log: l, j: j, at: j.sent.Offset, first: j.sent.Epoch == "", whole: true}
	in := j.inbox
	switch {
	case j.held, l.due(), in == nil && p.first:
		return a, false
	case in != nil && in.Epoch != l.pos.Epoch:
		j.inbox = nil // read again
		return a, false
	case in != nil && in.Offset > l.pos.Offset:
		return a, false // the device does not hear what others might never hear
	case in != nil:
		p.add(in)
	}
	later, all := l.kept.after(p.at, l.pos.Offset)
	if p.whole = p.whole && all; p.whole {
		p.addKept(later)
	}
	if !p.whole && len(p.frames) == 0 {
		if j.inbox = nil; in != nil && in.Offset < l.pos.Offset {
			l.look() // the store may have less than it had
		}
		return a, false
	}
	a = admission{frames: p.frames, first: p.first, more: !p.whole}
	a.Admission = Admission{Position: l.pos, Logged: true, Recovered: !p.gap}
	if p.first {
		a.Unread = in.Unread + int(l.pos.Offset-in.Offset) //nolint:gosec // at most the size of the log
	}
	j.inbox, j.sent, j.held, j.missed, j.lost = nil, Position{l.pos.Epoch, p.at}, a.more, 0, false
	a.acks = j.confirmed(a.more)
	return a, true
}

// page is what a device is sent next of its inbox, in the making.
type page struct {
	log    *log
	j      *joining
	frames []*engine.Frame
	bytes  int
	at     uint64 // where it ends
	first  bool   // it is the device's first
	gap    bool   // and messages are missing in front of it
	whole  bool   // nothing is known to be behind it
}

// add puts what was read on the page, as far as it fits.
func (p *page) add(in *Inbox) {
	if p.first {
		p.at = in.After
	}
	for _, e := range in.Entries {
		if !p.push(e.Offset, p.log.keptOf(e).frame) {
			return
		}
	}
	if len(in.Entries) == 0 && in.Offset > p.at { // all of it has left the inbox
		p.skipTo(in.Offset)
	}
}

// addKept puts the log's latest messages on the page, as far as they fit.
func (p *page) addKept(later []kept) {
	first := p.log.pos.Offset - uint64(len(later)) + 1
	for i, k := range later {
		if !p.push(first+uint64(i), k.frame) {
			return
		}
	}
	if p.j.lost && len(p.frames) == 0 {
		p.skipTo(p.at)
	}
}

// push adds a message, unless the page is full.
func (p *page) push(offset uint64, f *engine.Frame) bool {
	if len(p.frames) > 0 && p.bytes+f.Len() > p.log.inboxPage() {
		p.whole = false
		return false
	}
	if offset > p.at+1 || p.j.lost && len(p.frames) == 0 {
		p.skipTo(offset - 1)
	}
	p.frames, p.bytes, p.at = append(p.frames, f), p.bytes+f.Len(), offset
	return true
}

// skipTo notes that what is in front of it, up to offset, is in the inbox no more:
// the device is told with its welcome, or by a frame of its own.
func (p *page) skipTo(offset uint64) {
	p.at = offset
	if p.first && len(p.frames) == 0 {
		p.gap = true
		return
	}
	p.log.logs.stats.lost.Add(1)
	f := p.log.logs.cfg.Renewed(p.log.key, Position{p.log.pos.Epoch, offset})
	p.frames, p.bytes = append(p.frames, f), p.bytes+f.Len()
}

// missedBy notes that devices which are being sent their inbox were passed by. One
// that does not read what it was sent gets the next page all the same when as much
// has come meanwhile: then the connection says whether it is too slow. The caller
// holds mu.
func (l *log) missedBy(bytes int) {
	for _, j := range l.joins {
		if j.held {
			j.missed += bytes
			j.held = j.missed <= l.inboxPage()
		}
	}
}

// setBack has devices which are being sent their inbox go on where the log does,
// which has lost its end or everything. The caller holds mu.
func (l *log) setBack() {
	for _, j := range l.joins {
		j.inbox = nil
		j.turn++
		switch {
		case j.sent.Epoch == "":
			continue
		case j.sent.Epoch != l.pos.Epoch:
			j.sent = Position{Epoch: l.pos.Epoch}
		default:
			j.sent.Offset = min(j.sent.Offset, l.pos.Offset)
		}
		j.lost = true
	}
}

// boxingOf returns how far a device is that is being sent its inbox, or nil. The
// caller holds mu.
func (l *log) boxingOf(m *Member) *joining {
	i := slices.IndexFunc(l.joins, func(j *joining) bool { return j.member == m && j.sent.Epoch != "" })
	if i < 0 {
		return nil
	}
	return l.joins[i]
}

// caughtUp sends a device the next page, since it has read the one before.
func (l *log) caughtUp(m *Member) {
	l.mu.Lock()
	if j := l.boxingOf(m); j != nil {
		j.held = false
	}
	l.unlock()
}

// confirmed returns what is to be done of the device's acks now, which is all when
// no more pages come. The caller holds the log's mu.
func (j *joining) confirmed(more bool) (due []ack) {
	j.acks = slices.DeleteFunc(j.acks, func(a ack) bool {
		if more && a.offset > j.sent.Offset {
			return false
		}
		due = append(due, a)
		return true
	})
	return due
}

// whenSent has do called when a device was sent its inbox up to offset, if that is
// still to come; else now is true. It reports false when too much waits already.
func (l *log) whenSent(m *Member, offset uint64, do func()) (now, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.boxingOf(m)
	switch {
	case j == nil || offset <= j.sent.Offset:
		return true, true
	case len(j.acks) >= maxWaits:
		return false, false
	}
	j.acks = append(j.acks, ack{offset, do})
	return false, true
}
