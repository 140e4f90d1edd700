package session

import (
	"strings"
	"testing"

	"github.com/ginforge/gateway/session/auth"
)

// The clock of a test begins at this second.
const stampedAt = `,"timestamp":946684800}`

func TestSession_Send(t *testing.T) {
	const (
		toRoom = `{"type":"room_message","room":"chat:1","from":"u1","from_name":"U1"`
		toUser = `{"type":"user_message","to":"u2","from":"u1","from_name":"U1"`
	)
	twoTargets := []string{refused("1", 4005, "name either a room or a user, once")}
	badUser := []string{refused("1", 4005, "to must be a user id of 1 to 128 bytes without control characters")}
	for name, tt := range map[string]struct {
		frame     string
		want      []string
		published []published
	}{
		"room in content": {
			`{"type":"room_message","content":{"room":"chat:1","text":"hi"}}`, nil,
			[]published{{"room:chat:1", toRoom + `,"content":{"room":"chat:1","text":"hi"}` + stampedAt}},
		},
		"room in envelope": {
			`{"type":"room_message","room":"chat:1","content":"hi","id":"1"}`,
			[]string{`{"type":"ack","id":"1"}`},
			[]published{{"room:chat:1", toRoom + `,"content":"hi","id":"1"` + stampedAt}},
		},
		"chat to a room": {
			`{"type":"chat","content":{"room":"chat:1"}}`, nil,
			[]published{{"room:chat:1", toRoom + `,"content":{"room":"chat:1"}` + stampedAt}},
		},
		"user in content": {
			`{"type":"user_message","content":{"to":"u2"},"id":"1"}`,
			[]string{`{"type":"ack","id":"1"}`},
			[]published{{"user:u2", toUser + `,"content":{"to":"u2"},"id":"1"` + stampedAt}},
		},
		"user in envelope": {
			`{"type":"user_message","to":"u2"}`, nil,
			[]published{{"user:u2", toUser + stampedAt}},
		},
		"chat to a user": {
			`{"type":"chat","to":"u2","content":{"to":"u2"}}`, nil,
			[]published{{"user:u2", toUser + `,"content":{"to":"u2"}` + stampedAt}},
		},
		"nothing of what a client says it is": {
			`{"from":"root","type":"user_message","from_name":"Root","fr\u006fm":"root","to":"u2","timestamp":1,"room":"x"}`, nil,
			[]published{{"user:u2", toUser + stampedAt}},
		},
		"content as it is": {
			`{"type":"room_message","room":"chat:1","content": [1.0, "\u0041", {"from" : "x"}] ,"data":{},"x":null}`, nil,
			[]published{{"room:chat:1", toRoom + `,"content": [1.0, "\u0041", {"from" : "x"}],"data":{},"x":null` + stampedAt}},
		},

		"chat to nobody":    {`{"type":"chat","id":"1","content":"hi"}`, []string{refused("1", 4005, "name a room or a user")}, nil},
		"chat to both":      {`{"type":"chat","id":"1","to":"u2","content":{"room":"chat:1"}}`, twoTargets, nil},
		"two rooms":         {`{"type":"room_message","id":"1","room":"x","content":{"room":"chat:1"}}`, twoTargets, nil},
		"two users":         {`{"type":"user_message","id":"1","to":"u3","content":{"to":"u2"}}`, twoTargets, nil},
		"no user":           {`{"type":"user_message","id":"1"}`, badUser, nil},
		"long user":         {`{"type":"user_message","id":"1","to":"` + strings.Repeat("x", 129) + `"}`, badUser, nil},
		"user of a number":  {`{"type":"user_message","id":"1","to":7}`, []string{refused("1", 4005, "to must be a string")}, nil},
		"content.to of one": {`{"type":"user_message","id":"1","content":{"to":7}}`, []string{refused("1", 4005, "content.to must be a string")}, nil},
		"room of a number":  {`{"type":"room_message","id":"1","content":{"room":7}}`, []string{refused("1", 4005, "content.room must be a string")}, nil},
		"chat to a number":  {`{"type":"chat","id":"1","content":{"room":7}}`, []string{refused("1", 4005, "content.room must be a string")}, nil},
		"no room":           {`{"type":"room_message","id":"1"}`, []string{refused("1", 4005, "room must be 1 to 255 bytes without control characters")}, nil},
		"not a member":      {`{"type":"room_message","id":"1","room":"chat:2"}`, []string{refused("1", 4003, "not a member of this room")}, nil},
		"may not send":      {`{"type":"room_message","id":"1","room":"news:1"}`, []string{refused("1", 4003, "this token may not send to this room")}, nil},
		"too big for the room": {
			`{"type":"room_message","id":"1","room":"short:1","content":"` + strings.Repeat("x", 120) + `"}`,
			[]string{refused("1", 4003, "the message is too big")},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				c := w.connect(t, "u1", "chat:1", "news:1", "short:1")
				c.send(tt.frame)
				c.want(tt.want...)
				w.wantPublished(t, tt.published...)
			})
		})
	}
}

