package room

import (
	"slices"
	"testing"
)

// elsewhere is a world whose users' status is decided by somebody who knows other
// nodes too.
type elsewhere struct {
	*world
	changes []string // users whose status may have changed
}

func newElsewhere(t *testing.T, edit func(*Config)) *elsewhere {
	t.Helper()
	e := &elsewhere{}
	e.world = newWorld(t, func(c *Config) {
		c.Changed = func(user string) { e.changes = append(e.changes, user) }
		if edit != nil {
			edit(c)
		}
	})
	e.bus.watches = true
	return e
}

// want fails the test unless there were changes of user, or none for "", and the
// user's status is this now.
func (e *elsewhere) want(t *testing.T, changed string, user string, want Status) {
	t.Helper()
	got := slices.Compact(e.changes)
	if e.changes = nil; changed == "" && len(got) > 0 || changed != "" && !slices.Equal(got, []string{changed}) {
		t.Errorf("changes of %q, want of %q", got, changed)
	}
	st := e.Status(user)
	slices.Sort(st.Rooms)
	st.Rooms = slices.Compact(st.Rooms)
	if st.Here != want.Here || st.Name != want.Name || !slices.Equal(st.Rooms, want.Rooms) {
		t.Errorf("the status of %s is %+v, want %+v", user, st, want)
	}
}

func TestChanged_StatusFollowsDevicesAndRooms(t *testing.T) {
	e := newElsewhere(t, nil)
	e.want(t, "", "ann", Status{})
	watcher := e.watcher("bob", "ann")
	e.changes = nil
	phone := e.attach("ann")
	e.want(t, "ann", "ann", Status{Here: true, Name: "ANN"})
	laptop := e.attach("ann")
	e.want(t, "", "ann", Status{Here: true, Name: "ANN"})
	e.show(phone, Room("1"))
	e.want(t, "ann", "ann", Status{Here: true, Name: "ANN", Rooms: []string{"1"}})
	e.show(laptop, Room("1"), Room("2"))
	e.want(t, "ann", "ann", Status{Here: true, Name: "ANN", Rooms: []string{"1", "2"}})
	e.detach(laptop) // room 2 goes with its grace
	e.want(t, "", "ann", Status{Here: true, Name: "ANN", Rooms: []string{"1", "2"}})
	e.tick(graceTicks)
	e.want(t, "ann", "ann", Status{Here: true, Name: "ANN", Rooms: []string{"1"}})
	e.detach(phone)
	e.want(t, "", "ann", Status{Here: true, Name: "ANN", Rooms: []string{"1"}})
	e.tick(graceTicks)
	e.want(t, "ann", "ann", Status{})
	watcher.wantMessages(t) // the hub tells nobody by itself
	check(t, e.world)
}

func TestChanged_LeavingARoomIsAChange(t *testing.T) {
	e := newElsewhere(t, nil)
	ann := e.attach("ann")
	e.show(ann, Room("1"))
	e.changes = nil
	e.exit(ann, Room("1"))
	e.want(t, "ann", "ann", Status{Here: true, Name: "ANN"})
}

func TestChanged_EveryDevice(t *testing.T) {
	e := newElsewhere(t, func(c *Config) { c.EveryDevice = true })
	phone := e.attach("ann")
	e.attach("ann")
	e.changes = nil
	e.detach(phone)
	e.want(t, "ann", "ann", Status{Here: true, Name: "ANN"})
	var users []string
	e.Users(func(u string) { users = append(users, u) })
	slices.Sort(users)
	if got := slices.Compact(users); !slices.Equal(got, []string{"ann"}) {
		t.Errorf("users are %q, want ann", got)
	}
}

// Who watches hears it through the bus, so the answer waits for that.
func TestChanged_WatchersSubscribe(t *testing.T) {
	e := newElsewhere(t, nil)
	bob := e.attach("bob")
	var joined answer
	e.bus.hold(true)
	e.Join(&bob.Member, Watch("ann"), false, joined.done)
	e.settle()
	joined.pending(t, "watch")
	e.bus.confirm(Watch("ann"))
	e.settle()
	joined.want(t, "watch", nil)
	if !e.Concerns([]Key{Watch("ann")}) || e.Concerns([]Key{Watch("carl"), Room("1")}) {
		t.Error("Concerns does not know who is watched")
	}
	e.TellStatus("ann", text("edge"), []Key{Watch("ann"), Room("1")}, nil)
	e.settle()
	bob.wantMessages(t, "edge")
	e.TellStatus("ann", text("known"), []Key{Watch("ann")}, []Key{User("bob")})
	e.settle()
	bob.wantMessages(t)
}
