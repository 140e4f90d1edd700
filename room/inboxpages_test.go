package room

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// newPagedWorld is a world whose inboxes are sent in pages of two messages.
func newPagedWorld(t *testing.T) *logWorld {
	return newLogWorld(t, func(c *Config) { c.History.ReplayBytes = 2 * text("e1/1").Len() })
}

// attachBehind connects a device that does not read until catchUp.
func (w *logWorld) attachBehind(user, name string) *device {
	w.t.Helper()
	d := newDevice(user)
	d.conn.fallBehind(true)
	w.AttachInbox(&d.Member, name, func(at Admission, err error) {
		_ = d.conn.Send(text("welcome %s/%d unread=%d %t", at.Epoch, at.Offset, at.Unread, at.Recovered))
	})
	w.settle()
	return d
}

// catchUp has d read what waits for it, once.
func (w *logWorld) catchUp(d *device) {
	w.CaughtUp(&d.Member)
	w.settle()
}

func TestInbox_PagesFollowWhatWasRead(t *testing.T) {
	w := newPagedWorld(t)
	key := User("box1")
	w.publish(key, 5, true)
	w.store.ack("box1/tablet", 4)
	phone, tablet := w.attachBehind("box1", "phone"), w.attachBehind("box1", "tablet")
	tablet.wantMessages(t, "welcome e1/5 unread=1 true", "e1/5")
	phone.wantMessages(t, "welcome e1/5 unread=5 true", "e1/1", "e1/2")
	w.publish(key, 1, false)
	tablet.wantMessages(t, "e1/6")
	phone.wantMessages(t)
	w.catchUp(phone)
	phone.wantMessages(t, "e1/3", "e1/4")
	w.catchUp(phone)
	phone.wantMessages(t, "e1/5", "e1/6")
	w.publish(key, 1, false)
	phone.wantMessages(t, "e1/7")
	w.catchUp(phone) // late, and nothing to anybody
	w.publish(key, 1, true)
	w.publish(key, 1, false)
	phone.wantMessages(t, "e1/8", "e1/9")
	check(t, w.world)
}

func TestInbox_WhoReadsAtOnceGetsAllAtOnce(t *testing.T) {
	w := newPagedWorld(t)
	w.publish(User("box1"), 99, true)
	d, _ := w.attachInbox("box1", "phone")
	d.wantMessages(t, append([]string{"welcome e1/99 unread=99 true"}, span("e1", 1, 99)...)...)
	check(t, w.world)
}

// A page that ends where the store did is followed by what came meanwhile, from
// memory.
func TestInbox_LastPageNeedsNoRead(t *testing.T) {
	w := newPagedWorld(t)
	w.publish(User("box1"), 2, true)
	w.store.hold(true)
	d := w.attachBehind("box1", "phone")
	w.publish(User("box1"), 1, true) // behind what is being read
	w.store.answer(0)
	w.settle()
	w.store.hold(false)
	for w.store.answer(0) {
		w.settle()
	}
	w.publish(User("box1"), 1, false)
	w.store.takeReads()
	got := slices.Concat(d.conn.take()...)
	w.catchUp(d)
	got = append(got, slices.Concat(d.conn.take()...)...)
	if len(got) != 5 || !slices.Equal(got[1:], span("e1", 1, 4)) || w.store.takeReads() > 1 {
		t.Errorf("got %q, want a welcome and e1/1 to e1/4", got)
	}
	check(t, w.world)
}

func TestInbox_WhatHasLeftItIsTold(t *testing.T) {
	w := newPagedWorld(t)
	w.store.size = 4
	w.store.ack("box1/phone", 2)
	w.store.ack("box1/tablet", 3)
	w.publish(User("box1"), 7, true) // 4 to 7 are kept
	tablet := w.attachBehind("box1", "tablet")
	tablet.wantMessages(t, "welcome e1/7 unread=4 true", "e1/4", "e1/5")
	phone := w.attachBehind("box1", "phone")
	phone.wantMessages(t, "welcome e1/7 unread=4 false", "e1/4", "e1/5")
	w.publish(User("box1"), 3, true) // 7 to 10 are kept
	w.catchUp(phone)
	phone.wantMessages(t, "renewed e1/6", "e1/7")
	w.catchUp(phone)
	phone.wantMessages(t, "e1/8", "e1/9")
}

