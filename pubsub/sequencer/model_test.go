package sequencer

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"
)

// budget is which faults, and how much else, may still happen.
type budget struct {
	messages, marks, expiries, crashes, cuts, lostAnswers, restarts, repeats int
}

// step is one thing that can happen in a world.
type step struct {
	name string
	do   func(*world) bool
	cost func(*budget) *int // nil: none

	fault bool
}

// steps are all that can happen. With oneFault, a fault of one node happens only
// while the other is ready to take over: that is what two nodes can bear.
func steps(oneFault bool) (all []step) {
	add := func(name string, cost func(*budget) *int, do func(*world) bool) {
		all = append(all, step{name: name, do: do, cost: cost})
	}
	fault := func(name string, cost func(*budget) *int, do func(*world) bool) {
		all = append(all, step{name: name, do: do, cost: cost, fault: true})
	}
	for _, channel := range channels {
		add("publish "+channel, func(b *budget) *int { return &b.messages }, func(w *world) bool { w.publish(channel); return true })
	}
	add("publish again", func(b *budget) *int { return &b.repeats }, func(w *world) bool { return w.publishAgain() })
	ready := func(w *world, i int) bool {
		return !oneFault || w.ready(i)
	}
	fault("expire", func(b *budget) *int { return &b.expiries }, func(w *world) bool {
		return w.lease.live && ready(w, 1-w.lease.owner) && w.expire()
	})
	for i := range 2 {
		name := string(rune('a'+i)) + " "
		add(name+"hears", nil, func(w *world) bool { return w.hear(i) })
		add(name+"speaks", nil, func(w *world) bool { return w.speak(i) })
		add(name+"elects", nil, func(w *world) bool { return w.elect(i) })
		add(name+"releases", nil, func(w *world) bool { return w.release(i) })
		add(name+"settles", nil, func(w *world) bool { return w.settle(i) })
		add(name+"takes", nil, func(w *world) bool { return w.take(i, 2) })
		add(name+"applies", nil, func(w *world) bool { return w.apply(i) })
		add(name+"is answered", nil, func(w *world) bool { return w.answer(i, false) })
		fault(name+"is not answered", func(b *budget) *int { return &b.lostAnswers }, func(w *world) bool { return w.answer(i, true) })
		add(name+"tells", func(b *budget) *int { return &b.marks }, func(w *world) bool { return w.tell(i) })
		fault(name+"crashes", func(b *budget) *int { return &b.crashes }, func(w *world) bool {
			w.alone = !w.ready(1-i) && !w.leads(1-i)
			return ready(w, 1-i) && w.crash(i)
		})
		fault(name+"is cut off", func(b *budget) *int { return &b.cuts }, func(w *world) bool { return ready(w, 1-i) && w.cut(i) })
		add(name+"connects", nil, func(w *world) bool {
			if n := w.nodes[i]; !n.up || n.connected {
				return false
			}
			w.connect(i)
			return true
		})
	}
	return all
}

// explore visits every world that can be reached from w by steps, and has each
// end well: nothing twice, nothing out of order and, unless lossy, all there.
func explore(t *testing.T, w *world, all []step, b budget, lossy bool) (worlds int) {
	t.Helper()
	type place struct {
		world  *world
		budget budget
		by     *place
		step   string
	}
	seen := map[[sha256.Size]byte]bool{}
	var key []byte
	stack := []*place{{world: w, budget: b}}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		end := at.world.clone()
		end.run()
		if lost := end.lost(); end.problem != "" || len(lost) > 0 && !lossy && !end.alone {
			for p := at; p.by != nil; p = p.by {
				defer t.Logf("%s", p.step)
			}
			t.Errorf("%s, lost %v\n%v\nat\n%v\nafter", end.problem, lost, end, at.world)
			return len(seen)
		}
		for _, s := range all {
			left := at.budget
			if s.cost != nil {
				if *s.cost(&left) == 0 {
					continue
				}
				*s.cost(&left)--
			}
			next := at.world.clone()
			if !s.do(next) {
				continue
			}
			key = next.appendKey(fmt.Appendf(key[:0], "%v", left))
			if sum := sha256.Sum256(key); !seen[sum] {
				seen[sum] = true
				stack = append(stack, &place{next, left, at, s.name})
			}
		}
	}
	return len(seen)
}

func TestModel_EveryInterleaving(t *testing.T) {
	for name, b := range map[string]budget{
		"a crash":                        {messages: 2, marks: 1, crashes: 1},
		"a crash and a duplicate":        {messages: 1, repeats: 1, marks: 1, crashes: 1},
		"a lease lost while paused":      {messages: 2, expiries: 1},
		"a lease lost after a mark":      {messages: 1, marks: 1, expiries: 1},
		"a broken subscription":          {messages: 1, cuts: 1},
		"an append whose answer is lost": {messages: 3, lostAnswers: 1, crashes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := led()
			if w.nodes[0].m.Role() != Leading || !w.nodes[1].m.Ready() || w.lease.standby != 1 {
				t.Fatalf("the model does not come to its beginning:\n%v", w)
			}
			t.Logf("%d worlds", explore(t, w, steps(true), b, false))
		})
	}
}

// TestModel_CrashAnywhere has a node crash in every state there is, from the first
// connection on, and a message with an id published twice. Nothing comes twice or
// out of order; nothing is lost either unless the other node was not ready.
func TestModel_CrashAnywhere(t *testing.T) {
	for name, begin := range map[string]struct {
		world *world
		budget
		lossy bool // what is published before anybody is connected
	}{
		"from the beginning":                   {newWorld(), budget{messages: 1, crashes: 1}, true},
		"with a leader":                        {led(), budget{messages: 2, marks: 1, crashes: 1}, false},
		"with a leader and a repeated message": {led(), budget{messages: 1, repeats: 1, marks: 1, crashes: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Logf("%d worlds", explore(t, begin.world, steps(false), begin.budget, begin.lossy))
		})
	}
}

