package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ginforge/gateway/pubsub/stream"
)

// withBigInbox has inboxes of many megabytes, which nobody is too slow or too fast
// for.
func withBigInbox(c *Config) {
	withInbox(c)
	c.Inbox.Size = 1000
}

// letterBytes is the size of the messages that fill an inbox.
const letterBytes = 50_000

// bobsInbox is what the keys of bob's inbox begin with.
var bobsInbox = stream.Channel("websocket:", stream.Key{Kind: stream.User, Name: "bob"})

// letters publishes messages of 50 KB to bob, as a backend does, and waits until
// all that bob was ever sent is in the inbox.
func (s *system) letters(t *testing.T, n, inAll int) {
	t.Helper()
	rdb := s.backend(t)
	text := strings.Repeat("x", letterBytes)
	publishAll(t, rdb, "websocket:user:bob", n, func(int) string {
		return `{"type":"user_message","content":"` + text + `"}`
	})
	eventually(t, func() error {
		last, err := rdb.HGet(t.Context(), bobsInbox+":meta", "o").Result()
		if err != nil {
			return fmt.Errorf("HGET: %w", err)
		}
		if last != fmt.Sprint(inAll) {
			return fmt.Errorf("%s messages are in the inbox, want %d", last, inAll)
		}
		return nil
	})
}

// A backlog of 6 MB is far more than one replay may have. Every device gets all of
// it, each from where it is, and what comes meanwhile behind it.
func TestServe_BigInboxIsDeliveredWhole(t *testing.T) {
	t.Parallel()
	const before, meanwhile = 120, 30
	s := startSystem(t, withBigInbox)
	s.letters(t, before, before)
	tablet := s.a.arrive(t, "bob", "tablet", before)
	tablet.takes(1, 70)
	tablet.request(`{"type":"ack","id":"ID","content":{"offset":70}}`)
	tablet.leave() // with the rest under way

	slow := s.a.arrive(t, "bob", "phone", before) // its sockets do not hold all of it
	slow.takes(1, 10)
	tablet = s.a.arrive(t, "bob", "tablet", before-70)
	tablet.takes(71, 71)
	other := s.b.arrive(t, "bob", "laptop", before)
	s.letters(t, meanwhile, before+meanwhile)
	if waits := s.a.metric(t, "gateway_queue_bytes"); waits > 3<<20 {
		t.Errorf("%.0f bytes wait for two devices, want no more than they may", waits)
	}
	tablet.takes(72, before+meanwhile)
	other.takes(1, before+meanwhile)
	slow.takes(11, before+meanwhile)
	s.letters(t, 1, before+meanwhile+1)
	for _, c := range []*client{slow, tablet, other} {
		c.takes(before+meanwhile+1, before+meanwhile+1)
		c.nothingMore()
		c.request(fmt.Sprintf(`{"type":"ack","id":"ID","content":{"offset":%d}}`, before+meanwhile+1))
	}
	for _, device := range []string{"phone", "tablet", "laptop"} {
		s.b.arrive(t, "bob", device, 0).nothingMore()
	}
}

// A device that confirms more than it was sent has that counted when it was sent
// so much, and no sooner: what it has not got comes again.
func TestServe_AckAheadOfABigInboxLosesNothing(t *testing.T) {
	t.Parallel()
	const all = 120
	s := startSystem(t, withBigInbox)
	s.letters(t, all, all)
	c := s.a.mustDial(t, "?token="+tokenOf("bob")+"&device=phone", narrow())
	c.greeted()
	c.takes(1, 1)
	c.send(fmt.Sprintf(`{"type":"ack","content":{"offset":%d}}`, all))
	s.a.awaitMetric(t, `gateway_frames_in_total{type="ack"}`, 1)
	_ = c.conn.CloseNow()
	s.a.awaitMetric(t, "gateway_connections", 0)
	back := s.a.arrive(t, "bob", "phone", all)
	back.send(fmt.Sprintf(`{"type":"ack","id":"early","content":{"offset":%d}}`, all))
	back.takes(1, all)
	back.awaitText(`"id":"early"`)
	s.b.arrive(t, "bob", "phone", 0).nothingMore()
}

// A device that reads nothing is closed as anybody who is too slow, when more has
// come than may wait for it, and gets everything when it comes back.
func TestServe_InboxOfOneWhoDoesNotRead(t *testing.T) {
	t.Parallel()
	const before = 40
	s := startSystem(t, func(c *Config) {
		withBigInbox(c)
		c.Engine.CloseTimeout = patience // for what is queued before the close frame to be read
	})
	s.letters(t, before, before)
	c := s.a.mustDial(t, "?token="+tokenOf("bob")+"&device=phone", narrow())
	c.greeted()
	reader := s.a.arrive(t, "bob", "tablet", before) // the node has what this one has got
	reader.takes(1, before)
	sent := before
	eventually(t, func() error {
		if s.a.metric(t, `gateway_closes_sent_total{code="4102"}`) != 1 {
			s.letters(t, 5, sent+5)
			reader.takes(sent+1, sent+5)
			sent += 5
			return fmt.Errorf("the client that does not read is not closed with %d sent", sent)
		}
		return nil
	})
	if sent > 400 {
		t.Errorf("it was closed after %d messages of %d bytes, want far fewer", sent, letterBytes)
	}
	c.closed(4102)
	for i, f := range c.pending {
		var p position
		if decode(t, []byte(f.raw), &p); f.Type != "user_message" || p.Offset != i+1 {
			t.Fatalf("before the close came %.100s, want offset %d", f.raw, i+1)
		}
	}
	got := len(c.pending)
	back := s.a.arrive(t, "bob", "phone", sent)
	back.takes(1, sent)
	back.request(fmt.Sprintf(`{"type":"ack","id":"ID","content":{"offset":%d}}`, sent))
	back.nothingMore()
	t.Logf("closed with %d sent, %d of them read", sent, got)
}

// What has left an inbox before a device could have it is gone, and the device is
// told: with its welcome, or where it misses it.
func TestServe_InboxSaysWhatHasLeftIt(t *testing.T) {
	t.Parallel()
	const all, left = 120, 110
	s := startSystem(t, withBigInbox)
	s.letters(t, all, all)
	phone := s.a.mustDial(t, "?token="+tokenOf("bob")+"&device=phone", narrow())
	phone.greeted()
	if got := string(phone.welcome.Data); !strings.Contains(got, `"unread":120`) || !strings.Contains(got, `"recovered":true`) {
		t.Errorf("the welcome says %s, want everything", got)
	}
	if err := s.backend(t).XTrimMinID(t.Context(), bobsInbox+":entries", fmt.Sprint(left, "-0")).Err(); err != nil {
		t.Fatalf("XTRIM: %v", err)
	}
	tablet := s.b.arrive(t, "bob", "tablet", all-left+1)
	if got := string(tablet.welcome.Data); !strings.Contains(got, `"recovered":false`) {
		t.Errorf("the welcome says %s, want that something is missing", got)
	}
	tablet.takes(left, all)
	tablet.nothingMore()

	at, told := 0, 0
	for at < all {
		var p position
		f := phone.read()
		decode(t, []byte(f.raw), &p)
		switch {
		case f.Type == "joined" && f.Room == "" && !p.Recovered && p.Offset == left-1:
			told++
		case f.Type != "user_message" || p.Offset != at+1:
			t.Fatalf("behind offset %d came %.100s", at, f.raw)
		}
		at = p.Offset
	}
	if told != 1 {
		t.Errorf("the phone was told %d times that messages are lost, want once", told)
	}
	phone.nothingMore()
}
