package room

import (
	"slices"
	"sync"
	"testing"
	"time"
)

func TestConfig_Validate(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*Config)
		ok   bool
	}{
		"as the tests use it":        {func(*Config) {}, true},
		"shards by the CPUs":         {func(c *Config) { c.Shards = 0 }, true},
		"64 shards":                  {func(c *Config) { c.Shards = 64 }, true},
		"128 shards":                 {func(c *Config) { c.Shards = 128 }, false},
		"3 shards":                   {func(c *Config) { c.Shards = 3 }, false},
		"negative shards":            {func(c *Config) { c.Shards = -1 }, false},
		"no rooms":                   {func(c *Config) { c.MaxRooms = 0 }, false},
		"nobody may be watched":      {func(c *Config) { c.MaxWatched = 0 }, true},
		"negative watched":           {func(c *Config) { c.MaxWatched = -1 }, false},
		"confirm timeout too short":  {func(c *Config) { c.ConfirmTimeout = time.Second / 2 }, false},
		"no grace":                   {func(c *Config) { c.Grace = 0 }, true},
		"negative grace":             {func(c *Config) { c.Grace = -time.Second }, false},
		"nobody makes status frames": {func(c *Config) { c.Status = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			c.edit(&cfg)
			hub, err := NewHub(cfg, newFakeBus())
			if (err == nil) != c.ok {
				t.Fatalf("NewHub = %v, want ok: %v", err, c.ok)
			}
			if n := 0; err == nil {
				if n = len(hub.shards); n < 1 || n&(n-1) != 0 {
					t.Errorf("the hub has %d shards, want a power of two", n)
				}
			}
		})
	}
}

func TestHub_WhatIsEnqueuedIsSentAtTheFlush(t *testing.T) {
	w, stop := runWorld(t, nil)
	ann, bob := newDevice("ann"), newDevice("bob")
	for _, d := range []*device{ann, bob} {
		done := make(chan error)
		w.Attach(&d.Member, func(error) {})
		w.Join(&d.Member, Room("chat"), false, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	w.Enqueue(Room("chat"), text("one"))
	w.Enqueue(User("ann"), text("two"))
	w.Enqueue(Room("nobody"), text("lost"))
	w.Enqueue(Room("chat"), text("three"))
	w.Flush()
	w.Flush() // harmless
	for deadline := time.Now().Add(10 * time.Second); ; {
		if !slices.ContainsFunc(w.shards, func(s *shard) bool { return s.inbox.peek() > 0 }) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a worker sleeps after Flush")
		}
	}
	stop() // what was taken has been sent then
	ann.wantMessages(t, "one", "two", "three")
	bob.wantMessages(t, "one", "three")
}

func TestHub_FlushThenCallsBehindWhatWasEnqueued(t *testing.T) {
	w, stop := runWorld(t, nil)
	defer stop()
	ann := newDevice("ann")
	attached := make(chan error, 1)
	w.Attach(&ann.Member, func(err error) { attached <- err })
	if err := <-attached; err != nil {
		t.Fatal(err)
	}
	if w.FlushThen(func() { t.Error("done is called with nothing to be done") }) {
		t.Error("FlushThen reports that there is something to be done")
	}
	for i, send := range []func(){
		func() { w.Enqueue(User("ann"), text("one")) },
		func() { w.Broadcast(text("two")) },
	} {
		send()
		done := make(chan struct{})
		if !w.FlushThen(func() { close(done) }) {
			t.Fatalf("%d: FlushThen reports that there is nothing to be done", i)
		}
		<-done
		ann.wantMessages(t, []string{"one", "two"}[i])
	}
}

func TestHub_UserMessageReachesAllDevicesAndNobodyElse(t *testing.T) {
	w := newWorld(t, nil)
	phone, laptop, bob := w.attach("ann"), w.attach("ann"), w.attach("bob")
	w.Deliver(User("ann"), text("hi"))
	w.Deliver(User("nobody"), text("lost"))
	w.settle()
	phone.wantWrites(t, "hi")
	laptop.wantWrites(t, "hi")
	bob.wantWrites(t)
	check(t, w)
	if got := w.Stats(); got.Members != 3 || got.Users != 2 || got.Delivered != 2 {
		t.Errorf("Stats() = %+v, want 3 members, 2 users, 2 delivered", got)
	}
}

func TestHub_RoomMessageReachesItsMembersInEveryShard(t *testing.T) {
	w := newWorld(t, nil)
	var in, out []*device
	for i := range 40 {
		d := w.attach(w.userIn(i%4, i))
		if i < 20 {
			w.enter(d, Room("a"))
			in = append(in, d)
		} else {
			w.enter(d, Room("b"))
			out = append(out, d)
		}
	}
	w.Deliver(Room("a"), text("hi"))
	w.Deliver(Room("empty"), text("lost"))
	w.settle()
	for _, d := range in {
		d.wantWrites(t, "hi")
	}
	for _, d := range out {
		d.wantWrites(t)
	}
	check(t, w)
}

func TestHub_DetachedDeviceGetsNothing(t *testing.T) {
	w := newWorld(t, nil)
	gone, stays := w.attach("ann"), w.attach("ann")
	w.enter(gone, Room("a"))
	w.enter(stays, Room("a"))
	w.detach(gone)
	w.detach(gone) // once more is harmless
	w.Deliver(Room("a"), text("room"))
	w.Deliver(User("ann"), text("user"))
	w.Broadcast(text("all"))
	w.settle()
	gone.wantWrites(t)
	stays.wantMessages(t, "room", "user", "all")
	check(t, w)
}

func TestHub_NothingIsLeftOfThoseWhoHaveGone(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Grace = 0 })
	var devices []*device
	for i := range 200 {
		d := w.attach(w.userIn(i%4, i/2%50))
		w.enter(d, Room("all"), Room([]string{"x", "y", "z"}[i%3]), Watch(devices0(devices, d).UserID()))
		devices = append(devices, d)
	}
	check(t, w)
	for i, d := range devices {
		w.detach(d)
		if i%20 == 0 {
			check(t, w)
		}
	}
	checkEmpty(t, w)
	if got := w.Stats(); got.Members != 0 || got.Users != 0 || got.Rooms != 0 {
		t.Errorf("Stats() = %+v, want no members, users and rooms", got)
	}
}

