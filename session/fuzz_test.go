package session

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

// sendsAnything lets a client send without pause.
func sendsAnything(c *Config) {
	c.Limits.FramesPerSecond, c.Limits.FramesBurst, c.Limits.ProtocolErrors = 1<<20, 1<<20, 1<<20
}

// settle waits until the hub has done what was asked for c.
func (w *world) settle(c *client) {
	done := make(chan struct{})
	w.hub.InOrder(&c.member, room.User(c.member.UserID()), func(error) { close(done) })
	<-done
}

// fuzzName holds what has to be escaped.
const fuzzName = "A\"n\\n\n"

// checkFrame fails the test unless frame is one JSON object, and speaks for
// nobody but u1.
func checkFrame(t *testing.T, frame string) {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(frame), &m); err != nil {
		t.Fatalf("%q is not a JSON object: %v", frame, err)
	}
	if !utf8.ValidString(frame) {
		t.Errorf("%q is not UTF-8", frame)
	}
	for field, want := range map[string]string{"from": "u1", "from_name": fuzzName} {
		raw, there := m[field]
		var got string
		if there && (json.Unmarshal(raw, &got) != nil || got != want) {
			t.Errorf("%s is %s in %q, want %q", field, raw, frame, want)
		}
	}
}

// Whatever a client sends, nothing panics, every answer and everything that
// others get is JSON, nobody speaks for somebody else, and no node drops what
// another has published. Frames are separated by RS, which JSON never holds.
func FuzzSession_OnMessage(f *testing.F) {
	for _, seed := range []string{
		`{"type":"ping","id":"1"}`,
		`{"type":"join_room","id":"1","content":"team:2"}` + "\x1e" + `{"type":"room_message","room":"team:2","content":{}}` + "\x1e" + `{"type":"leave_room","content":{"room":"team:2"}}`,
		`{"type":"room_message","content":{"room":"team:1","text":"hi"},"from":"root","from_name":1,"fr\u006fm":"root"}`,
		`{"type":"user_message","to":"u2","content":[1e9,"\ud83d\ude00"],"data":{"a":null},"x":{"from":"y"}}`,
		`{"type":"chat","id":"\"","content":{"to":"u2"},"timestamp":-1,"message":{"type":"system","from":"root"}}`,
		`{"type":"presence","content":{"users":["u1",7]}}` + "\x1e" + `{"type":"presence","room":"team:1"}`,
		`{"type":"watch","id":"1","content":{"users":["u\"2"]}}` + "\x1e" + `{"type":"unwatch","content":{"users":["u2"]}}`,
		`{"type":"ack"}` + "\x1e" + `{"type":"refresh","id":"1"}` + "\x1e" + `{"type":"welcome"}`,
		`{"type":"join_room","id":7}` + "\x1e" + `{` + "\x1e" + `[]` + "\x1e" + `{"type":"join_room","content":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	w := newWorld(f, sendsAnything)
	f.Fuzz(func(t *testing.T, input []byte) {
		if !utf8.Valid(input) {
			return // the engine lets none through
		}
		who := auth.Identity{UserID: "u1", Name: fuzzName, Rooms: []string{"team:1"}}
		c := w.session(t, who)
		c.attach(who)
		w.settle(c) // it has been welcomed, and asks for its rooms
		for _, frame := range bytes.Split(input, []byte{0x1e}) {
			c.OnMessage(engine.OpText, frame)
		}
		w.settle(c)
		for _, frame := range c.conn.take() {
			checkFrame(t, frame)
		}
		for _, p := range w.bus.take() {
			checkFrame(t, p.payload)
			if !strings.Contains(p.payload, `"from":"u1"`) {
				t.Errorf("%q does not say whom it is from", p.payload)
			}
			w.Receive(map[bool]Target{false: ToUser, true: ToRoom}[strings.HasPrefix(p.to, "room:")], "u1", p.payload)
		}
		w.settle(c)
		for _, frame := range c.conn.take() {
			checkFrame(t, frame)
		}
		for cause, n := range w.Stats().Drops {
			if n != 0 {
				t.Fatalf("a node has dropped what another has published: %s", cause)
			}
		}
		c.OnClose(1000)
		w.settle(c)
		if s := w.hub.Stats(); s.Members != 0 || s.Rooms != 0 {
			t.Fatalf("hub has %d members and %d rooms left, want none", s.Members, s.Rooms)
		}
	})
}
