package session

import (
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/room"
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
