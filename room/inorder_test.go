package room

import "testing"

// TestHub_InOrderWaitsForTheJoin: what a member publishes before its room's
// channel is subscribed would not come back to it.
func TestHub_InOrderWaitsForTheJoin(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.attach("ann"), w.attach("bob")
	w.bus.hold(true)
	var join, first, second, other answer
	w.Join(&a.Member, Room("r"), false, join.done)
	w.InOrder(&a.Member, Room("r"), first.done)
	w.InOrder(&a.Member, Room("r"), second.done)
	w.InOrder(&b.Member, Room("r"), other.done)
	w.settle()
	join.pending(t, "Join")
	first.pending(t, "InOrder behind the join")
	second.pending(t, "second InOrder behind the join")
	other.want(t, "InOrder of another", ErrNotMember)

	w.bus.confirm(Room("r"))
	w.settle()
	join.want(t, "Join", nil)
	first.want(t, "InOrder behind the join", nil)
	second.want(t, "second InOrder behind the join", nil)
	var later answer
	w.InOrder(&a.Member, Room("r"), later.done)
	w.settle()
	later.want(t, "InOrder in a confirmed room", nil)
	check(t, w)
}

func TestHub_InOrderIsGivenUpWithTheJoin(t *testing.T) {
	w := newWorld(t, nil)
	d := w.attach("ann")
	w.bus.hold(true)
	var join, behind answer
	w.Join(&d.Member, Room("r"), false, join.done)
	w.InOrder(&d.Member, Room("r"), behind.done)
	w.tick(timeout)
	join.want(t, "Join", ErrUnconfirmed)
	behind.want(t, "InOrder behind the join", ErrUnconfirmed)
	check(t, w)
}

// TestHub_InOrderHoldsThoughTheMemberLeaves: it was a member when it spoke, and
// does not listen any more.
func TestHub_InOrderHoldsThoughTheMemberLeaves(t *testing.T) {
	w := newWorld(t, nil)
	a, b := w.attach("ann"), w.attach("bob")
	w.bus.hold(true)
	var joinA, joinB, left, gone answer
	w.Join(&a.Member, Room("r"), false, joinA.done)
	w.InOrder(&a.Member, Room("r"), left.done)
	w.Leave(&a.Member, Room("r"), func(error) {})
	w.Join(&b.Member, Room("r"), false, joinB.done)
	w.InOrder(&b.Member, Room("r"), gone.done)
	w.Detach(&b.Member)
	w.settle()
	joinA.want(t, "Join before the leave", ErrGone)
	left.want(t, "InOrder before the leave", nil)
	joinB.want(t, "Join before the end", ErrGone)
	gone.want(t, "InOrder before the end", nil)
	check(t, w)
}

func TestHub_InOrderIsBoundedWhileTheBusIsAway(t *testing.T) {
	w := newWorld(t, nil)
	d := w.attach("ann")
	w.bus.hold(true)
	var join, over answer
	w.Join(&d.Member, Room("r"), false, join.done)
	for range maxWaits {
		w.InOrder(&d.Member, Room("r"), func(error) {})
	}
	w.InOrder(&d.Member, Room("r"), over.done)
	w.settle()
	over.want(t, "InOrder beyond the bound", ErrUnconfirmed)
	join.pending(t, "Join")
	check(t, w)
}
