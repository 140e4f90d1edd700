package sequencer

import (
	"fmt"
	"slices"
)

// What a shell does around its machine, and Redis with what it sends; each reports
// whether there was anything to do.

// connect begins a segment.
func (w *world) connect(i int) {
	n := w.nodes[i]
	n.connected, n.next = true, len(w.heard)
	n.m.Begin(fmt.Sprint(w.server))
	n.points = points{{since: w.since()}}
	w.probe(n)
}

// since is the time, for a point; another that ended at the same place was
// before.
func (w *world) since() int64 { return 2*int64(len(w.heard)) + 1 }

func (w *world) probe(n *modelNode) {
	id := w.markID()
	n.points = n.points.ask(id, w.since())
	n.outgoing = append(n.outgoing, Mark{ID: id, Node: n.m.node})
}

// awake is what a shell does before each step: look at the clock.
func (n *modelNode) awake() {
	if n.late {
		n.late = false
		n.m.Lapse()
	}
}

// hear has node i take the next that Redis has for it.
func (w *world) hear(i int) bool {
	n := w.nodes[i]
	if !n.up || !n.connected || n.next == len(w.heard) {
		return false
	}
	n.awake()
	e := w.heard[n.next]
	n.next++
	if e.mark.ID != "" {
		n.m.HearMark(e.mark)
		n.points = n.points.heard(e.mark.ID, n.m.Heard())
	} else {
		n.m.Hear(e.msg)
	}
	return true
}

// speak publishes the first mark of node i that waits; a node that has died may
// have written it before.
func (w *world) speak(i int) bool {
	n := w.nodes[i]
	if len(n.outgoing) == 0 {
		return false
	}
	w.heard = append(w.heard, event{mark: n.outgoing[0]})
	n.outgoing = n.outgoing[1:]
	return true
}

// tell makes a leader's mark.
func (w *world) tell(i int) bool {
	n := w.nodes[i]
	if !n.up {
		return false
	}
	n.awake()
	due, _ := n.m.MarkDue()
	if due {
		n.outgoing = append(n.outgoing, n.m.Mark(w.markID()))
	}
	return due
}

// elect is one attempt of node i to have or keep a lease.
func (w *world) elect(i int) bool {
	n, l := w.nodes[i], &w.lease
	if !n.up || !n.connected {
		return false
	}
	n.awake()
	ours := l.owner == i && l.term == n.m.Term()
	switch {
	case n.m.Role() == Leading && ours: // nobody has had it since
		if l.live && !n.m.lapsed {
			return false
		}
		l.live = true
		n.m.Renew()
	case n.m.Role() == Electing && ours: // its mark was lost, or its lease late
		if l.live && (len(n.outgoing) > 0 || n.next < len(w.heard)) {
			return false
		}
		l.live = true
		n.outgoing = append(n.outgoing, n.m.Elect(l.term, n.free, w.markID()))
	case n.m.Role() != Following:
		n.m.Depose()
	case l.standby == -1 && !(l.live && l.owner == i):
		l.standby = i
	case l.standby == i && !l.live && !n.m.Anchored() && l.owner == 1-i && !n.points.asked(2*int64(l.ended)):
		w.probe(n)
	case l.standby == i && !l.live && n.m.Electable():
		n.free = 0
		if l.owner == 1-i {
			n.free = n.points.after(2 * int64(l.ended))
		}
		l.owner, l.live, l.standby = i, true, -1
		l.term++
		n.outgoing = append(n.outgoing, n.m.Elect(l.term, n.free, w.markID()))
	default:
		return false
	}
	return true
}

// settle lets a new chain's leader begin.
func (w *world) settle(i int) bool {
	n := w.nodes[i]
	if !n.up || !n.m.Settling() {
		return false
	}
	n.awake()
	n.m.Settle()
	return true
}

// take has node i send what it owes.
func (w *world) take(i, most int) bool {
	n := w.nodes[i]
	if !n.up || len(n.flight) > 0 {
		return false
	}
	n.awake()
	n.flight, n.applied = n.m.Take(most, 1<<20), 0
	return len(n.flight) > 0
}

// apply has Redis carry out the next append of node i, who may have died since.
func (w *world) apply(i int) bool {
	n := w.nodes[i]
	if n.applied == len(n.flight) {
		return false
	}
	it := n.flight[n.applied]
	n.applied++
	l := w.logs[it.Channel]
	if l == nil {
		l = &modelLog{}
		w.logs[it.Channel] = l
	}
	if !l.last.Less(it.Number) {
		return true // a duplicate
	}
	l.last = it.Number
	switch {
	case it.Payload == w.repeated && slices.Contains(l.kept, it.Payload):
		return true // its id is known
	case slices.Contains(l.kept, it.Payload):
		w.problem = fmt.Sprintf("message %s comes twice in %s after %v", it.Payload, it.Channel, l.kept)
	case len(l.kept) > 0 && order(l.kept[len(l.kept)-1]) > order(it.Payload):
		w.problem = fmt.Sprintf("message %s comes after %v", it.Payload, l.kept)
	}
	l.kept = append(l.kept, it.Payload)
	return true
}

func order(payload string) (n int) {
	_, _ = fmt.Sscan(payload, &n)
	return n
}

// answer tells node i what became of its appends; or, when the answers are
// lost, that it does not know.
func (w *world) answer(i int, lost bool) bool {
	n := w.nodes[i]
	if !n.up || len(n.flight) == 0 || n.applied == 0 && !lost {
		return false
	}
	n.awake()
	if lost {
		n.m.Landed(0)
	} else {
		n.m.Landed(n.applied)
	}
	n.flight, n.applied = nil, 0
	return true
}