// TestModel_NewcomerMeetsPausedLeader has a node connect while the leader cannot
// say where it is, and lead when its lease is over. That is more than two nodes
// can bear without a loss; what the leader finds to do when it wakes must not
// come twice.
func TestModel_NewcomerMeetsPausedLeader(t *testing.T) {
	w := newWorld()
	w.nodes[1].up = false
	w.connect(0)
	w.run()
	w.nodes[1].up = true
	t.Logf("%d worlds", explore(t, w, steps(false), budget{messages: 1, expiries: 1}, true))
}

// walk takes a random way through the steps. There is much more of everything
// in it than can be enumerated. Faults are rare, so that there is something to
// break.
func walk(t *testing.T, w *world, all []step, b budget, seed uint64) {
	t.Helper()
	walkOn(t, w, all, b, seed)
	w.run()
	if w.problem != "" {
		t.Fatalf("seed %d: %s\n%v", seed, w.problem, w)
	}
}

// walkOn does not go to the end.
func walkOn(t *testing.T, w *world, all []step, b budget, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 600 {
		s := all[r.IntN(len(all))]
		if s.cost != nil {
			if *s.cost(&b) == 0 || s.fault && r.IntN(30) > 0 {
				continue
			}
			*s.cost(&b)--
		}
		s.do(w)
		if w.problem != "" {
			t.Fatalf("seed %d: %s\n%v", seed, w.problem, w)
		}
	}
}

// walks is how many random ways a test takes.
const walks = 2000

// TestModel_OneFaultAtATime loses nothing, however many there are.
func TestModel_OneFaultAtATime(t *testing.T) {
	all := steps(true)
	var terms uint64
	for seed := range uint64(walks) {
		w := led()
		walk(t, w, all, budget{messages: 60, marks: 60, expiries: 5, crashes: 1, cuts: 5, lostAnswers: 5}, seed)
		if lost := w.lost(); len(lost) > 0 {
			t.Fatalf("seed %d: lost %v\n%v", seed, lost, w)
		}
		terms += w.lease.term
	}
	if terms < walks*3/2 {
		t.Errorf("%d terms in %d walks: they come to nothing", terms, walks)
	}
}

// TestModel_NeverTwice has faults meet, both nodes and Redis included. Messages
// may be lost, but none comes twice or out of order.
func TestModel_NeverTwice(t *testing.T) {
	restart := step{
		name: "redis restarts", do: func(w *world) bool { w.restart(); return true },
		cost: func(b *budget) *int { return &b.restarts }, fault: true,
	}
	all := append(steps(false), restart)
	var published, lost int
	for seed := range uint64(walks) {
		w := led()
		walk(t, w, all, budget{messages: 100, marks: 100, expiries: 4, crashes: 1, cuts: 4, lostAnswers: 5, restarts: 2}, seed)
		published, lost = published+w.messages, lost+len(w.lost())
	}
	if lost > published/2 {
		t.Errorf("%d of %d messages were lost: the walks come to nothing", lost, published)
	}
	t.Logf("%d of %d messages were lost", lost, published)
}

// TestModel_BothCutOff cuts both nodes off at once, with appends on their way and
// before either can give up its lease. Redis lives, so what is published while
// they are away nobody hears; but nothing is lost of what both hear again,
// whoever leads in the end.
func TestModel_BothCutOff(t *testing.T) {
	all := steps(true)
	var fresh int
	for seed := range uint64(walks) {
		w := led()
		walkOn(t, w, all, budget{messages: 30, marks: 20, lostAnswers: 3}, seed)
		for i := range w.nodes {
			for w.hear(i) {
			}
		}
		w.cut(0)
		w.cut(1)
		r := rand.New(rand.NewPCG(seed, 1))
		first := r.IntN(2)
		w.connect(first)
		w.connect(1 - first)
		walkOn(t, w, all, budget{messages: 30, marks: 20, lostAnswers: 3}, seed)
		w.run()
		if lost := w.lost(); w.problem != "" || len(lost) > 0 {
			t.Fatalf("seed %d: %s, lost %v\n%v", seed, w.problem, lost, w)
		}
		if w.lease.term > 1 {
			fresh++
		}
	}
	if fresh < walks/2 {
		t.Errorf("%d of %d walks came to another term: they come to nothing", fresh, walks)
	}
}

// TestModel_RedisRestarts cuts everybody off at once, with appends on their way.
// What both nodes have heard is in the logs in the end, although neither leads
// when it is back, and so is what is published while they come back.
func TestModel_RedisRestarts(t *testing.T) {
	all := steps(true)
	for seed := range uint64(walks) {
		w := led()
		walkOn(t, w, all, budget{messages: 30, marks: 20, lostAnswers: 3}, seed)
		for i := range w.nodes {
			for w.hear(i) {
			}
		}
		w.restart()
		r := rand.New(rand.NewPCG(seed, 1))
		first := r.IntN(2)
		w.lease.standby = first // without which nobody connects
		w.connect(first)
		if r.IntN(2) == 0 {
			w.publish("x")
		}
		w.connect(1 - first)
		w.publish("y")
		w.run()
		if lost := w.lost(); w.problem != "" || len(lost) > 0 {
			t.Fatalf("seed %d: %s, lost %v\n%v", seed, w.problem, lost, w)
		}
	}
}
