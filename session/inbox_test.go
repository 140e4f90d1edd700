package session

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

func withInbox(c *Config) { c.Inbox = History{Size: 50, TTL: time.Hour} }

// withSmallPages has inboxes of large messages be sent one by one.
func withSmallPages(c *Config) {
	withInbox(c)
	c.Limits.ReplayBytes = 4 << 10
}

// arrive connects a device of a user.
func (w *world) arrive(t *testing.T, user, device string) *client {
	t.Helper()
	c := w.session(t, auth.Identity{UserID: user})
	w.devices.set(c.number, device)
	c.attach(auth.Identity{UserID: user})
	return c
}

// wantWelcome fails the test unless a welcome tells of this inbox and these frames
// follow it.
func (c *client) wantWelcome(inbox string, frames ...string) {
	c.t.Helper()
	got := c.got()
	if len(got) == 0 || !strings.Contains(got[0], `"type":"welcome"`) || !strings.Contains(got[0], inbox) {
		c.t.Fatalf("got %q, want a welcome with %s", got, inbox)
	}
	if strings.Join(got[1:], "\n") != strings.Join(frames, "\n") {
		c.t.Errorf("behind welcome came\n\t%s\nwant\n\t%s", strings.Join(got[1:], "\n\t"), strings.Join(frames, "\n\t"))
	}
}

func TestInbox_WaitsForTheUserAndIsConfirmed(t *testing.T) {
	inWorld(t, withInbox, func(t *testing.T, w *world) {
		key := room.User("u2")
		sender := w.connect(t, "u1")
		sender.send(`{"type":"user_message","id":"1","to":"u2","content":"a"}`)
		sender.want(`{"type":"ack","id":"1","content":{"offset":1}}`)
		w.publish(key, `{"type":"notification","id":"n7","content":"b","timestamp":5}`)
		n7 := `{"offset":2,"type":"notification","id":"n7","content":"b","timestamp":5,"data":{"notification_id":"n7","read":false}}`

		phone := w.arrive(t, "u2", "phone")
		got := phone.got()
		if len(got) != 3 || !strings.Contains(got[0], `"unread":2,"inbox":{"epoch":"e1","offset":2,"recovered":true}`) || got[2] != n7 {
			t.Fatalf("the phone got %q, want welcome and two messages", got)
		}
		phone.send(`{"type":"ack","id":"2","content":{"offset":1}}`)
		phone.want(`{"type":"ack","id":"2"}`)
		w.arrive(t, "u2", "phone").wantWelcome(`"unread":1,`, n7)

		phone.send(`{"type":"ack","content":{"id":"n7"}}`)
		phone.want()
		w.arrive(t, "u2", "phone").wantWelcome(`"unread":0,`)
		w.publish(key, `{"type":"x","timestamp":5}`)
		phone.want(`{"offset":3,"type":"x","timestamp":5}`)
	})
}

func TestInbox_DevicesWithoutANameShareAPosition(t *testing.T) {
	inWorld(t, withInbox, func(t *testing.T, w *world) {
		w.publish(room.User("u2"), `{"type":"x","timestamp":5}`)
		first := w.arrive(t, "u2", "")
		first.got()
		first.send(`{"type":"ack","content":{"offset":1}}`)
		first.want()
		w.arrive(t, "u2", "").wantWelcome(`"unread":0,`)
		w.arrive(t, "u2", "tablet").wantWelcome(`"unread":1,`, `{"offset":1,"type":"x","timestamp":5}`)
	})
}

// What a device confirms of its inbox counts when it was sent so far.
func TestInbox_IsSentInPartsAndConfirmedNoSooner(t *testing.T) {
	inWorld(t, withSmallPages, func(t *testing.T, w *world) {
		key, payload := room.User("u2"), `"type":"x","content":"`+strings.Repeat("x", 3<<10)+`","timestamp":5}`
		frame := func(offset int) string { return fmt.Sprintf(`{"offset":%d,%s`, offset, payload) }
		for range 3 {
			w.publish(key, "{"+payload)
		}
		phone := w.session(t, auth.Identity{UserID: "u2"})
		w.devices.set(phone.number, "phone")
		phone.conn.behind = true
		phone.attach(auth.Identity{UserID: "u2"})
		phone.wantWelcome(`"unread":3,"inbox":{"epoch":"e1","offset":3,"recovered":true}`, frame(1))
		phone.send(`{"type":"ack","id":"1","content":{"offset":3}}`, `{"type":"ack","id":"2","content":{"offset":1}}`)
		phone.want(`{"type":"ack","id":"2"}`)
		w.arrive(t, "u2", "phone").wantWelcome(`"unread":2,`, frame(2), frame(3))
		phone.OnCaughtUp()
		phone.want(frame(2))
		phone.OnCaughtUp()
		phone.want(frame(3), `{"type":"ack","id":"1"}`)
		w.arrive(t, "u2", "phone").wantWelcome(`"unread":0,`)
	})
}

