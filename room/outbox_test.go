package room

import (
	"slices"
	"strings"
	"testing"

	"github.com/ginforge/gateway/engine"
)

func TestOutbox_MessagesThatQueueUpLeaveInOneWrite(t *testing.T) {
	w, _ := runWorld(t, nil)
	d := newDevice("ann")
	joined := make(chan error, 1)
	w.Attach(&d.Member, func(error) {})
	w.Join(&d.Member, Room("a"), false, func(err error) { joined <- err })
	if err := <-joined; err != nil {
		t.Fatalf("Join = %v, want nil", err)
	}

	// Keep the worker busy until all are queued.
	busy, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.InOrder(&d.Member, Room("a"), func(error) { close(busy); <-release })
	<-busy
	var want []string
	for i := range 20 {
		f := text("message %d", i)
		w.Deliver(Room("a"), f)
		for p := range f.Payloads() {
			want = append(want, string(p))
		}
	}
	w.InOrder(&d.Member, Room("a"), func(error) { close(done) })
	close(release)
	<-done
	d.wantWrites(t, strings.Join(want, "|"))
	if got := w.Stats().Delivered; got != 20 {
		t.Errorf("Stats().Delivered = %d, want 20", got)
	}
}

func TestOutbox_SeveralRoomsLeaveInOneWritePerMember(t *testing.T) {
	w := newWorld(t, nil)
	a, b, both := w.attach(w.userIn(0, 0)), w.attach(w.userIn(0, 1)), w.attach(w.userIn(0, 2))
	w.enter(a, Room("a"))
	w.enter(b, Room("b"))
	w.enter(both, Room("a"), Room("b"))
	for range 2 { // the second batch uses what the first has left
		w.Deliver(Room("a"), text("a1"))
		w.Deliver(Room("a"), text("a2"))
		w.Deliver(Room("b"), text("b1"))
		w.Deliver(User(both.UserID()), text("u1"))
		w.Broadcast(text("all"))
		w.Deliver(Room("a"), text("a3"))
		w.settle()
		a.wantWrites(t, "a1|a2|all|a3")
		b.wantWrites(t, "b1|all")
		both.wantWrites(t, "a1|a2|b1|u1|all|a3")
		check(t, w)
	}
}

func TestOutbox_OneWriteIsBounded(t *testing.T) {
	w := newWorld(t, nil)
	d := w.attach("ann")
	w.enter(d, Room("a"), Room("b"))
	const size = 1000
	payload := strings.Repeat("x", size)
	for name, keys := range map[string][]Key{
		"one room":              {Room("a")},
		"two rooms by turns":    {Room("a"), Room("b")},
		"a user after the room": {Room("a"), User("ann")},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range 500 {
				w.Deliver(keys[i%len(keys)], text("%s%d", payload, i))
			}
			w.settle()
			writes := d.conn.take()
			for _, write := range writes {
				if n := len(write) * size; n > maxWriteBytes {
					t.Fatalf("one write has over %d bytes, want at most %d", n, maxWriteBytes)
				}
			}
			if n := 500 * size / maxWriteBytes; len(writes) > n+3 {
				t.Errorf("%d writes, want about %d", len(writes), n)
			}
			got := slices.Concat(writes...)
			for i, m := range got {
				if want := text("%s%d", payload, i); len(got) != 500 || m != payloadOf(want) {
					t.Fatalf("message %d of %d is %q", i, len(got), m[size:])
				}
			}
		})
	}
}

func payloadOf(f *engine.Frame) string {
	for p := range f.Payloads() {
		return string(p)
	}
	return ""
}

