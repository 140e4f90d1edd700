package session

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

const logRoom = "log:1"

func roomText(offset, text string) string {
	return `{"offset":` + offset + `,"type":"room_message","room":"log:1","from":"backend","content":"` + text + `","timestamp":5}`
}

// backendText is what a backend publishes to logRoom.
func backendText(text string) string {
	return `{"type":"room_message","room":"log:1","from":"backend","content":"` + text + `","timestamp":5}`
}

func TestHistory_JoinedTellsThePositionAndSinceIsReplayed(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		key := room.Room(logRoom)
		for _, text := range []string{"a", "b", "c"} {
			w.publish(key, backendText(text))
		}
		c := w.connect(t, "u1")
		c.send(`{"type":"join_room","id":"1","content":{"room":"log:1"}}`)
		c.want(`{"type":"joined","id":"1","room":"log:1","epoch":"e1","offset":3,"recovered":false}`, `{"type":"ack","id":"1"}`)
		d := w.connect(t, "u2")
		d.send(`{"type":"join_room","content":{"room":"log:1","since":{"epoch":"e1","offset":1}}}`)
		d.want(`{"type":"joined","room":"log:1","epoch":"e1","offset":3,"recovered":true}`, roomText("2", "b"), roomText("3", "c"))
		w.publish(key, backendText("d"))
		d.want(roomText("4", "d"))
		c.want(roomText("4", "d"))
	})
}

func TestHistory_SinceIsChecked(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		for since, problem := range map[string]string{
			`5`:                          "content.since must be an object",
			`{"epoch":1}`:                "content.since.epoch must be a string",
			`{"epoch":"e","offset":-1}`:  "content.since.offset must be a whole number from 0 to 2^53 - 1",
			`{"epoch":"e","offset":1e3}`: "content.since.offset must be a whole number from 0 to 2^53 - 1",
			`{"epoch":"e","offset":"x"}`: "content.since.offset must be a whole number from 0 to 2^53 - 1",
			`{"epoch":"e","offset":1.5}`: "content.since.offset must be a whole number from 0 to 2^53 - 1",
			`{"epoch":"e","offset":` + strings.Repeat("9", 30) + `}`: "content.since.offset must be a whole number from 0 to 2^53 - 1",
		} {
			c.send(`{"type":"join_room","id":"1","content":{"room":"log:1","since":` + since + `}}`)
			c.want(refused("1", 4005, problem))
		}
		// Rooms without history have nothing to replay.
		c.send(`{"type":"join_room","content":{"room":"plain","since":5}}`)
		c.want(`{"type":"joined","room":"plain"}`)
	})
}

func TestHistory_MessagesAreAppendedOnce(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1", logRoom)
		frame := `{"type":"room_message","id":"m1","room":"log:1","content":"hi","offset":99,"epoch":"x"}`
		c.send(frame)
		c.want(`{"type":"ack","id":"m1","content":{"offset":1}}`)
		c.send(frame)
		c.want(`{"type":"ack","id":"m1","content":{"offset":1,"duplicate":true}}`)
		c.send(`{"type":"room_message","id":"m1","room":"log:1","content":"something else"}`)
		c.want(`{"type":"ack","id":"m1","content":{"offset":2}}`)
		other := w.connect(t, "u2", logRoom)
		other.send(frame)
		other.want(`{"type":"ack","id":"m1","content":{"offset":3}}`)
		l := w.bus.logs[room.Room(logRoom)]
		if p := l.entries[0].Payload; strings.Contains(p, "99") || !strings.Contains(p, `"from":"u1"`) {
			t.Errorf("appended %s, want the gateway's own members and no offset", p)
		}
		if m := l.messages[0]; m.Size != 100 || m.TTL != time.Hour {
			t.Errorf("appended with %+v, want the namespace's rules", m.History)
		}
		w.wantPublished(t) // nothing the usual way
	})
}

func TestHistory_SenderIsToldWhenRedisIsAway(t *testing.T) {
	for name, c := range map[string]struct{ away, failing bool }{"at once": {away: true}, "later": {failing: true}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				s := w.connect(t, "u1", logRoom)
				w.bus.set(c.away, c.failing)
				s.send(`{"type":"room_message","id":"1","room":"log:1","content":"hi"}`)
				s.want(refused("1", 4101, "the message could not be sent: try again"))
			})
		})
	}
}

func TestHistory_FramesSayWhatPayloadsDoNot(t *testing.T) {
	w := newWorld(t, nil)
	for name, c := range map[string]struct {
		key           room.Key
		payload, want string
	}{
		"complete": {room.Room("log:1"), backendText("a"), roomText("7", "a")},
		"position of its own": {
			room.Room("log:1"),
			`{"type":"x","room":"log:1","offset":1,"timestamp":5,"ep\u006fch":"e"}`, `{"offset":7,"type":"x","room":"log:1","timestamp":5}`,
		},
		"another room":     {room.Room("log:1"), `{"type":"x","room":"b","timestamp":5}`, `{"offset":7,"room":"log:1","type":"x","timestamp":5}`},
		"room in an inbox": {room.User("u1"), `{"type":"x","room":"b","timestamp":5}`, `{"offset":7,"type":"x","timestamp":5}`},
		"unreadable":       {room.Room("log:1"), `{`, `{"type":"unreadable","room":"log:1","offset":7}`},
		"unreadable, user": {room.User("u1"), `[]`, `{"type":"unreadable","offset":7}`},
		"notification": {
			room.User("u1"), `{"type":"notification","id":"n1","timestamp":5}`,
			`{"offset":7,"type":"notification","id":"n1","timestamp":5,"data":{"notification_id":"n1","read":false}}`,
		},
	} {
		for p := range w.LogFrame(c.key, 7, c.payload).Payloads() {
			if string(p) != c.want {
				t.Errorf("%s: frame %s, want %s", name, p, c.want)
			}
		}
	}
}

func TestHistory_ForLogMakesPayloadsWhole(t *testing.T) {
	w := newWorld(t, nil)
	kept, id, err := w.ForLog(ToUserNotification, "u1", []byte(`{"message":{"type":"x","id":"n1","timestamp":5}}`), time.Now())
	want := `{"type":"notification","id":"n1","timestamp":5,"data":{"notification_id":"n1","read":false}}`
	if err != nil || id != "n1" || string(kept) != want {
		t.Errorf("ForLog = %s, %q, %v; want %s", kept, id, err, want)
	}
	if _, _, err := w.ForLog(ToRoom, "log:1", []byte(`{}`), time.Now()); err == nil {
		t.Error("ForLog took a payload without a type")
	}
}

func TestHistory_LostMessagesAreTold(t *testing.T) {
	w := newWorld(t, nil)
	for p := range w.RenewedFrame(room.Room("log:1"), room.Position{Epoch: "e2", Offset: 4}).Payloads() {
		if want := `{"type":"joined","room":"log:1","epoch":"e2","offset":4,"recovered":false}`; string(p) != want {
			t.Errorf("RenewedFrame = %s, want %s", p, want)
		}
	}
}

func withInbox(c *Config) { c.Inbox = History{Size: 50, TTL: time.Hour} }

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
		if len(got) != 3 || !strings.Contains(got[0], `"unread":2,"inbox":{"epoch":"e1","offset":2}`) || got[2] != n7 {
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
