package room

import (
	"fmt"
	"testing"
	"time"
)

// graceTicks is how many ticks it takes for the grace to be over: the first
// comes at any time within its second.
const graceTicks = 11

// watcher attaches a device that watches users.
func (w *world) watcher(user string, watched ...string) *device {
	w.t.Helper()
	d := w.attach(user)
	for _, u := range watched {
		w.enter(d, Watch(u))
	}
	return d
}

func TestStatus_OnlyTheEdgesAreTold(t *testing.T) {
	w := newWorld(t, nil)
	bob := w.watcher("bob", "ann")
	phone := w.attach("ann")
	bob.wantMessages(t, "ann(ANN) online")
	laptop := w.attach("ann")
	w.detach(phone)
	w.tick(graceTicks)
	bob.wantMessages(t)
	w.detach(laptop)
	w.tick(graceTicks - 1)
	bob.wantMessages(t)
	w.tick(1)
	bob.wantMessages(t, "ann(ANN) offline")
	w.tick(graceTicks)
	bob.wantMessages(t)
	check(t, w)
}

func TestStatus_OnlyWatchersAndThoseWhoShareAPresenceRoomAreTold(t *testing.T) {
	w := newWorld(t, nil)
	watcher, sharer := w.watcher("watcher", "ann"), w.attach("sharer")
	w.show(sharer, Room("open"))
	quiet, other, stranger := w.attach("quiet"), w.attach("other"), w.watcher("stranger", "someone")
	w.enter(quiet, Room("quiet"))
	w.show(other, Room("other"))
	ann := w.attach("ann")
	w.enter(ann, Room("quiet"))
	w.show(ann, Room("open"))
	w.detach(ann)
	w.tick(graceTicks)
	watcher.wantMessages(t, "ann(ANN) online", "ann(ANN) offline")
	sharer.wantMessages(t, "ann(ANN) online", "ann(ANN) offline")
	for _, d := range []*device{quiet, other, stranger} {
		d.wantMessages(t)
	}
	check(t, w)
}

func TestStatus_EachIsToldOnceAndOwnDevicesNever(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.watcher("ann", "ann")
	bob := w.watcher(w.userIn(1, 0), "ann")
	bob.wantMessages(t) // he has only begun to watch
	rooms := []Key{Room("1"), Room("2"), Room("3")}
	w.show(bob, rooms...)
	w.show(ann, rooms...)
	ann.wantMessages(t)
	bob.wantMessages(t) // he watches her, so he knew
	second := w.watcher("ann", "ann")
	w.show(second, rooms...)
	w.detach(ann)
	w.detach(second)
	w.tick(graceTicks)
	bob.wantMessages(t, "ann(ANN) offline")
	ann.wantMessages(t)
	second.wantMessages(t)
	check(t, w)
}

func TestStatus_EnteringARoomTellsThoseWhoDidNotKnow(t *testing.T) {
	w := newWorld(t, nil)
	known, watching, fresh := w.attach("known"), w.watcher("watching", "ann"), w.attach("fresh")
	w.show(known, Room("1"), Room("2"))
	w.show(watching, Room("2"))
	w.show(fresh, Room("2"))
	phone, laptop := w.attach("ann"), w.attach("ann")
	w.show(phone, Room("1"))
	for _, d := range []*device{known, watching, fresh} {
		d.conn.take()
	}
	w.show(laptop, Room("2")) // known shares room 1 with the phone
	known.wantMessages(t)
	watching.wantMessages(t)
	fresh.wantMessages(t, "ann(ANN) online")
	w.show(phone, Room("2")) // the laptop is there
	w.show(phone, Room("2"))
	fresh.wantMessages(t)
	check(t, w)
}

func TestStatus_ReturnWithinTheGraceIsNotSeen(t *testing.T) {
	w := newWorld(t, nil)
	watcher, sharer := w.watcher("watcher", "ann"), w.attach("sharer")
	w.show(sharer, Room("1"), Room("2"))
	ann := w.attach("ann")
	w.show(ann, Room("1"), Room("2"))
	watcher.conn.take()
	sharer.conn.take()

	for range 3 {
		w.tick(graceTicks - 2)
		w.detach(ann)
		w.tick(graceTicks - 1)
		ann = w.attach("ann")
		w.show(ann, Room("1"), Room("2"))
	}
	w.tick(2 * graceTicks)
	watcher.wantMessages(t)
	sharer.wantMessages(t)

	w.detach(ann)
	w.tick(graceTicks)
	watcher.wantMessages(t, "ann(ANN) offline")
	sharer.wantMessages(t, "ann(ANN) offline")
	check(t, w)
}

// Someone who came back and went again before rejoining is still believed to be
// online by the room.
func TestStatus_RoomLeftByALostConnectionIsTold(t *testing.T) {
	w := newWorld(t, nil)
	sharer := w.attach("sharer")
	w.show(sharer, Room("1"))
	ann := w.attach("ann")
	w.show(ann, Room("1"))
	sharer.conn.take()
	w.detach(ann)
	w.tick(graceTicks - 1)
	w.detach(w.attach("ann"))
	w.tick(graceTicks - 1)
	sharer.wantMessages(t)
	w.tick(1)
	sharer.wantMessages(t, "ann(ANN) offline")
	check(t, w)
}