// A backlog in rooms that take turns must not cost memory for every message and
// member.
func TestOutbox_MemoryOfABacklogIsBounded(t *testing.T) {
	w := newWorld(t, nil)
	var devices []*device
	for i := range 100 {
		d := w.attach(w.userIn(0, i))
		w.enter(d, Room("a"), Room("b"))
		devices = append(devices, d)
	}
	spy := &linkSpy{outbox: &w.shards[0].outbox}
	member := &Member{}
	member.Init(spy, w.userIn(0, 100), "spy")
	w.Attach(member, func(error) {})
	w.Join(member, Room("a"), false, func(error) {})
	w.settle()
	const rounds = 2000
	f := text("x")
	for range rounds {
		w.Deliver(Room("a"), f)
		w.Deliver(Room("b"), f)
	}
	w.settle()
	for _, d := range devices {
		if got := len(slices.Concat(d.conn.take()...)); got != 2*rounds {
			t.Fatalf("a member got %d messages, want %d", got, 2*rounds)
		}
	}
	o := &w.shards[0].outbox
	if got := cap(o.links); got > keptLinks {
		t.Errorf("the outbox keeps room for %d links, want at most %d", got, keptLinks)
	}
	if got := cap(o.runs); got > 2*maxRuns {
		t.Errorf("the outbox keeps room for %d runs, want at most %d", got, 2*maxRuns)
	}
	for i := range 2 * keptFrames {
		w.Deliver(Room("a"), text("%d", i))
	}
	w.settle()
	for _, r := range o.runs[:cap(o.runs)] {
		if got := cap(r.frames); got > keptFrames {
			t.Errorf("a run keeps room for %d frames, want at most %d", got, keptFrames)
		}
	}
	if got := spy.links; got == 0 || got > maxLinks {
		t.Errorf("there were %d links at a time, want some and at most %d", got, maxLinks)
	}
}

// linkSpy notes how many links there are when it is written to.
type linkSpy struct {
	fakeConn
	outbox *outbox
	links  int
}

func (c *linkSpy) SendAll(frames []*engine.Frame, scratch []byte) ([]byte, error) {
	c.links = max(c.links, len(c.outbox.links))
	return scratch, nil
}

func TestOutbox_KeepsNoFrameAlive(t *testing.T) {
	w := newWorld(t, nil)
	d := w.attach("ann")
	w.enter(d, Room("a"))
	w.Deliver(Room("a"), text("1"))
	w.Deliver(User("ann"), text("2"))
	w.Deliver(User("ann"), text("3"))
	w.settle()
	o := &w.shardOf("ann").outbox
	for i, r := range o.runs[:cap(o.runs)] {
		if r.occupants != nil || r.members != nil {
			t.Errorf("run %d refers to its recipients", i)
		}
		for _, f := range r.frames[:cap(r.frames)] {
			if f != nil {
				t.Errorf("run %d refers to a frame", i)
			}
		}
	}
	for _, l := range o.links[:cap(o.links)] {
		if l.frame != nil {
			t.Error("a link refers to a frame")
		}
	}
	for _, m := range o.dirty[:cap(o.dirty)] {
		if m != nil {
			t.Errorf("the outbox refers to %s", m.user)
		}
	}
	for _, f := range o.frames[:cap(o.frames)] {
		if f != nil {
			t.Error("the scratch refers to a frame")
		}
	}
}

func TestOutbox_CountsSlowAndClosingConnections(t *testing.T) {
	w := newWorld(t, nil)
	healthy, slow, closing := w.attach(w.userIn(0, 0)), w.attach(w.userIn(0, 1)), w.attach(w.userIn(0, 2))
	for _, d := range []*device{healthy, slow, closing} {
		w.enter(d, Room("a"), Room("b"))
	}
	slow.conn.fail(engine.ErrSlow)
	closing.conn.fail(engine.ErrClosed)
	w.Deliver(Room("a"), text("1"))
	w.Deliver(Room("a"), text("2"))
	w.settle() // joined
	w.Deliver(Room("a"), text("3"))
	w.Deliver(Room("a"), text("4"))
	w.Deliver(Room("b"), text("5"))
	w.settle() // linked
	if got := w.Stats(); got.Delivered != 5 || got.Slow != 5 || got.Gone != 5 {
		t.Errorf("Stats() = %+v, want 5 delivered, 5 slow and 5 gone", got)
	}
	healthy.wantWrites(t, "1|2", "3|4|5")
	check(t, w)
}
