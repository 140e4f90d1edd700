package main

import (
	"fmt"
	"testing"
	"time"
)

func withInbox(c *Config) {
	withHistory(c)
	c.Inbox = HistoryConfig{Size: 100, TTL: time.Hour}
}

// arrive connects a device of a user, which must be told how much it has not
// confirmed.
func (n *testNode) arrive(t *testing.T, user, device string, unread int) *client {
	t.Helper()
	c := n.mustDial(t, "?token="+tokenOf(user)+"&device="+device, nil)
	c.greeted()
	var data struct {
		Unread *int
		Inbox  struct{ Epoch string }
	}
	decode(t, c.welcome.Data, &data)
	if data.Unread == nil || *data.Unread != unread || data.Inbox.Epoch == "" {
		t.Errorf("the welcome of %s says %s, want %d unread and an inbox", device, c.welcome.Data, unread)
	}
	return c
}

// takes fails the test unless the next messages have these offsets.
func (c *client) takes(from, to int) {
	c.t.Helper()
	for want := from; want <= to; want++ {
		f := c.awaitType("user_message")
		var p position
		if decode(c.t, []byte(f.raw), &p); p.Offset != want {
			c.t.Fatalf("%s: got %s, want offset %d", c.user, f.raw, want)
		}
	}
}

func TestServe_InboxWaitsForEachDevice(t *testing.T) {
	t.Parallel()
	s := startSystem(t, withInbox)
	ann := s.a.connect(t, "ann")
	tell := func(i int) {
		ann.request(fmt.Sprintf(`{"type":"user_message","id":"ID","to":"bob","content":{"n":%d}}`, i))
	}
	for i := range 3 {
		tell(i)
	}
	phone := s.b.arrive(t, "bob", "phone", 3)
	phone.takes(1, 3)
	phone.request(`{"type":"ack","id":"ID","content":{"offset":2}}`)
	phone.leave()
	tell(3)
	laptop := s.a.arrive(t, "bob", "laptop", 4)
	laptop.takes(1, 4)
	phone = s.a.arrive(t, "bob", "phone", 2)
	phone.takes(3, 4)
	tell(4)
	for _, c := range []*client{phone, laptop} {
		c.takes(5, 5)
		c.nothingMore()
	}
	phone.refused(4003, `{"type":"ack","id":"ID","content":{"id":"nobody's"}}`)
	ann.request(`{"type":"user_message","id":"ID","to":"bob","content":"last","data":{"notification_id":"last"}}`)
	phone.takes(6, 6)
	phone.request(`{"type":"ack","id":"ID","content":{"id":"last"}}`)
	s.b.arrive(t, "bob", "phone", 0).nothingMore()
}

func TestServe_InboxSurvivesRedisRestart(t *testing.T) {
	t.Parallel()
	s := startSystem(t, withInbox)
	ann, bob := s.a.connect(t, "ann"), s.b.arrive(t, "bob", "phone", 0)
	ann.request(`{"type":"user_message","id":"ID","to":"bob","content":"one"}`)
	bob.takes(1, 1)
	s.redis.Kill()
	for _, n := range s.nodes() {
		n.awaitRedis(t, false)
	}
	ann.refused(4101, `{"type":"user_message","id":"ID","to":"bob","content":"refused"}`)
	late := s.a.mustDial(t, "?token="+tokenOf("bob")+"&device=late", nil)
	late.greeted() // without what cannot be read now
	s.redis.Restart()
	for _, n := range s.nodes() {
		n.awaitRedis(t, true)
	}
	joined := late.awaitType("joined")
	var p position
	if decode(t, []byte(joined.raw), &p); joined.Room != "" || p.Epoch == "" {
		t.Errorf("got %s, want where the inbox is", joined.raw)
	}
	ann.request(`{"type":"user_message","id":"ID","to":"bob","content":"two"}`)
	bob.awaitText("two")
	late.awaitText("two")
}

func TestServe_DeviceNamesAreChecked(t *testing.T) {
	t.Parallel()
	s := startSystem(t, withInbox)
	for _, name := range []string{"", "a%20b", "%c3%a4", "0123456789012345678901234567890123456789012345678901234567890123456789"} {
		c := s.a.mustDial(t, "?token="+tokenOf("ann")+"&device="+name, nil)
		c.closed(4005)
		if got := s.a.get(t, "/ws?token="+tokenOf("ann")+"&device="+name); got.status != 400 {
			t.Errorf("a plain request for device %q is answered with %d, want 400", name, got.status)
		}
	}
}
