package room

import (
	"github.com/ginforge/gateway/engine"
)

// maxRunBytes bounds what is joined into one frame: enough for one write to be
// cheap for each message, little enough not to fill a healthy socket.
const maxRunBytes = 64 << 10

// run is frames that go to the same members, one after the other.
type run struct {
	occupants []occupant // of a list, or
	members   []*Member  // all of a shard's
	frames    []*engine.Frame
	bytes     int
}

// same reports whether a run goes to these members.
func (r *run) same(occupants []occupant, members []*Member) bool {
	if len(r.occupants) != len(occupants) || len(r.members) != len(members) {
		return false
	}
	return (len(occupants) == 0 || &r.occupants[0] == &occupants[0]) &&
		(len(members) == 0 || &r.members[0] == &members[0])
}

// outbox collects the deliveries of one batch, between two changes of who is
// where, so that each connection gets them with one write. Owned by a worker.
type outbox struct {
	stats *counters
	runs  []run

	// For batches with several runs: the frames of each member as a list in
	// links, where link 0 is unused so that 0 means none.
	links  []link
	dirty  []*Member
	frames []*engine.Frame // scratch
	bytes  []byte          // scratch
	tally  tally           // of the batch
}

type link struct {
	frame *engine.Frame
	next  int32
}

func newOutbox(stats *counters) outbox {
	return outbox{stats: stats, links: make([]link, 1)}
}

// add collects a frame for occupants and members.
func (o *outbox) add(occupants []occupant, members []*Member, f *engine.Frame) {
	if len(occupants)+len(members) == 0 {
		return
	}
	if n := len(o.runs); n > 0 {
		last := &o.runs[n-1]
		if last.same(occupants, members) && last.bytes+f.Len() <= maxRunBytes {
			last.frames = append(last.frames, f)
			last.bytes += f.Len()
			return
		}
	}
	if len(o.runs) < cap(o.runs) { // reuse the slices of an earlier batch
		o.runs = o.runs[:len(o.runs)+1]
	} else {
		o.runs = append(o.runs, run{})
	}
	r := &o.runs[len(o.runs)-1]
	r.occupants, r.members, r.bytes = occupants, members, f.Len()
	r.frames = append(r.frames[:0], f)
}

// flush sends what is collected.
func (o *outbox) flush() {
	switch len(o.runs) {
	case 0:
		return
	case 1:
		o.sendRun(&o.runs[0])
	default:
		o.sendRuns()
	}
	for i := range o.runs {
		r := &o.runs[i]
		clear(r.frames)
		r.occupants, r.members, r.frames = nil, nil, r.frames[:0]
	}
	o.runs = o.runs[:0]
	o.stats.add(o.tally)
	o.tally = tally{}
}

// sendRun is the common case: every recipient gets the same bytes, in the order
// in which the members stand in memory.
func (o *outbox) sendRun(r *run) {
	f := engine.Join(r.frames)
	n := f.Messages()
	for i := range r.occupants {
		o.tally.count(r.occupants[i].member.conn.Send(f), n)
	}
	for _, m := range r.members {
		o.tally.count(m.conn.Send(f), n)
	}
}

// sendRuns puts together what each member gets of several runs.
func (o *outbox) sendRuns() {
	for i := range o.runs {
		r := &o.runs[i]
		f := engine.Join(r.frames)
		for j := range r.occupants {
			o.link(r.occupants[j].member, f)
		}
		for _, m := range r.members {
			o.link(m, f)
		}
	}
	for i, m := range o.dirty {
		o.sendLinked(m)
		o.dirty[i] = nil
	}
	o.dirty = o.dirty[:0]
	clear(o.links)
	o.links = o.links[:1]
	if cap(o.links) > 1<<18 {
		o.links = make([]link, 1)
	}
}

func (o *outbox) link(m *Member, f *engine.Frame) {
	at := int32(len(o.links))
	o.links = append(o.links, link{frame: f})
	if m.out == 0 {
		m.out = at
		o.dirty = append(o.dirty, m)
	} else {
		o.links[m.outLast].next = at
	}
	m.outLast = at
}

func (o *outbox) sendLinked(m *Member) {
	at := m.out
	m.out = 0
	if l := &o.links[at]; l.next == 0 {
		o.tally.count(m.conn.Send(l.frame), l.frame.Messages())
		return
	}
	o.frames = o.frames[:0]
	n := 0
	for ; at != 0; at = o.links[at].next {
		f := o.links[at].frame
		o.frames = append(o.frames, f)
		n += f.Messages()
	}
	var err error
	o.bytes, err = m.conn.SendAll(o.frames, o.bytes)
	o.tally.count(err, n)
	clear(o.frames)
	if cap(o.bytes) > 1<<20 {
		o.bytes = nil
	}
}
