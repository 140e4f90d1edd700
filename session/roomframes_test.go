package session

import (
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/session/auth"
)

func TestSession_JoinAndLeave(t *testing.T) {
	long := strings.Repeat("x", 256)
	badName := refused("1", 4005, "room must be 1 to 255 bytes without control characters")
	joined := []string{`{"type":"joined","id":"1","room":"chat:1"}`, `{"type":"ack","id":"1"}`}
	for name, tt := range map[string]struct {
		frame string
		want  []string
	}{
		"name":            {`{"type":"join_room","id":"1","content":"chat:1"}`, joined},
		"object":          {`{"type":"join_room","id":"1","content":{"room":"chat:1"}}`, joined},
		"envelope":        {`{"type":"join_room","id":"1","room":"chat:1"}`, joined},
		"both":            {`{"type":"join_room","id":"1","room":"chat:1","content":"chat:1"}`, joined},
		"without id":      {`{"type":"join_room","content":"chat:1"}`, []string{`{"type":"joined","room":"chat:1"}`}},
		"again":           {`{"type":"join_room","content":"old"}`, []string{`{"type":"joined","room":"old"}`}},
		"two rooms":       {`{"type":"join_room","id":"1","room":"a","content":"b"}`, []string{refused("1", 4005, "name either a room or a user, once")}},
		"no room":         {`{"type":"join_room","id":"1"}`, []string{badName}},
		"null":            {`{"type":"join_room","id":"1","content":null}`, []string{badName}},
		"empty":           {`{"type":"join_room","id":"1","content":""}`, []string{badName}},
		"too long":        {`{"type":"join_room","id":"1","content":"` + long + `"}`, []string{badName}},
		"control":         {`{"type":"join_room","id":"1","content":"a\u0007"}`, []string{badName}},
		"number":          {`{"type":"join_room","id":"1","content":{"room":7}}`, []string{refused("1", 4005, "content.room must be a string")}},
		"nobody may":      {`{"type":"join_room","id":"1","content":"closed:1"}`, []string{refused("1", 4003, "this token may not join this room")}},
		"caps demanded":   {`{"type":"join_room","id":"1","content":"secret:1"}`, []string{refused("1", 4003, "this token may not join this room")}},
		"leave":           {`{"type":"leave_room","id":"1","content":"old"}`, []string{`{"type":"left","id":"1","room":"old"}`, `{"type":"ack","id":"1"}`}},
		"leave, object":   {`{"type":"leave_room","content":{"room":"old"}}`, []string{`{"type":"left","room":"old"}`}},
		"leave elsewhere": {`{"type":"leave_room","id":"1","content":"chat:1"}`, []string{refused("1", 4003, "not a member of this room")}},
		"leave nothing":   {`{"type":"leave_room","id":"1"}`, []string{badName}},
		"leave a number":  {`{"type":"leave_room","id":"1","content":{"room":7}}`, []string{refused("1", 4005, "content.room must be a string")}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				c := w.connect(t, "u1", "old")
				c.send(tt.frame)
				c.want(tt.want...)
			})
		})
	}
}

func TestSession_JoinTooMany(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1", "a", "b", "c")
		c.send(`{"type":"join_room","content":"d"}`, `{"type":"leave_room","content":"a"}`, `{"type":"join_room","content":"d"}`)
		c.want(refused("", 4003, "too many rooms on this connection"),
			`{"type":"left","room":"a"}`, `{"type":"joined","room":"d"}`)
	})
}

func TestSession_JoinNameLimit(t *testing.T) {
	inWorld(t, func(c *Config) { c.Limits.RoomNameBytes = 4 }, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		c.send(`{"type":"join_room","content":"abcd"}`)
		c.want(`{"type":"joined","room":"abcd"}`)
		c.send(`{"type":"join_room","content":"abcde"}`)
		c.want(refused("", 4005, "room must be 1 to 4 bytes without control characters"))
	})
}

// What a token allows is asked where a namespace allows it to be asked.
func TestSession_JoinWithCaps(t *testing.T) {
	caps, err := auth.NewCaps([]string{"secret:*", "closed:*"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	inWorld(t, nil, func(t *testing.T, w *world) {
		who := auth.Identity{UserID: "u1", Caps: caps}
		c := w.session(t, who)
		c.attach(who)
		c.got()
		c.send(`{"type":"join_room","content":"secret:1"}`)
		c.want(`{"type":"joined","room":"secret:1"}`)
		c.send(`{"type":"join_room","content":"closed:1"}`, `{"type":"join_room","content":"chat:1"}`)
		c.want(refused("", 4003, "this token may not join this room"), refused("", 4003, "this token may not join this room"))
	})
}

func TestSession_JoinWhileRedisIsAway(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		w.bus.set(true, false)
		c.send(`{"type":"join_room","id":"1","content":"chat:1"}`)
		c.want() // the bus may still confirm it
		time.Sleep(10 * time.Second)
		c.want(refused("1", 4101, "the room is not reachable at the moment: try again"))
		c.send(`{"type":"leave_room","id":"2","content":"chat:1"}`)
		c.want(refused("2", 4003, "not a member of this room"))
	})
}

// A frame with an id is answered, even when its sender thinks better of it.
func TestSession_LeaveBeforeTheJoinIsConfirmed(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		w.bus.set(true, false)
		c.send(`{"type":"join_room","id":"1","content":"chat:1"}`, `{"type":"leave_room","id":"2","content":"chat:1"}`)
		c.want(refused("1", 4003, "the room was left before the join was confirmed"),
			`{"type":"left","id":"2","room":"chat:1"}`, `{"type":"ack","id":"2"}`)

		c.send(`{"type":"join_room","content":"chat:1"}`, `{"type":"leave_room","content":"chat:1"}`)
		c.want(`{"type":"left","room":"chat:1"}`)
	})
}

// A client that is gone is not answered, and nothing stays of what it asked for.
func TestSession_GoneWhileJoining(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		w.bus.set(true, false)
		c.send(`{"type":"join_room","content":"chat:1"}`)
		c.OnClose(1006)
		c.want()
		if s := w.hub.Stats(); s.Members != 0 || s.Rooms != 0 {
			t.Errorf("hub has %+v, want nothing", s)
		}
	})
}