func TestInbox_AllHasLeftIt(t *testing.T) {
	w := newPagedWorld(t)
	w.publish(User("box1"), 4, true)
	d := w.attachBehind("box1", "phone")
	w.publish(User("box1"), 1, true)
	w.store.forgetOldest(User("box1"), 5)
	d.wantMessages(t, "welcome e1/4 unread=4 true", "e1/1", "e1/2")
	w.catchUp(d)
	d.wantMessages(t, "renewed e1/5")
	w.publish(User("box1"), 1, false)
	d.wantMessages(t, "e1/6")
	late := w.attachBehind("box1", "tablet")
	w.store.forgetOldest(User("box1"), 1)
	later := w.attachBehind("box1", "laptop")
	late.wantMessages(t, "welcome e1/6 unread=1 false", "e1/6")
	later.wantMessages(t, "welcome e1/6 unread=0 false")
	check(t, w.world)
}

// forgetOldest has the oldest n messages leave a log.
func (s *fakeStore) forgetOldest(key Key, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.log(key)
	l.entries, l.first = l.entries[n:], l.first+uint64(n)
}

func TestInbox_RenewedBetweenPages(t *testing.T) {
	w := newPagedWorld(t)
	key := User("box1")
	w.publish(key, 5, true)
	d := w.attachBehind("box1", "phone")
	d.wantMessages(t, "welcome e1/5 unread=5 true", "e1/1", "e1/2")
	w.store.renew(key, "e2")
	w.publish(key, 2, false)
	w.catchUp(d)
	d.wantMessages(t, "renewed e2/0", "e2/1")
	w.catchUp(d)
	d.wantMessages(t, "e2/2")
	w.publish(key, 1, false)
	d.wantMessages(t, "e2/3")
	check(t, w.world)
}

// Who reads nothing does not stay for ever in front of an inbox that grows: the
// pages go on, and the connection says that it is too much.
func TestInbox_PagesGoOnWhenMuchHasCome(t *testing.T) {
	w := newPagedWorld(t)
	key := User("box1")
	w.publish(key, 5, true)
	d := w.attachBehind("box1", "phone")
	w.publish(key, 2, false)
	d.wantMessages(t, "welcome e1/5 unread=5 true", "e1/1", "e1/2")
	w.publish(key, 1, false)
	d.wantMessages(t, "e1/3", "e1/4")
	d.conn.fail(errors.New("too slow"))
	w.publish(key, 3, false)
	w.detach(d)
	again := w.attachBehind("box1", "phone")
	again.wantMessages(t, "welcome e1/11 unread=11 true", "e1/1", "e1/2")
}

func TestInbox_AcksWaitForWhatIsToCome(t *testing.T) {
	w := newPagedWorld(t)
	w.publish(User("box1"), 5, true)
	d := w.attachBehind("box1", "phone")
	var done []uint64
	confirm := func(offset uint64) bool {
		return w.WhenSent(&d.Member, offset, func() { done = append(done, offset) })
	}
	want := func(when string, offsets ...uint64) {
		t.Helper()
		if !slices.Equal(done, offsets) {
			t.Errorf("%s: %v are done, want %v", when, done, offsets)
		}
	}
	for _, offset := range []uint64{2, 5, 3, 99} {
		if !confirm(offset) {
			t.Errorf("WhenSent(%d) = false", offset)
		}
	}
	want("with the first page", 2)
	w.catchUp(d)
	want("with the second page", 2, 3)
	for i := range maxWaits {
		if got, want := confirm(5), i < maxWaits-2; got != want {
			t.Errorf("WhenSent for the %d. time = %t, want %t", i+3, got, want)
		}
	}
	done = done[:0]
	w.catchUp(d)
	want("at the end", append([]uint64{5, 99}, slices.Repeat([]uint64{5}, maxWaits-2)...)...)
	if done = nil; !confirm(1000) {
		t.Error("WhenSent = false when all was sent")
	}
	want("afterwards", 1000)
}

func TestInbox_GoneBetweenPages(t *testing.T) {
	w := newPagedWorld(t)
	w.publish(User("box1"), 9, true)
	for i := range 5 {
		d := w.attachBehind("box1", fmt.Sprint(i))
		w.detach(d)
		d.wantMessages(t, "welcome e1/9 unread=9 true", "e1/1", "e1/2")
		w.catchUp(d)
		d.wantMessages(t)
	}
	w.tick(lingerTicks + 1)
	if s := w.LogStats(); s.Logs != 0 || s.KeptBytes != 0 {
		t.Errorf("%+v, want no logs", s)
	}
	check(t, w.world)
}