// A message is measured as it is published, so that no node drops what another
// has accepted.
func TestSession_SendStampedSize(t *testing.T) {
	inWorld(t, func(c *Config) { c.Limits.MessageBytes = 1000 }, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		frame := func(size int) string {
			f := `{"type":"user_message","to":"u2","content":""}`
			return strings.Replace(f, `""`, `"`+strings.Repeat("x", size-len(f))+`"`, 1)
		}
		c.send(frame(1000))
		c.want(refused("", 4003, "the message is too big"))
		c.send(frame(900))
		p := w.bus.take()
		if len(p) != 1 {
			t.Fatalf("published %d messages, want 1", len(p))
		}
		w.Receive(ToUser, "u2", p[0].payload)
		if drops := w.Stats().Drops; drops["too_large"] != 0 {
			t.Errorf("Drops = %v, want none", drops)
		}
	})
}

// A client need not wait for joined before it speaks.
func TestSession_SendBehindJoin(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		c.send(`{"type":"join_room","content":"chat:1"}`,
			`{"type":"room_message","room":"chat:1","id":"1"}`,
			`{"type":"leave_room","content":"chat:1"}`,
			`{"type":"room_message","room":"chat:1","id":"2"}`)
		c.want(`{"type":"joined","room":"chat:1"}`, `{"type":"ack","id":"1"}`, `{"type":"left","room":"chat:1"}`,
			refused("2", 4003, "not a member of this room"))
	})
}

func TestSession_SendWithCaps(t *testing.T) {
	caps, err := auth.NewCaps([]string{"chat:*", "secret:*"}, []string{"secret:1"})
	if err != nil {
		t.Fatal(err)
	}
	inWorld(t, nil, func(t *testing.T, w *world) {
		who := auth.Identity{UserID: "u1", Caps: caps, Rooms: []string{"chat:1", "secret:1", "secret:2"}}
		c := w.session(t, who)
		c.attach(who)
		c.got()
		c.send(`{"type":"room_message","room":"chat:1","id":"1"}`,
			`{"type":"room_message","room":"secret:2","id":"2"}`,
			`{"type":"room_message","room":"secret:1","id":"3"}`)
		c.want(refused("1", 4003, "this token may not send to this room"),
			refused("2", 4003, "this token may not send to this room"), `{"type":"ack","id":"3"}`)
	})
}

// A message that does not reach Redis is refused, with an id or without.
func TestSession_SendWhileRedisIsAway(t *testing.T) {
	for name, failing := range map[string]bool{"not accepted": false, "accepted and failed": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				c := w.connect(t, "u1", "chat:1")
				w.bus.set(!failing, failing)
				c.send(`{"type":"user_message","to":"u2"}`)
				c.want(refused("", 4101, "the message could not be sent: try again"))
				c.send(`{"type":"room_message","room":"chat:1","id":"1"}`)
				c.want(refused("1", 4101, "the message could not be sent: try again"))
				c.wantClosed(0)
			})
		})
	}
}