// Leaving a room ends what its members are told, also after a lost connection.
func TestStatus_RoomLeftAfterAReturnIsNotTold(t *testing.T) {
	w := newWorld(t, nil)
	sharer := w.attach("sharer")
	w.show(sharer, Room("1"))
	ann := w.attach("ann")
	w.show(ann, Room("1"))
	sharer.conn.take()
	w.detach(ann)
	ann = w.attach("ann")
	w.show(ann, Room("1"))
	w.exit(ann, Room("1"))
	w.detach(ann)
	w.tick(graceTicks)
	sharer.wantMessages(t)
	check(t, w)
}

// A browser that quits ends the connections of its tabs one by one.
func TestStatus_DevicesThatGoOneByOneAreToldToAllTheirRooms(t *testing.T) {
	w := newWorld(t, nil)
	first, second := w.attach("first"), w.attach("second")
	w.show(first, Room("1"))
	w.show(second, Room("2"))
	tab1, tab2 := w.attach("ann"), w.attach("ann")
	w.show(tab1, Room("1"))
	w.show(tab2, Room("2"))
	first.wantMessages(t, "ann(ANN) online")
	second.wantMessages(t, "ann(ANN) online")
	w.detach(tab1)
	w.tick(1)
	w.detach(tab2)
	w.tick(graceTicks)
	first.wantMessages(t, "ann(ANN) offline")
	second.wantMessages(t, "ann(ANN) offline")
	check(t, w)
}

// One tab that reloads while another stays is not news for the room.
func TestStatus_DeviceThatReturnsToItsRoomIsNotSeen(t *testing.T) {
	w := newWorld(t, nil)
	sharer := w.attach("sharer")
	w.show(sharer, Room("1"), Room("2"))
	tab := w.attach("ann")
	w.attach("ann")
	w.show(tab, Room("1"))
	sharer.wantMessages(t, "ann(ANN) online")
	w.detach(tab)
	tab = w.attach("ann")
	w.show(tab, Room("2"), Room("1")) // sharer shared room 1 with the lost tab
	w.tick(graceTicks)
	sharer.wantMessages(t)
	check(t, w)
}

func TestStatus_WhoHasLeftTheRoomIsNotToldOfIt(t *testing.T) {
	w := newWorld(t, nil)
	sharer := w.attach("sharer")
	w.show(sharer, Room("1"))
	ann := w.attach("ann")
	w.show(ann, Room("1"))
	sharer.conn.take()
	w.exit(ann, Room("1"))
	w.detach(ann)
	w.tick(graceTicks)
	sharer.wantMessages(t)
	check(t, w)
}

func TestStatus_WithoutGraceTheEdgeIsToldAtOnce(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Grace = 0 })
	bob := w.watcher("bob", "ann")
	w.show(bob, Room("1"))
	ann, other := w.attach("ann"), w.attach("ann")
	w.show(ann, Room("1"))
	w.detach(other)
	bob.wantMessages(t, "ann(ANN) online")
	w.detach(ann)
	bob.wantMessages(t, "ann(ANN) offline")
	w.attach("ann")
	bob.wantMessages(t, "ann(ANN) online")
	check(t, w)
}

// Those who watch the same user are not related by that.
func TestStatus_WatchersAreNotToldOfEachOther(t *testing.T) {
	w := newWorld(t, nil)
	bob, carl := w.attach("bob"), w.attach("carl")
	w.show(bob, Watch("ann"))
	w.show(carl, Watch("ann"))
	w.detach(carl)
	w.tick(graceTicks)
	bob.wantMessages(t)
}

// A grace of part of a second lasts at least that long.
func TestStatus_GraceIsNotCutShort(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Grace = time.Second })
	bob := w.watcher("bob", "ann")
	ann := w.attach("ann")
	bob.conn.take()
	w.detach(ann)
	w.tick(1) // comes at any time within a second
	bob.wantMessages(t)
	w.tick(1)
	bob.wantMessages(t, "ann(ANN) offline")
}

func TestStatus_ChangesThatQueueUpLeaveInOneWrite(t *testing.T) {
	w := newWorld(t, nil)
	bob := w.attach(w.userIn(0, 0))
	w.show(bob, Room("1"))
	w.Deliver(User(bob.UserID()), text("hi"))
	want := "hi|"
	for i := range 2 {
		d := newDevice(w.userIn(1, i))
		w.Attach(&d.Member, func(error) {})
		w.Join(&d.Member, Room("1"), true, func(error) {})
		want += fmt.Sprintf("%s(%s) online|", d.UserID(), d.UserName())
	}
	w.shards[1].work(w.shards[1].inbox.take(nil)) // while bob's worker is busy
	w.Deliver(User(bob.UserID()), text("there"))
	w.settle()
	bob.wantWrites(t, want+"there")
}

// A watcher that begins to watch within the grace hears of its end.
func TestStatus_WatchingWithinTheGrace(t *testing.T) {
	w := newWorld(t, nil)
	w.detach(w.attach("ann"))
	bob := w.watcher("bob", "ann")
	w.tick(graceTicks)
	bob.wantMessages(t, "ann(ANN) offline")
	w.exit(bob, Watch("ann"))
	w.attach("ann")
	bob.wantMessages(t)
	check(t, w)
}
