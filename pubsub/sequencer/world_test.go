package sequencer

import (
	"fmt"
	"slices"
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
