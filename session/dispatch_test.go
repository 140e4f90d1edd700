package session

import (
	"testing"

	"github.com/ginforge/gateway/engine"
)

// Every frame that a client may send has one answer, or one row of answers.
func TestSession_OnMessage(t *testing.T) {
	for name, tt := range map[string]struct {
		frame string
		want  []string
	}{
		"ping": {`{"type":"ping"}`, []string{pong}},
		"ping with id": {
			`{"id":"1","type":"ping"}`,
			[]string{`{"type":"pong","id":"1"}`, `{"type":"ack","id":"1"}`},
		},
		"id to be escaped": {
			`{"id":"\"\n","type":"ping"}`,
			[]string{`{"type":"pong","id":"\"\n"}`, `{"type":"ack","id":"\"\n"}`},
		},
		"no type":          {`{"id":"1"}`, []string{refused("1", 4005, "type is missing")}},
		"empty type":       {`{"type":""}`, []string{refused("", 4005, "type must not be empty")}},
		"unknown type":     {`{"type":"shout","id":"1"}`, []string{refused("1", 4005, "unknown type")}},
		"a server's type":  {`{"type":"system","id":"1"}`, []string{refused("1", 4005, "unknown type")}},
		"type of a number": {`{"id":"1","type":7}`, []string{refused("1", 4005, "type must be a string")}},
		"id of a number":   {`{"id":7,"type":"ping"}`, []string{refused("", 4005, "id must be a string")}},
		"not JSON":         {`hello`, []string{refused("", 4005, "invalid JSON at byte 0: an object was expected")}},
		"an array":         {`[]`, []string{refused("", 4005, "invalid JSON at byte 0: an object was expected")}},
		"ack of inbox":     {`{"type":"ack","content":{"offset":1}}`, []string{refused("", 4005, "this type is not supported by this gateway")}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				c := w.connect(t, "u1")
				c.send(tt.frame)
				c.want(tt.want...)
				w.wantPublished(t)
			})
		})
	}
}

func TestSession_BinaryFrame(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		c.OnMessage(engine.OpBinary, []byte(`{"type":"ping"}`))
		c.wantClosed(1003)
		c.want()
	})
}

// An envelope goes back to its pool and the next frame must see nothing of it.
func TestSession_EnvelopesAreClean(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		for range 10 {
			c.send(`{"type":"ping","id":"secret","room":"team:1","to":"u2"}`)
			c.got()
			c.send(`{"type":"ping"`)
			c.want(refused("", 4005, "invalid JSON at byte 14: the text ends too early"))
			c.send(`{"type":"chat"}`)
			c.want(refused("", 4005, "name a room or a user"))
		}
	})
}

func TestSession_FramesAreCounted(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		c.send(`{"type":"ping"}`, `{"type":"ping"}`, `{"type":"mine"}`, `{"type":"watch"}`, `{`)
		stats := w.Stats()
		if f := stats.Frames; f["ping"] != 2 || f["watch"] != 1 || f["other"] != 2 {
			t.Errorf("Frames = %v, want 2 ping, 1 watch and 2 other", f)
		}
		if r := stats.Refusals; r[4005] != 3 {
			t.Errorf("Refusals = %v, want 3 of 4005", r)
		}
	})
}
