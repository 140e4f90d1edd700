package sequencer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// world is Redis and two nodes, whose machines are those of production, with
// every choice that time, the network and the kernel have left to the test. A
// step is one thing that happens to one of them.
//
// What a shell does around a machine is written out here: that it asks whether
// its lease is over before each step, that it releases the lease when its
// connection broke, though maybe late, and says since when; that a new segment
// begins with a probe, and that a node without the count probes again when it
// knows the end of the last lease. Time is how much has been published.
type world struct {
	heard  []event // all that was published, in the order in which Redis brings it
	logs   map[string]*modelLog
	lease  modelLease
	nodes  [2]*modelNode
	marks  int // ids given out
	server int // counts the lives of Redis

	messages int    // published, each another
	repeated string // the payload of the one that was published again, "" for none
	alone    bool   // a node has crashed while the other was not ready
	problem  string // what must never be: a message twice, or out of order
}

// event is a message, or a mark when that has an ID.
type event struct {
	msg  Message
	mark Mark
}

type modelLog struct {
	last Number
	kept []string // payloads
}

// modelLease is the leader's lease, and the standby's: only who has that, or
// had the leader's last, may have the leader's.
type modelLease struct {
	owner   int // -1 before the first
	live    bool
	term    uint64
	ended   int // how much had been published when it was last live
	standby int // -1: none
}

type modelNode struct {
	m         *Machine
	up        bool
	connected bool
	next      int    // of heard
	points    points // in its segment
	late      bool   // the lease is over, and the node has not looked at its clock
	free      int64  // with the lease: see Machine.Elect
	owes      bool   // has the leader's lease to give up
	ended     int    // with that: when it led last
	flight    []Item // on its way to Redis
	applied   int    // of flight
	outgoing  []Mark // to be published
}

func newWorld() *world {
	w := &world{logs: map[string]*modelLog{}, lease: modelLease{owner: -1, standby: -1}}
	for i := range w.nodes {
		w.nodes[i] = &modelNode{m: NewMachine(string(rune('a'+i)), Limits{Messages: 1000, Bytes: 1 << 20}), up: true}
	}
	return w
}

// clone returns a copy that shares nothing that changes.
func (w *world) clone() *world {
	c := *w
	c.heard = slices.Clone(w.heard)
	c.logs = map[string]*modelLog{}
	for name, l := range w.logs {
		c.logs[name] = &modelLog{l.last, slices.Clone(l.kept)}
	}
	for i, n := range w.nodes {
		copied, m := *n, *n.m
		m.marks, m.items = slices.Clone(m.marks), slices.Clone(m.items)
		copied.m, copied.flight, copied.outgoing = &m, slices.Clone(n.flight), slices.Clone(n.outgoing)
		copied.points = slices.Clone(n.points)
		c.nodes[i] = &copied
	}
	return &c
}

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

// channels are those that the model publishes on.
var channels = []string{"x", "y"}

func (w *world) markID() string {
	w.marks++
	return fmt.Sprint(w.marks)
}

// publish is a backend's PUBLISH.
func (w *world) publish(channel string) {
	w.messages++
	w.heard = append(w.heard, event{msg: Message{channel, fmt.Sprint(w.messages)}})
}

// publishAgain is a backend that repeats its last PUBLISH: the message has an id.
func (w *world) publishAgain() bool {
	for i := len(w.heard) - 1; i >= 0 && w.repeated == ""; i-- {
		if e := w.heard[i]; e.mark.ID == "" {
			w.heard = append(w.heard, e)
			w.repeated = e.msg.Payload
			return true
		}
	}
	return false
}

// ready reports whether node i could take over.
func (w *world) ready(i int) bool {
	n := w.nodes[i]
	return n.up && n.connected && n.m.Ready() && w.lease.standby == i
}

// leads reports whether node i appends what is published.
func (w *world) leads(i int) bool {
	n := w.nodes[i]
	return n.up && n.connected && n.m.Role() == Leading && w.lease.live && w.lease.owner == i
}

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

// expire ends the lease though its holder may live: it was paused, or Redis
// did not hear it.
func (w *world) expire() bool {
	if !w.lease.live {
		return false
	}
	w.lease.live, w.lease.ended = false, len(w.heard)
	w.nodes[w.lease.owner].late = true
	return true
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

// crash ends node i; what it has written may still arrive.
func (w *world) crash(i int) bool {
	if !w.nodes[i].up {
		return false
	}
	w.nodes[i].up = false
	return true
}

// cut breaks the connection of node i; it releases its leases, the leader's when
// it comes to it.
func (w *world) cut(i int) bool {
	n := w.nodes[i]
	if !n.up || !n.connected {
		return false
	}
	n.awake()
	n.connected = false
	n.m.Break()
	if w.lease.live && w.lease.owner == i {
		n.owes, n.ended = true, len(w.heard)
	}
	if w.lease.standby == i {
		w.lease.standby = -1
	}
	return true
}

// release has node i give up the leader's lease that it owes.
func (w *world) release(i int) bool {
	n, l := w.nodes[i], &w.lease
	if !n.owes {
		return false
	}
	n.owes = false
	if l.owner == i && l.live {
		l.live, l.ended = false, n.ended
	}
	return true
}

// leave ends what is left of the part of node i when nobody renews it.
func (w *world) leave(i int) {
	if w.lease.live && w.lease.owner == i {
		w.lease.live, w.lease.ended = false, len(w.heard)
	}
	if w.lease.standby == i {
		w.lease.standby = -1
	}
}

// restart ends Redis and brings it back with what it had: all connections
// break, and what was on its way to it is gone.
func (w *world) restart() {
	w.server++
	for _, n := range w.nodes {
		n.flight, n.applied, n.outgoing, n.connected = nil, 0, nil, false
		n.m.Break()
		n.m.Landed(0)
	}
	w.leave(0)
	w.leave(1)
}

// run lets everything happen that needs no fault, until nothing is left to do.
func (w *world) run() {
	for moved := true; moved; {
		moved = false
		for i := range w.nodes {
			if w.nodes[i].up && !w.nodes[i].connected {
				w.connect(i)
				moved = true
			}
			for w.hear(i) || w.speak(i) || w.take(i, 100) || w.apply(i) || w.answer(i, false) || w.tell(i) {
				moved = true
			}
		}
		for i := range w.nodes {
			if !w.nodes[i].up {
				w.leave(i) // as it would by itself
			}
			moved = w.release(i) || moved
			moved = w.elect(i) || moved
		}
		// As settling takes its time, the others have had theirs.
		for i := range w.nodes {
			if !moved {
				moved = w.settle(i)
			}
		}
	}
}

// led returns a world whose first node leads while the second is ready.
func led() *world {
	w := newWorld()
	w.connect(0)
	w.connect(1)
	w.run()
	return w
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
