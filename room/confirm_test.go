package room

import (
	"errors"
	"testing"
)

// timeout is how many ticks it takes for a join to be given up: the first comes
// at any time within its second.
const timeout = 6

func TestHub_JoinIsAnsweredWhenTheBusHasConfirmed(t *testing.T) {
	w := newWorld(t, nil)
	a, b, c := w.attach(w.userIn(0, 0)), w.attach(w.userIn(0, 1)), w.attach(w.userIn(1, 2))
	w.bus.hold(true)
	var first, again, same, other answer
	w.Join(&a.Member, Room("r"), false, first.done)
	w.Join(&a.Member, Room("r"), false, again.done)
	w.Join(&b.Member, Room("r"), false, same.done)  // in the same shard
	w.Join(&c.Member, Room("r"), false, other.done) // in another
	w.settle()
	for _, a := range []*answer{&first, &again, &same, &other} {
		a.pending(t, "Join")
	}
	check(t, w)

	w.bus.confirm(Room("r"))
	w.settle()
	for _, a := range []*answer{&first, &again, &same, &other} {
		a.want(t, "Join", nil)
	}
	w.enter(b, Room("r")) // and from now on at once
	check(t, w)
	w.tick(timeout)
	first.want(t, "Join", nil)
}

func TestHub_MembersOfAnUnconfirmedRoomGetItsMessages(t *testing.T) {
	w := newWorld(t, nil)
	w.bus.hold(true)
	d := newDevice("ann")
	ignore := func(error) {}
	w.Attach(&d.Member, ignore)
	w.Join(&d.Member, Room("r"), false, ignore)
	w.settle()
	w.Deliver(Room("r"), text("early"))
	w.Deliver(User("ann"), text("early too"))
	w.settle()
	d.wantMessages(t, "early", "early too")
}

func TestHub_UnconfirmedJoinIsGivenUp(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.attach(w.userIn(0, 0)), w.attach(w.userIn(0, 1))
	w.bus.hold(true)
	var first, again, later answer
	w.Join(&a.Member, Room("r"), false, first.done)
	w.tick(timeout - 2)
	w.Join(&a.Member, Room("r"), false, again.done)
	w.Join(&b.Member, Room("r"), false, later.done)
	w.tick(1)
	first.pending(t, "Join before the timeout")
	w.tick(1)
	first.want(t, "Join", ErrUnconfirmed)
	again.want(t, "Join that was repeated", ErrUnconfirmed) // it is out now
	later.pending(t, "later Join of another")
	w.Deliver(Room("r"), text("x"))
	w.settle()
	a.wantWrites(t)
	b.wantWrites(t, "x")
	check(t, w)

	w.bus.confirm(Room("r"))
	w.settle()
	later.want(t, "later Join of another", nil)
	w.enter(a, Room("r"))
	check(t, w)
}

func TestHub_UnconfirmedRoomOfOneIsLeft(t *testing.T) {
	w := newWorld(t, nil)
	d := w.attach("ann")
	w.bus.hold(true)
	w.bus.takeLog()
	var join answer
	w.Join(&d.Member, Room("r"), false, join.done)
	w.tick(timeout)
	join.want(t, "Join", ErrUnconfirmed)
	if got := w.bus.takeLog(); len(got) != 2 || got[1] != "-room:r" {
		t.Errorf("the bus was asked %q, want to subscribe and unsubscribe", got)
	}
	check(t, w)
}

func TestHub_UnconfirmedUserStaysAttached(t *testing.T) {
	w := newWorld(t, nil)
	w.bus.hold(true)
	d := newDevice("ann")
	var attach answer
	w.Attach(&d.Member, attach.done)
	w.tick(timeout)
	attach.want(t, "Attach", ErrUnconfirmed)
	w.Deliver(User("ann"), text("x"))
	w.settle()
	d.wantWrites(t, "x")
	check(t, w)

	w.bus.confirm(User("ann"))
	w.settle()
	attach.want(t, "Attach", ErrUnconfirmed)
	w.attach("ann")
	check(t, w)
}

func TestHub_WhoLeavesWhileWaitingIsToldAtOnce(t *testing.T) {
	for name, alone := range map[string]bool{"alone in the room": true, "with another waiting": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			leaver, quitter := w.attach(w.userIn(0, 0)), w.attach(w.userIn(0, 1))
			w.bus.hold(true)
			var left, quit, stays answer
			if !alone {
				w.Join(&w.attachHeld(0, 2).Member, Room("r"), false, stays.done)
			}
			var order []string
			w.Join(&leaver.Member, Room("r"), false, func(err error) { order = append(order, "join"); left.done(err) })
			w.Join(&quitter.Member, Room("r"), false, quit.done)
			w.Leave(&leaver.Member, Room("r"), func(error) { order = append(order, "leave") })
			w.Detach(&quitter.Member)
			w.settle()
			left.want(t, "Join of who has left", ErrGone)
			quit.want(t, "Join of who has detached", ErrGone)
			if len(order) != 2 || order[0] != "join" {
				t.Errorf("answers came as %q, want join before leave", order)
			}
			check(t, w)
			w.bus.confirm(Room("r"))
			w.tick(timeout)
			left.want(t, "Join of who has left", ErrGone)
			if !alone {
				stays.want(t, "Join of who has stayed", nil)
			}
			check(t, w)
		})
	}
}

// attachHeld attaches while the bus confirms nothing.
func (w *world) attachHeld(shard, n int) *device {
	d := newDevice(w.userIn(shard, n))
	w.Attach(&d.Member, func(error) {})
	w.settle()
	return d
}

// Who leaves and comes back waits for as long as anybody who has just come.
func TestHub_RejoinWaitsForItself(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.attach(w.userIn(0, 0)), w.attach(w.userIn(0, 1))
	w.bus.hold(true)
	var other, first, second answer
	w.Join(&b.Member, Room("r"), false, other.done)
	w.Join(&a.Member, Room("r"), false, first.done)
	w.tick(timeout - 1)
	w.exit(a, Room("r"))
	w.Join(&a.Member, Room("r"), false, second.done)
	w.tick(1)
	first.want(t, "first Join", ErrGone)
	other.want(t, "Join of another", ErrUnconfirmed)
	second.pending(t, "second Join")
	w.bus.confirm(Room("r"))
	w.settle()
	second.want(t, "second Join", nil)
	check(t, w)
}

// A confirmation that was on its way when the last member left says nothing
// about the subscription that the next member asks for.
func TestHub_LateConfirmationIsNotForTheNextSubscription(t *testing.T) {
	w := newWorld(t, nil)
	d := w.attach("ann")
	w.bus.hold(true)
	var before, after answer
	w.Join(&d.Member, Room("r"), false, before.done)
	w.settle()
	w.bus.confirm(Room("r")) // reaches the inbox ...
	w.shardOf("ann").do(&op{kind: opLeave, member: &d.Member, key: Room("r"), done: func(error) {}})
	w.shardOf("ann").do(&op{kind: opJoin, member: &d.Member, key: Room("r"), done: after.done})
	w.settle() // ... and is read here
	if !errors.Is(before.err, ErrGone) {
		t.Errorf("first Join = %v, want ErrGone", before.err)
	}
	after.pending(t, "Join of the next subscription")
	check(t, w)
	w.bus.confirm(Room("r"))
	w.settle()
	after.want(t, "Join of the next subscription", nil)
	check(t, w)
}