// devices0 is the first device, or d when there is none.
func devices0(devices []*device, d *device) *device {
	if len(devices) > 0 {
		return devices[0]
	}
	return d
}

func TestHub_WhatIsAskedForAGoneDeviceIsVoid(t *testing.T) {
	w := newWorld(t, nil)
	d := newDevice("ann")
	var attach, join, leave, order answer
	w.Detach(&d.Member) // the connection ended before it was attached
	w.Attach(&d.Member, attach.done)
	w.Join(&d.Member, Room("a"), false, join.done)
	w.Leave(&d.Member, Room("a"), leave.done)
	w.InOrder(&d.Member, Room("a"), order.done)
	w.settle()
	attach.want(t, "Attach", ErrGone)
	join.want(t, "Join", ErrGone)
	leave.want(t, "Leave", ErrNotMember)
	order.want(t, "InOrder", ErrGone)
	checkEmpty(t, w)
}

func TestHub_BroadcastReachesEveryDevice(t *testing.T) {
	w := newWorld(t, nil)
	var devices []*device
	for i := range 12 {
		devices = append(devices, w.attach(w.userIn(i%2, i%6)))
	}
	w.Broadcast(text("hear"))
	w.Broadcast(text("hear again"))
	w.settle()
	for _, d := range devices {
		d.wantWrites(t, "hear|hear again")
	}
	if got := w.Stats().Delivered; got != 24 {
		t.Errorf("Stats().Delivered = %d, want 24", got)
	}
}

func TestHub_EachSeesEveryDeviceOnce(t *testing.T) {
	w := newWorld(t, nil)
	var want []*Member
	for i := range 12 {
		want = append(want, &w.attach(w.userIn(i%2, i%6)).Member)
	}
	w.detach(w.attach("gone"))
	var mu sync.Mutex
	seen := map[*Member]int{}
	w.Each(func(m *Member) {
		mu.Lock()
		defer mu.Unlock()
		seen[m]++
	})
	w.settle()
	for _, m := range want {
		if seen[m] != 1 {
			t.Errorf("Each saw a device of %s %d times, want once", m.UserID(), seen[m])
		}
	}
	if len(seen) != len(want) {
		t.Errorf("Each saw %d devices, want %d", len(seen), len(want))
	}
}

func TestHub_InOrderSeesWhatWasAskedForBefore(t *testing.T) {
	w := newWorld(t, nil)
	w.bus.hold(true) // being in the room does not wait for the bus
	d := newDevice("ann")
	ignore := func(error) {}
	var before, in, left answer
	w.Attach(&d.Member, ignore)
	w.InOrder(&d.Member, Room("a"), before.done)
	w.Join(&d.Member, Room("a"), false, ignore)
	w.InOrder(&d.Member, Room("a"), in.done)
	w.Leave(&d.Member, Room("a"), ignore)
	w.InOrder(&d.Member, Room("a"), left.done)
	w.settle()
	before.want(t, "InOrder before the join", ErrNotMember)
	in.want(t, "InOrder behind the join", nil)
	left.want(t, "InOrder behind the leave", ErrNotMember)
}

func TestHub_RunDoesWhatWasHandedInBefore(t *testing.T) {
	w, stop := runWorld(t, nil)
	d := newDevice("ann")
	attached := make(chan error, 1)
	w.Attach(&d.Member, func(err error) { attached <- err })
	if err := <-attached; err != nil {
		t.Fatalf("Attach = %v, want nil", err)
	}
	for range 100 {
		w.Deliver(User("ann"), text("x"))
	}
	stop()
	if got := len(slices.Concat(d.conn.take()...)); got != 100 {
		t.Errorf("%d messages arrived before Run ended, want 100", got)
	}
	w.Deliver(User("ann"), text("late"))
	w.Broadcast(text("late"))
	d.wantWrites(t)
}
