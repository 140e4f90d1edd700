//go:build !race

package room

import (
	"strconv"
	"testing"

	"github.com/ginforge/gateway/engine"
)

// A worker, called directly, must not allocate for each recipient.
func TestAllocs_PerRecipient(t *testing.T) {
	const members = 1000
	frame := text("%0133d", 0)
	for name, c := range map[string]struct {
		ops  []op
		want float64 // for all recipients together
	}{
		"one message to a room":    {[]op{{kind: opDeliver, key: Room("a"), frame: frame}}, 0},
		"one message to everybody": {[]op{{kind: opBroadcast, frame: frame}}, 0},
		"rooms by turns": {[]op{
			{kind: opDeliver, key: Room("a"), frame: frame},
			{kind: opDeliver, key: Room("b"), frame: frame},
			{kind: opDeliver, key: Room("a"), frame: frame},
		}, 0},
		// The joined frame, its bytes and its parts.
		"two messages to a room": {[]op{
			{kind: opDeliver, key: Room("a"), frame: frame},
			{kind: opDeliver, key: Room("a"), frame: frame},
		}, 3},
		"status of a user": {[]op{
			{kind: opStatus, status: &statusChange{tell: []Key{Room("a"), Room("b")}}, frame: frame},
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Shards = 1 })
			w.crowd(members, strconv.Itoa, Room("a"), Room("b"))
			batch := make([]op, len(c.ops))
			before := w.Stats().Delivered
			got := testing.AllocsPerRun(100, func() {
				copy(batch, c.ops)
				w.shards[0].work(batch)
			})
			if got > c.want {
				t.Errorf("%v allocations for %d recipients, want %v", got, members, c.want)
			}
			if w.Stats().Delivered-before < 100*members {
				t.Error("the messages did not arrive")
			}
		})
	}
}

// The way into the inbox must not allocate for each message either.
func TestAllocs_Deliver(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Shards = 1 })
	w.crowd(1, func(int) string { return "ann" }, Room("a"))
	frame := text("x")
	var batch []op
	s := w.shards[0]
	got := testing.AllocsPerRun(100, func() {
		w.Deliver(Room("a"), frame)
		w.Deliver(User("ann"), frame)
		w.Broadcast(frame)
		batch = s.inbox.take(batch)
		s.work(batch)
	})
	if got > 0 {
		t.Errorf("%v allocations for three deliveries, want none", got)
	}
}

// A message of a log costs what it takes to keep it, whatever the number of its
// recipients.
func TestAllocs_DeliverLog(t *testing.T) {
	perMessage := map[int]float64{}
	for _, members := range []int{1, 1000} {
		w := newLogWorld(t, func(c *Config) { c.Shards = 1 })
		frame := text("%0133d", 0)
		w.logs.cfg.Frame = func(Key, uint64, string) *engine.Frame { return frame }
		for i := range members {
			d := &nullDevice{}
			d.Init(&d.conn, strconv.Itoa(i), "name")
			w.Attach(&d.Member, func(error) {})
			w.JoinLog(&d.Member, logged, false, nil, func(Admission, error) {})
		}
		w.settle()
		var batch []op
		offset := uint64(0)
		s := w.shards[0]
		perMessage[members] = testing.AllocsPerRun(2000, func() {
			offset++
			w.DeliverLog(logged, "e1", Entry{Offset: offset, Payload: "x"})
			batch = s.inbox.take(batch)
			s.work(batch)
		})
		if got := w.Stats().Delivered; got != offset*uint64(members) {
			t.Errorf("%d deliveries of %d messages to %d members", got, offset, members)
		}
	}
	if perMessage[1000] > perMessage[1] || perMessage[1] > 0 {
		t.Errorf("%v allocations a message by members, want none", perMessage)
	}
}
