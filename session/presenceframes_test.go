package session

import (
	"strings"
	"testing"
	"time"
)

func TestSession_Presence(t *testing.T) {
	const (
		ann = `{"user_id":"u1","user_name":"U1","devices":2}`
		bob = `{"user_id":"u2","user_name":"U2","devices":1}`
	)
	long := strings.Repeat("x", 129)
	badUsers := []string{refused("1", 4005, "content.users must hold user ids of 1 to 128 bytes without control characters")}
	for name, tt := range map[string]struct {
		frame string
		want  []string
	}{
		"of users": {
			`{"type":"presence","id":"1","content":{"users":["u2","u9","u1"]}}`,
			[]string{
				`{"type":"presence","id":"1","content":{"users":[{"user_id":"u2","status":"online"},` +
					`{"user_id":"u9","status":"offline"},{"user_id":"u1","status":"online"}]}}`,
				`{"type":"ack","id":"1"}`,
			},
		},
		"of numbers": {
			`{"type":"presence","content":{"users":[7]}}`,
			[]string{`{"type":"presence","content":{"users":[{"user_id":"7","status":"offline"}]}}`},
		},
		"of a room where it is off": {
			`{"type":"presence","id":"1","content":{"room":"chat:1"}}`,
			[]string{refused("1", 4003, "presence is off for this room")},
		},
		"of a room of others": {
			`{"type":"presence","id":"1","content":{"room":"team:2"}}`,
			[]string{refused("1", 4003, "not a member of this room")},
		},
		"of nothing": {
			`{"type":"presence","id":"1"}`,
			[]string{refused("1", 4005, "room must be 1 to 255 bytes without control characters")},
		},
		"of both": {
			`{"type":"presence","id":"1","room":"team:1","content":{"users":["u1"]}}`,
			[]string{refused("1", 4005, "name either a room or a user, once")},
		},
		"of too many": {
			`{"type":"presence","id":"1","content":{"users":["1","2","3","4"]}}`,
			[]string{refused("1", 4005, "content.users holds more than 3 users")},
		},
		"of a long id":    {`{"type":"presence","id":"1","content":{"users":["` + long + `"]}}`, badUsers},
		"of an odd id":    {`{"type":"presence","id":"1","content":{"users":["a\nb"]}}`, badUsers},
		"watch a long id": {`{"type":"watch","id":"1","content":{"users":["` + long + `"]}}`, badUsers},
		"watch nobody":    {`{"type":"watch","id":"1"}`, []string{refused("1", 4005, "content.users is missing")}},
		"watch no list":   {`{"type":"watch","id":"1","content":{"users":[]}}`, []string{refused("1", 4005, "content.users is missing")}},
		"watch a word":    {`{"type":"watch","id":"1","content":{"users":"u1"}}`, []string{refused("1", 4005, "content.users must be an array")}},
		"unwatch nobody":  {`{"type":"unwatch","id":"1","content":7}`, []string{refused("1", 4005, "content.users is missing")}},
		"unwatch a long":  {`{"type":"unwatch","id":"1","content":{"users":["` + long + `"]}}`, badUsers},
		"unwatch others":  {`{"type":"unwatch","id":"1","content":{"users":["u9"]}}`, []string{`{"type":"ack","id":"1"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				c := w.connect(t, "u1", "team:1", "chat:1")
				w.connect(t, "u1", "team:1")
				w.connect(t, "u2", "team:1")
				c.got()
				c.send(tt.frame)
				c.want(tt.want...)
			})
		})
	}
	t.Run("of a room", func(t *testing.T) {
		inWorld(t, nil, func(t *testing.T, w *world) {
			c := w.connect(t, "u1", "team:1")
			w.connect(t, "u1", "team:1")
			w.connect(t, "u2", "team:1")
			c.got()
			c.send(`{"type":"presence","content":"chat:1","room":"team:1"}`)
			got := c.got()
			const head = `{"type":"presence","content":{"room":"team:1","connections":3,"users":[`
			if len(got) != 1 || got[0] != head+ann+","+bob+"]}}" && got[0] != head+bob+","+ann+"]}}" {
				t.Errorf("got %q, want u1 with 2 devices and u2 with 1", got)
			}
		})
	})
}

func TestSession_Watch(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		w.connect(t, "u2")
		c.send(`{"type":"watch","id":"1","content":{"users":["u2","u3"]}}`)
		c.want(`{"type":"ack","id":"1","content":{"online":["u2"]}}`)

		third := w.connect(t, "u3")
		c.want(`{"type":"user_status","content":{"user_id":"u3","user_name":"U3","status":"online"},"timestamp":946684800}`)
		c.send(`{"type":"unwatch","id":"2","content":{"users":["u2","u4"]}}`)
		c.want(`{"type":"ack","id":"2"}`)
		third.OnClose(1001)
		time.Sleep(15 * time.Second) // the grace
		if got := c.got(); len(got) != 1 || !strings.Contains(got[0], `"user_id":"u3","user_name":"U3","status":"offline"`) {
			t.Errorf("got %q, want u3 offline", got)
		}
	})
}

// One answer for the whole list, whatever became of its parts.
func TestSession_WatchTooMany(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		c.send(`{"type":"watch","content":{"users":["a","b","c"]}}`, `{"type":"watch","id":"1","content":{"users":["d","e","f"]}}`)
		c.want(refused("1", 4003, "too many users watched by this connection"))
		c.send(`{"type":"watch","id":"2","content":{"users":["d"]}}`) // it is watched: the limit came behind it
		c.want(`{"type":"ack","id":"2","content":{"online":[]}}`)
	})
}

// A query that looks through a room counts for ten frames.
func TestSession_PresenceOfARoomCosts(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1", "team:1")
		for range 10 {
			c.send(`{"type":"presence","room":"team:1"}`)
		}
		if got := c.got(); len(got) != 10 || !strings.HasPrefix(got[9], `{"type":"presence"`) {
			t.Errorf("got %d answers, the last %s; want ten lists", len(got), got[len(got)-1])
		}
		c.send(`{"type":"ping"}`)
		c.want(tooFast)
	})
	inWorld(t, func(c *Config) { c.Limits.FramesBurst = 1 }, func(t *testing.T, w *world) {
		c := w.connect(t, "u1", "team:1")
		c.send(`{"type":"presence","room":"team:1"}`) // however small the burst
		if got := c.got(); len(got) != 1 || !strings.HasPrefix(got[0], `{"type":"presence"`) {
			t.Errorf("got %q, want a list", got)
		}
	})
}
