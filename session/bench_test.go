package session

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/session/admission"
	"github.com/ginforge/gateway/session/auth"
)

// nullConn is a connection that forgets.
type nullConn struct{ fakeConn }

func (c *nullConn) SendText([]byte) error      { return nil }
func (c *nullConn) Send(*engine.Frame) error   { return nil }
func (c *nullConn) Close(r engine.CloseReason) { panic("closed: " + r.Text) }

func (c *nullConn) Replay(_ []*engine.Frame, scratch []byte) ([]byte, error) { return scratch, nil }

func (c *nullConn) SendAll(_ []*engine.Frame, scratch []byte) ([]byte, error) { return scratch, nil }

// attachNull makes a session whose connection forgets.
func (w *world) attachNull(t testing.TB, user string, rooms ...string) *client {
	t.Helper()
	who := auth.Identity{UserID: user, Name: user, Rooms: rooms}
	c := w.session(t, who)
	null := &nullConn{}
	c.member.Init(null, who.UserID, who.Name)
	c.attach(who)
	w.settle(c)
	w.settle(c) // behind the rooms that it asked for when it was attached
	return c
}

// nullBus is a Publisher that forgets.
type nullBus struct{}

func (nullBus) PublishRoom(_ string, _ []byte, done func(error)) error { done(nil); return nil }
func (nullBus) PublishUser(_ string, _ []byte, done func(error)) error { done(nil); return nil }

// patient lets a benchmark send as fast as it can.
func patient(w *world) *world {
	w.frameRate = newRate(1e9, time.Second, 1e9)
	w.byteRate = newRate(1<<40, time.Second, 1<<40)
	w.abuseRate = w.frameRate
	cfg := admission.DefaultConfig()
	cfg.User.FramesPerSecond, cfg.User.FramesBurst = 1e6, 1e7
	cfg.User.BytesPerSecond, cfg.User.BytesBurst = 1<<30, 1<<32
	w.gate, _ = admission.New(cfg) // what is left of it is part of a frame's cost
	w.Manager.bus = nullBus{}
	return w
}

var benchFrames = map[string]string{
	"ping":         `{"type":"ping"}`,
	"ping with id": `{"type":"ping","id":"17"}`,
	"room_message": `{"type":"room_message","room":"team:1","content":{"text":"` + strings.Repeat("hello ", 10) + `"}}`,
	"user_message": `{"type":"user_message","to":"u2","id":"17","content":{"text":"` + strings.Repeat("hello ", 10) + `"}}`,
	"malformed":    `{"type":"ping"`,
}

func BenchmarkSession_OnMessage(b *testing.B) {
	for name, frame := range benchFrames {
		b.Run(name, func(b *testing.B) {
			w := patient(newWorld(b, nil))
			c := w.attachNull(b, "u1", "team:1")
			in := []byte(frame)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				c.OnMessage(engine.OpText, in)
				if n%1000 == 0 {
					w.settle(c) // the worker keeps up
				}
			}
			w.settle(c)
		})
	}
}

func BenchmarkManager_Receive(b *testing.B) {
	for _, members := range []int{0, 100} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			w := newWorld(b, nil)
			var clients []*client
			for i := range members {
				clients = append(clients, w.attachNull(b, fmt.Sprintf("u%d", i), "team:1"))
			}
			payload := `{"type":"room_message","room":"team:1","from":"u1","content":{"text":"` + strings.Repeat("hello ", 10) + `"},"timestamp":1697356800}`
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				w.Receive(ToRoom, "team:1", payload)
			}
			for _, c := range clients {
				w.settle(c)
			}
		})
	}
}

func BenchmarkManager_ServeOnlineUsers(b *testing.B) {
	const users = 20_000
	w := newWorld(b, nil)
	for i := range users {
		w.attachNull(b, fmt.Sprintf("user-%d", i))
	}
	b.ReportAllocs()
	for b.Loop() {
		w.listings.taken = 0
		rec := httptest.NewRecorder()
		if w.ServeOnlineUsers(rec, get("/?token=good")); rec.Code != http.StatusOK {
			b.Fatalf("status %d", rec.Code)
		}
	}
}

// A delivery makes the frame that all its recipients share, and little else.
func TestManager_ReceiveAllocs(t *testing.T) {
	w := newWorld(t, nil)
	const payload = `{"type":"room_message","room":"team:1","from":"u1","content":{"text":"hi"},"timestamp":1697356800}`
	if got := testing.AllocsPerRun(1000, func() { w.Receive(ToRoom, "team:1", payload) }); got > 3 {
		t.Errorf("a payload makes %v allocations, want at most 3", got)
	}
}

// A ping costs no memory, and a message only what is kept of it.
func TestSession_OnMessageAllocs(t *testing.T) {
	for name, most := range map[string]float64{"ping": 0, "ping with id": 1, "user_message": 4, "room_message": 4} {
		t.Run(name, func(t *testing.T) {
			w := patient(newWorld(t, nil))
			c := w.attachNull(t, "u1", "team:1")
			in := []byte(benchFrames[name])
			if raceEnabled {
				most += 5
			}
			if got := testing.AllocsPerRun(1000, func() { c.OnMessage(engine.OpText, in) }); got > most {
				t.Errorf("a frame makes %v allocations, want at most %v", got, most)
			}
			w.settle(c)
		})
	}
}
