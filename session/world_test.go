package session

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/admission"
	"github.com/ginforge/gateway/session/auth"
)

// testConfig is a gateway's default configuration with a few namespaces.
func testConfig() Config {
	return Config{
		Node:            "n1",
		PingInterval:    25 * time.Second,
		ReconnectWindow: 5 * time.Second,
		Move:            Move{Rate: 100, Grace: 2 * time.Second},
		Limits: Limits{
			MessageBytes:     64 << 10,
			WriteBufferBytes: 256 << 10,
			ReplayBytes:      1 << 20,
			RoomNameBytes:    255,
			JSONDepth:        32,
			ProtocolErrors:   20,
			FramesPerSecond:  50,
			FramesBurst:      100,
			BytesPerSecond:   1 << 20,
			BytesBurst:       8 << 20,
			WatchedUsers:     3,
		},
		Namespaces: Namespaces{
			DefaultNamespace: {Join: AllowAny, Publish: AllowAny},
			"team":           {Join: AllowAny, Publish: AllowAny, Presence: true},
			"news":           {Join: AllowAny, Publish: AllowNone},
			"secret":         {Join: AllowCaps, Publish: AllowCaps},
			"closed":         {Join: AllowNone, Publish: AllowAny},
			"log":            {Join: AllowAny, Publish: AllowAny, History: History{Size: 100, TTL: time.Hour}},
			"short":          {Join: AllowAny, Publish: AllowAny, MessageBytes: 120},
		},
	}
}

// world is a manager with a running hub and a fake bus.
type world struct {
	*Manager
	bus *fakeBus
	log *logBuffer
}

// Receive has a lone payload delivered, as the bus does.
func (w *world) Receive(to Target, name, payload string) {
	w.Manager.Receive(to, name, payload)
	w.Received()
}

// newWorld makes a world that lasts until the test ends; edit may be nil.
func newWorld(t testing.TB, edit func(*Config)) *world {
	t.Helper()
	cfg := testConfig()
	if edit != nil {
		edit(&cfg)
	}
	w := &world{bus: newFakeBus(), log: &logBuffer{}}
	hub, err := room.NewHub(room.Config{
		Shards: 4, MaxRooms: 3, MaxWatched: 4, ConfirmTimeout: 5 * time.Second, Grace: 10 * time.Second, Status: StatusFrame,
		History: room.History{
			Size:  func(key room.Key) int { return cfg.HistoryOf(key).Size },
			TTL:   func(room.Key) time.Duration { return time.Hour },
			Store: w.bus,
			Frame: func(key room.Key, offset uint64, payload string) *engine.Frame {
				return w.LogFrame(key, offset, payload)
			},
			Renewed:       func(key room.Key, at room.Position) *engine.Frame { return w.RenewedFrame(key, at) },
			CheckInterval: 30 * time.Second,
			ReplayBytes:   cfg.Limits.ReplayBytes,
		},
	}, w.bus)
	if err != nil {
		t.Fatalf("NewHub: %v", err)
	}
	gate, err := admission.New(admission.DefaultConfig())
	if err != nil {
		t.Fatalf("admission.New: %v", err)
	}
	log := zerolog.New(w.log)
	w.Manager, err = NewManager(cfg, fakeVerifier{"good": {UserID: "u1", Name: "Ann"}}, gate, hub, w.bus, w.bus, log)
	if err != nil {
		t.Fatalf("NewManager: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Hub.Run = %v, want nil", err)
		}
	})
	return w
}

// inWorld runs a test in a world whose time is the test's own.
func inWorld(t *testing.T, edit func(*Config), test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, edit)) })
}

// client is a session with a fake connection.
type client struct {
	*Session
	t    testing.TB
	conn *fakeConn
}

// session makes a session that is not attached.
func (w *world) session(t testing.TB, who auth.Identity) *client {
	t.Helper()
	if who.Name == "" {
		who.Name = strings.ToUpper(who.UserID)
	}
	c := &client{newSession(w.Manager, who), t, &fakeConn{}}
	c.conn.session = c.Session
	c.member.Init(c.conn, who.UserID, who.Name)
	return c
}

// connect makes a session of a user in a few rooms, and forgets its greetings.
// Only for worlds of inWorld.
func (w *world) connect(t testing.TB, user string, rooms ...string) *client {
	t.Helper()
	c := w.session(t, auth.Identity{UserID: user, Rooms: rooms})
	c.attach(auth.Identity{UserID: user, Rooms: rooms})
	c.got()
	return c
}

// send has the client send frames.
func (c *client) send(frames ...string) {
	for _, f := range frames {
		c.OnMessage(engine.OpText, []byte(f))
	}
}

// got returns what the client was sent since the last call, when all is quiet.
func (c *client) got() []string {
	c.t.Helper()
	synctest.Wait()
	return c.conn.take()
}

// want fails the test unless the client was sent these frames.
func (c *client) want(frames ...string) {
	c.t.Helper()
	if got := c.got(); !slices.Equal(got, frames) {
		c.t.Errorf("%s was sent\n\t%s\nwant\n\t%s", c.member.UserID(), strings.Join(got, "\n\t"), strings.Join(frames, "\n\t"))
	}
}

// wantClosed fails the test unless the connection was closed with code, and none
// was with 0.
func (c *client) wantClosed(code engine.CloseCode) {
	c.t.Helper()
	synctest.Wait()
	if r, _ := c.conn.closed(); r.Code != code {
		c.t.Errorf("%s was closed with %v, want code %d", c.member.UserID(), r, code)
	}
}

// wantPublished fails the test unless the bus was given these messages.
func (w *world) wantPublished(t testing.TB, want ...published) {
	t.Helper()
	synctest.Wait()
	if got := w.bus.take(); !slices.Equal(got, want) {
		t.Errorf("published %q, want %q", got, want)
	}
}

// refused is the error frame of a refusal.
func refused(id string, code int, text string) string {
	return string(message.AppendError(nil, id, code, text))
}

// envelope is a frame as a program in another language sees it.
type envelope struct {
	Type      string         `json:"type"`
	Room      string         `json:"room"`
	From      string         `json:"from"`
	Content   map[string]any `json:"content"`
	Data      map[string]any `json:"data"`
	Timestamp int64          `json:"timestamp"`
}

func decode(t testing.TB, frame string) (e envelope) {
	t.Helper()
	if err := json.Unmarshal([]byte(frame), &e); err != nil {
		t.Fatalf("frame %s: %v", frame, err)
	}
	return e
}