func TestInbox_TooManyAcksAheadAreRefused(t *testing.T) {
	inWorld(t, withSmallPages, func(t *testing.T, w *world) {
		for range 2 {
			w.publish(room.User("u2"), `{"type":"x","content":"`+strings.Repeat("x", 3<<10)+`"}`)
		}
		c := w.session(t, auth.Identity{UserID: "u2"})
		c.conn.behind = true
		c.attach(auth.Identity{UserID: "u2"})
		c.got()
		for range 16 {
			c.send(`{"type":"ack","id":"1","content":{"offset":2}}`)
		}
		c.want()
		c.send(`{"type":"ack","id":"2","content":{"offset":2}}`)
		c.want(refused("2", 4101, "the message could not be sent: try again"))
	})
}

func TestInbox_AcksThatMeanNothingAreRefused(t *testing.T) {
	inWorld(t, withInbox, func(t *testing.T, w *world) {
		c := w.arrive(t, "u1", "")
		c.got()
		for content, want := range map[string]string{
			`{}`:                    refused("1", 4005, "content must name either an offset or an id"),
			`{"offset":1,"id":"x"}`: refused("1", 4005, "content must name either an offset or an id"),
			`{"offset":"x"}`:        refused("1", 4005, "content.offset must be a whole number from 0 to 2^53 - 1"),
			`{"id":"nobody's"}`:     refused("1", 4003, "no message with this id is in the inbox"),
		} {
			c.send(`{"type":"ack","id":"1","content":` + content + `}`)
			c.want(want)
		}
		w.bus.set(true, false)
		c.send(`{"type":"ack","id":"1","content":{"offset":1}}`)
		c.want(refused("1", 4101, "the message could not be sent: try again"))
	})
}

func TestInbox_AckIsUnknownWithoutOne(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		c.send(`{"type":"ack","id":"1","content":{"offset":1}}`)
		c.want(refused("1", 4005, "this type is not supported by this gateway"))
	})
}

// A client is not kept waiting for an inbox that cannot be read, and is told when
// it can.
func TestInbox_OpensLaterWhenRedisIsAway(t *testing.T) {
	inWorld(t, withInbox, func(t *testing.T, w *world) {
		w.publish(room.User("u1"), `{"type":"x","timestamp":5}`)
		w.bus.set(true, false)
		w.bus.confirmAnyway = true
		c := w.arrive(t, "u1", "")
		c.want()
		time.Sleep(7 * time.Second)
		c.wantWelcome(`"protocol":1}`)
		w.bus.set(false, false)
		time.Sleep(5 * time.Second)
		c.want(`{"type":"joined","epoch":"e1","offset":1,"recovered":true,"data":{"unread":1}}`, `{"offset":1,"type":"x","timestamp":5}`)
	})
}

func TestDevices_AreForgotten(t *testing.T) {
	inWorld(t, withInbox, func(t *testing.T, w *world) {
		c := w.arrive(t, "u1", "phone")
		c.got()
		c.OnClose(engine.CloseNormal)
		if n := len(w.devices.names); n != 0 {
			t.Errorf("%d devices are remembered, want none", n)
		}
	})
}

func TestDeviceOf(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"": "", "token=a.b.c": "", "token=a%2Eb": "", "device=phone": "phone", "token=x&device=a.B-_9": "a.B-_9", "%64evice=phone": "phone", "devices=phone": "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/ws?"+query, nil)
		if got, ok := deviceOf(r); !ok || got != want {
			t.Errorf("the device of %q is %q, %v, want %q", query, got, ok, want)
		}
	}
	for _, query := range []string{"device=", "device", "device=a%20b", "device=" + strings.Repeat("x", maxDeviceBytes+1), "%64evice=%C3%A9"} {
		r := httptest.NewRequest(http.MethodGet, "/ws?"+query, nil)
		if got, ok := deviceOf(r); ok {
			t.Errorf("%q is a device, %q, want none", query, got)
		}
	}
}
