package room

import (
	"github.com/ginforge/gateway/engine"
)

const (
	// maxWriteBytes bounds what is put into one write: enough for it to be cheap
	// for each message, little enough not to fill a healthy socket, and a
	// connection that does not keep up is found out in time.
	maxWriteBytes = 64 << 10

	// maxRuns and maxLinks bound what is collected before it is sent, so that a
	// backlog costs no memory for each of its messages and recipients. What is
	// beyond the kept sizes is given back.
	maxRuns    = 1 << 10
	maxLinks   = 1 << 16
	keptLinks  = 1 << 14
	keptFrames = 64
)

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
	runs  []run // the latest deliveries

	// Deliveries before those in runs, one list for each member, when a batch has
	// more than one run. Link 0 is unused, so that 0 means none.
	links []link
	dirty []*Member // members with links

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
		if last.same(occupants, members) && last.bytes+f.Len() <= maxWriteBytes {
			last.frames = append(last.frames, f)
			last.bytes += f.Len()
			return
		}
	}
	if len(o.runs) == maxRuns {
		o.flush()
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

// addOne collects a frame for one member.
func (o *outbox) addOne(m *Member, f *engine.Frame) {
	o.linkRuns() // what came before goes before
	o.link(m, f)
}

// flush sends what is collected.
func (o *outbox) flush() {
	if len(o.runs) == 1 && len(o.dirty) == 0 {
		o.sendRun(&o.runs[0])
		o.clearRuns()
	} else {
		o.linkRuns()
		o.sendLinks()
	}
	o.stats.add(o.tally)
	o.tally = tally{}
}

// sendRun is the common case: every recipient gets the same bytes, in the order
// in which the members stand in memory.
func (o *outbox) sendRun(r *run) {
	f := engine.Join(r.frames)
	n := f.Messages()
	for i := range r.occupants {
		if !r.occupants[i].waits {
			o.tally.count(r.occupants[i].member.conn.Send(f), n)
		}
	}
	for _, m := range r.members {
		o.tally.count(m.conn.Send(f), n)
	}
}

// linkRuns puts what the runs bring behind what each member gets already.
func (o *outbox) linkRuns() {
	for i := range o.runs {
		r := &o.runs[i]
		f := engine.Join(r.frames)
		for j := range r.occupants {
			if !r.occupants[j].waits {
				o.link(r.occupants[j].member, f)
			}
		}
		for _, m := range r.members {
			o.link(m, f)
		}
	}
	o.clearRuns()
}

// clearRuns forgets the runs; their slices are reused and must not keep anything
// alive.
func (o *outbox) clearRuns() {
	for i := range o.runs {
		r := &o.runs[i]
		clear(r.frames)
		r.occupants, r.members, r.frames = nil, nil, r.frames[:0]
		if cap(r.frames) > keptFrames {
			r.frames = nil
		}
	}
	o.runs = o.runs[:0]
}

// link puts f behind what m gets already.
func (o *outbox) link(m *Member, f *engine.Frame) {
	if len(o.links) == maxLinks {
		o.sendLinks()
	}
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

// sendLinks sends each member what it gets.
func (o *outbox) sendLinks() {
	for _, m := range o.dirty {
		for at := m.out; at != 0; {
			at = o.sendLinked(m, at)
		}
		m.out = 0
	}
	clear(o.dirty)
	o.dirty = o.dirty[:0]
	if cap(o.links) > keptLinks {
		o.links = make([]link, 1)
	}
	clear(o.links)
	o.links = o.links[:1]
}

// sendLinked makes one write of the frames from link at on, and returns the link
// behind them.
func (o *outbox) sendLinked(m *Member, at int32) (next int32) {
	bytes, n := 0, 0
	for ; at != 0; at = o.links[at].next {
		f := o.links[at].frame
		if bytes += f.Len(); bytes > maxWriteBytes && len(o.frames) > 0 {
			break
		}
		o.frames = append(o.frames, f)
		n += f.Messages()
	}
	var err error
	if len(o.frames) == 1 {
		err = m.conn.Send(o.frames[0])
	} else {
		o.bytes, err = m.conn.SendAll(o.frames, o.bytes)
	}
	o.tally.count(err, n)
	clear(o.frames)
	o.frames = o.frames[:0]
	return at
}

// replay sends one member, at once, what it has missed. Nothing is collected for
// it. An error means that it is gone, or too slow and told so.
func (o *outbox) replay(m *Member, frames []*engine.Frame) error {
	for len(frames) > 0 {
		n, bytes := 1, frames[0].Len()
		for n < len(frames) && bytes+frames[n].Len() <= maxWriteBytes {
			bytes += frames[n].Len()
			n++
		}
		var err error
		o.bytes, err = m.conn.Replay(frames[:n], o.bytes)
		o.tally.count(err, n)
		if err != nil {
			return err
		}
		frames = frames[n:]
	}
	return nil
}
