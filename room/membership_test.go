package room

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestHub_JoinAndLeave(t *testing.T) {
	w := newWorld(t, nil)
	d := w.attach("ann")
	if err := w.leave(d, Room("a")); !errors.Is(err, ErrNotMember) {
		t.Errorf("Leave of a room never joined = %v, want ErrNotMember", err)
	}
	w.enter(d, Room("a"))
	w.enter(d, Room("a")) // once more is no error and no second membership
	w.Deliver(Room("a"), text("one"))
	w.settle()
	d.wantWrites(t, "one")
	if err := w.leave(d, Room("a")); err != nil {
		t.Errorf("Leave = %v, want nil", err)
	}
	if err := w.leave(d, Room("a")); !errors.Is(err, ErrNotMember) {
		t.Errorf("second Leave = %v, want ErrNotMember", err)
	}
	w.Deliver(Room("a"), text("two"))
	w.settle()
	d.wantWrites(t)
	check(t, w)
	if got := w.Stats().Rooms; got != 0 {
		t.Errorf("Stats().Rooms = %d after the last member left, want 0", got)
	}
}

func TestHub_LeaveOfOneDeviceKeepsTheOther(t *testing.T) {
	w := newWorld(t, nil)
	phone, laptop := w.attach("ann"), w.attach("ann")
	w.enter(phone, Room("a"))
	w.enter(laptop, Room("a"))
	w.exit(phone, Room("a"))
	w.Deliver(Room("a"), text("x"))
	w.settle()
	phone.wantWrites(t)
	laptop.wantWrites(t, "x")
	check(t, w)
}

func TestHub_KeySpacesAreApart(t *testing.T) {
	w := newWorld(t, nil)
	d, bob := w.attach("ann"), w.attach("bob")
	w.enter(d, Room("bob"))
	w.enter(bob, Watch("bob"))
	w.Deliver(Room("bob"), text("room"))
	w.Deliver(User("bob"), text("user"))
	w.Deliver(Watch("bob"), text("watch"))
	w.settle()
	d.wantMessages(t, "room")
	bob.wantMessages(t, "user", "watch")
	check(t, w)
}

func TestHub_Limits(t *testing.T) {
	for name, c := range map[string]struct {
		key   func(string) Key
		limit int
		err   error
	}{
		"rooms":         {Room, 3, ErrTooManyRooms},
		"watched users": {Watch, 2, ErrTooManyWatched},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			d := w.attach("ann")
			for i := range c.limit {
				w.enter(d, c.key(fmt.Sprint(i)))
			}
			if err := w.join(d, c.key("more"), false); !errors.Is(err, c.err) {
				t.Errorf("Join beyond the limit = %v, want %v", err, c.err)
			}
			w.enter(d, c.key("0")) // being in it already costs nothing
			if err := w.leave(d, c.key("0")); err != nil {
				t.Errorf("Leave = %v, want nil", err)
			}
			w.enter(d, c.key("more"))
			w.enter(w.attach("ann"), c.key("0")) // each device has its own limit
			check(t, w)
		})
	}
}

func TestHub_FirstAndLastMemberReachTheBus(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.attach(w.userIn(0, 0)), w.attach(w.userIn(1, 1)) // two shards
	w.bus.takeLog()
	w.enter(a, Room("r"), Watch("bob"))
	w.enter(b, Room("r"), Watch("bob"))
	w.exit(a, Room("r"))
	w.exit(b, Room("r"))
	w.enter(b, Room("r"))
	w.detach(b)
	want := []string{"+room:r", "-room:r", "+room:r", "-room:r", "-user:" + b.UserID()}
	if got := w.bus.takeLog(); !slices.Equal(got, want) {
		t.Errorf("the bus was asked %q, want %q", got, want)
	}
	check(t, w)
}

func TestHub_DeliveriesAndMembershipKeepTheirOrder(t *testing.T) {
	w := newWorld(t, nil)
	early := w.attach(w.userIn(0, 0))
	late := w.attach(w.userIn(0, 1))
	w.enter(early, Room("a"))
	ignore := func(error) {}

	// All of this is one batch of one worker.
	w.Deliver(Room("a"), text("1"))
	w.Join(&late.Member, Room("a"), false, ignore)
	w.Deliver(Room("a"), text("2"))
	w.Deliver(User(late.UserID()), text("3"))
	w.Leave(&early.Member, Room("a"), ignore)
	w.Deliver(Room("a"), text("4"))
	w.Detach(&late.Member)
	w.Deliver(Room("a"), text("5"))
	w.settle()
	early.wantMessages(t, "1", "2")
	late.wantMessages(t, "2", "3", "4")
	check(t, w)
}

// Swap-remove moves members and seats; those who are left must stay reachable.
func TestHub_LeavingInAnyOrderKeepsTheOthers(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxRooms = 100 })
	var devices []*device
	for i := range 10 {
		d := w.attach(w.userIn(0, i))
		for r := range 10 {
			w.enter(d, Room(fmt.Sprint((i+r)%10)))
		}
		devices = append(devices, d)
	}
	for i := range 10 {
		for j, d := range devices {
			w.exit(d, Room(fmt.Sprint((i*7+j*3)%10)))
		}
		check(t, w)
		for r := range 10 {
			w.Deliver(Room(fmt.Sprint(r)), text("%d", r))
		}
		w.settle()
		for _, d := range devices {
			if got := len(slices.Concat(d.conn.take()...)); got != 9-i {
				t.Errorf("a member of %d rooms got %d messages", 9-i, got)
			}
		}
	}
}

func TestShrink_GivesMemoryBack(t *testing.T) {
	s := make([]int, 1000)
	for len(s) > 0 {
		s = shrink(s[:len(s)-1])
	}
	if cap(s) > 64 {
		t.Errorf("an empty slice keeps room for %d, want at most 64", cap(s))
	}
}

// A delivery for members who have left is not for those who come later: the
// deliveries behind it have passed the shard by.
func TestHub_NewMemberSeesNoGap(t *testing.T) {
	w := newWorld(t, nil)
	leaver, joiner := w.attach(w.userIn(0, 0)), w.attach(w.userIn(0, 1))
	w.enter(leaver, Room("a"))
	ignore := func(error) {}
	joined := func(error) { w.Deliver(Room("a"), text("4")) }
	w.Deliver(Room("a"), text("1"))
	w.Leave(&leaver.Member, Room("a"), func(error) { w.Deliver(Room("a"), text("3, to nobody")) })
	w.Join(&joiner.Member, Room("a"), false, ignore)
	w.Join(&joiner.Member, Room("a"), false, joined)
	w.Deliver(Room("a"), text("2, before the leave is done"))
	w.settle()
	leaver.wantMessages(t, "1")
	joiner.wantMessages(t, "4")
	check(t, w)
}
