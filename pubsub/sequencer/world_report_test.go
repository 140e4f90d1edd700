package sequencer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What there is to say of a world: what tells it apart, what it has lost, all of it.

// appendKey appends what tells worlds apart.
func (w *world) appendKey(b []byte) []byte {
	text := func(s string) { b = append(append(b, s...), 0) }
	number := func(numbers ...uint64) {
		for _, n := range numbers {
			b = append(strconv.AppendUint(b, n, 36), ' ')
		}
	}
	flags := func(flags ...bool) {
		for _, f := range flags {
			b = strconv.AppendBool(b, f)
		}
	}
	mark := func(m Mark) {
		text(m.ID)
		text(m.From)
		number(m.Term, m.Chain, m.Count, m.Done)
	}
	items := func(items []Item) {
		for _, it := range items {
			text(it.Payload)
			number(it.Number.Chain, it.Number.Count, it.heard, it.segment)
		}
		text("")
	}
	for _, e := range w.heard {
		text(e.msg.Channel)
		text(e.msg.Payload)
		mark(e.mark)
	}
	for _, channel := range channels {
		if l := w.logs[channel]; l != nil {
			number(l.last.Chain, l.last.Count)
			text(strings.Join(l.kept, " "))
		}
		text("")
	}
	l := w.lease
	number(uint64(l.owner+1), l.term, uint64(l.ended), uint64(l.standby+1)) //nolint:gosec // from -1
	flags(l.live, w.alone)
	text(w.repeated)
	for _, n := range w.nodes {
		m := n.m
		flags(n.up, n.connected, n.late, n.owes, m.lapsed, m.settling, m.due, m.anchored, m.covered)
		number(uint64(n.next), uint64(n.free), uint64(n.ended), uint64(m.role), m.term, m.highest, m.segment, m.heard, m.chain, uint64(m.base), //nolint:gosec // as bits
			m.logged.Chain, m.logged.Count, uint64(m.owed), uint64(m.flying), m.told.done, m.told.heard) //nolint:gosec // not negative
		text(m.start)
		for _, h := range m.marks {
			text(h.id)
			number(h.heard)
		}
		for _, p := range n.points {
			text(p.id)
			number(uint64(p.since), uint64(p.count)) //nolint:gosec // as bits
		}
		text("")
		items(m.items)
		items(n.flight[n.applied:])
		for _, m := range n.outgoing {
			mark(m)
		}
		text("")
	}
	return b
}

// lost lists the messages that are in no log.
func (w *world) lost() (lost []string) {
	for _, e := range w.heard {
		if e.mark.ID != "" {
			continue
		}
		if l := w.logs[e.msg.Channel]; l == nil || !slices.Contains(l.kept, e.msg.Payload) {
			lost = append(lost, e.msg.Channel+" "+e.msg.Payload)
		}
	}
	return lost
}

// String tells what there is, for a test that failed.
func (w *world) String() string {
	var b strings.Builder
	for i, e := range w.heard {
		if e.mark.ID != "" {
			fmt.Fprintf(&b, "%3d mark %+v\n", i, e.mark)
		} else {
			fmt.Fprintf(&b, "%3d %s %s\n", i, e.msg.Channel, e.msg.Payload)
		}
	}
	for name, l := range w.logs {
		fmt.Fprintf(&b, "log %s %v %v\n", name, l.last, l.kept)
	}
	fmt.Fprintf(&b, "lease %+v\n", w.lease)
	for _, n := range w.nodes {
		fmt.Fprintf(&b, "node %+v\n     %+v\n", *n, *n.m)
	}
	return b.String()
}
