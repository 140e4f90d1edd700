package room

import (
	"fmt"
	"slices"
	"testing"
)

// attachInbox connects a device, and has what done is told written to it.
func (w *logWorld) attachInbox(user, name string) (*device, *admitted) {
	w.t.Helper()
	d, a := newDevice(user), &admitted{}
	w.AttachInbox(&d.Member, name, func(at Admission, err error) {
		a.done(at, err)
		_ = d.conn.Send(text("welcome %s/%d unread=%d %t", at.Epoch, at.Offset, at.Unread, at.Recovered))
	})
	w.settle()
	return d, a
}

func (s *fakeStore) ack(device string, offset uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked[device] = offset
}

func TestInbox_EachDeviceGetsWhatItHasNotConfirmed(t *testing.T) {
	w := newLogWorld(t, nil)
	key := User("box1")
	w.publish(key, 4, true)
	w.store.ack("box1/phone", 3)
	phone, _ := w.attachInbox("box1", "phone")
	tablet, _ := w.attachInbox("box1", "tablet")
	w.publish(key, 1, false)
	phone.wantMessages(t, "welcome e1/4 unread=1 true", "e1/4", "e1/5")
	tablet.wantMessages(t, append([]string{"welcome e1/4 unread=4 true"}, span("e1", 1, 5)...)...)
	check(t, w.world)
}

func TestInbox_OfOthersCostsNothing(t *testing.T) {
	w := newLogWorld(t, nil)
	d, a := w.attachInbox("ann", "phone")
	a.want(t, "AttachInbox", nil)
	w.Deliver(User("ann"), text("plain"))
	w.settle()
	d.wantMessages(t, "welcome /0 unread=0 false", "plain")
	if s := w.LogStats(); a.Logged || s.Logs != 0 || s.Reads != 0 {
		t.Errorf("a user without an inbox has %+v, logged=%t; want nothing", s, a.Logged)
	}
}

// What comes while an inbox is being read is heard once, behind what is replayed.
func TestInbox_SeamWhileMessagesKeepArriving(t *testing.T) {
	for name, lost := range map[string]bool{"pushed": false, "lost on the way": true} {
		t.Run(name, func(t *testing.T) {
			w := newLogWorld(t, nil)
			key := User("box1")
			w.publish(key, 2, true)
			first, _ := w.attachInbox("box1", "phone")
			w.store.hold(true)
			second, _ := w.attachInbox("box1", "tablet")
			w.publish(key, 3, lost)
			for w.store.answer(0) {
				w.settle()
			}
			w.store.hold(false)
			w.publish(key, 1, false)
			first.wantMessages(t, append([]string{"welcome e1/2 unread=2 true"}, span("e1", 1, 6)...)...)
			got := slices.Concat(second.conn.take()...)
			if len(got) != 7 || !slices.Equal(got[1:], span("e1", 1, 6)) {
				t.Errorf("the second device got %q, want a welcome and e1/1 to e1/6", got)
			}
			check(t, w.world)
		})
	}
}

func TestInbox_IsReadLaterWhenTheStoreIsAway(t *testing.T) {
	w := newLogWorld(t, nil)
	w.publish(User("box1"), 2, true)
	w.store.set(true)
	d, a := w.attachInbox("box1", "phone")
	w.tick(6)
	a.want(t, "AttachInbox", ErrUnconfirmed)
	w.store.set(false)
	w.tick(4)
	d.wantMessages(t, "welcome /0 unread=0 false", "welcome e1/2 unread=2 true", "e1/1", "e1/2")
	check(t, w.world)
}

func TestInbox_GapsAreRepaired(t *testing.T) {
	w := newLogWorld(t, nil)
	d, _ := w.attachInbox("box1", "phone")
	w.publish(User("box1"), 2, true)
	w.publish(User("box1"), 1, false)
	d.wantMessages(t, "welcome e1/0 unread=0 true", "e1/1", "e1/2", "e1/3")
	w.publish(User("box1"), 1, true)
	w.tick(31)
	d.wantMessages(t, "e1/4")
}

func TestInbox_GoneDevicesLeaveNothing(t *testing.T) {
	w := newLogWorld(t, nil)
	for i := range 20 {
		d, _ := w.attachInbox("box1", fmt.Sprint(i))
		w.detach(d)
	}
	w.tick(lingerTicks + 1)
	if s := w.LogStats(); s.Logs != 0 || s.KeptBytes != 0 {
		t.Errorf("%+v, want no logs", s)
	}
	check(t, w.world)
}
