package session

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

func TestSession_Welcome(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		who := auth.Identity{UserID: "u1", Rooms: []string{"team:1", "closed:1"}} // a token's rooms need no permission
		c := w.session(t, who)
		c.attach(who)
		c.want(fmt.Sprintf(`{"type":"welcome","content":{"code":0,"message":"connected","level":"info"},"data":{`+
			`"client_id":"%016x","user_id":"u1","node":"n1","server_time":"2000-01-01T00:00:00.000Z",`+
			`"ping_interval":25,"reconnect_window_ms":5000,"protocol":1}`, c.manager.idOf(c.number))+stampedAt,
			`{"type":"joined","room":"team:1"}`, `{"type":"joined","room":"closed:1"}`)
	})
}

// When the bus is away a client is greeted all the same, after a while.
func TestSession_WelcomeWhileRedisIsAway(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.bus.set(true, false)
		who := auth.Identity{UserID: "u1", Rooms: []string{"team:1"}}
		c := w.session(t, who)
		c.attach(who)
		c.want()
		time.Sleep(7 * time.Second)
		if got := c.got(); len(got) != 1 || !strings.HasPrefix(got[0], `{"type":"welcome",`) {
			t.Errorf("got %q, want welcome", got)
		}
		time.Sleep(7 * time.Second)
		c.want(refused("", 4101, "the room is not reachable at the moment: try again"))
	})
}

// A peer may be gone before its session is attached, or while it is.
func TestSession_GoneBeforeWelcome(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		who := auth.Identity{UserID: "u1", Rooms: []string{"team:1"}}
		early, late := w.session(t, who), w.session(t, who)
		early.OnClose(1006)
		early.attach(who)
		early.want()
		w.bus.set(true, false)
		late.attach(who)
		late.OnClose(1006)
		late.want()
		if s := w.hub.Stats(); s != (room.Stats{}) {
			t.Errorf("hub has %+v, want nothing", s)
		}
	})
}

func TestSession_Expires(t *testing.T) {
	for name, tt := range map[string]struct {
		in   time.Duration
		want time.Duration
	}{
		"in an hour":       {time.Hour, time.Hour},
		"during handshake": {-time.Second, 1}, // at once, not never
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				who := auth.Identity{UserID: "u1", Expires: time.Now().Add(tt.in)}
				c := w.session(t, who)
				c.attach(who)
				if got := c.conn.deadline; got != tt.want {
					t.Errorf("deadline in %s, want %s", got, tt.want)
				}
				c.OnDeadline()
				c.wantClosed(4300)
			})
		})
	}
	t.Run("never", func(t *testing.T) {
		inWorld(t, nil, func(t *testing.T, w *world) {
			if c := w.connect(t, "u1"); c.conn.deadline != 0 {
				t.Errorf("deadline in %s, want none", c.conn.deadline)
			}
		})
	})
}

func TestSession_Slow(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		c.OnSlow()
		c.wantClosed(4102)
	})
}

// One connection is one user's and its id is nobody else's.
func TestManager_NextID(t *testing.T) {
	w := newWorld(t, nil)
	seen := map[string]bool{}
	for range 10_000 {
		id := w.session(t, auth.Identity{UserID: "u1"}).clientID()
		if seen[id] || len(id) != 16 {
			t.Fatalf("client id %q is not new, or not of 16 digits", id)
		}
		seen[id] = true
	}
}

// Every byte here is paid once for each connection. Raise the number knowingly.
func TestSession_Size(t *testing.T) {
	const most = 48
	if own := unsafe.Sizeof(Session{}) - unsafe.Sizeof(engine.Conn{}) - unsafe.Sizeof(room.Member{}); own > most {
		t.Errorf("a session has %d bytes of its own, want at most %d", own, most)
	}
	t.Logf("a session has %d bytes with its socket and membership", unsafe.Sizeof(Session{}))
}

func TestStatusFrame(t *testing.T) {
	for _, tt := range []struct {
		online bool
		want   string
	}{{true, "online"}, {false, "offline"}} {
		before := time.Now().Unix()
		f := StatusFrame(`u"1`, "Ann", tt.online)
		if f.Messages() != 1 {
			t.Fatalf("StatusFrame has %d messages, want 1", f.Messages())
		}
		for p := range f.Payloads() {
			m := decode(t, string(p))
			if m.Type != "user_status" || m.Content["user_id"] != `u"1` || m.Content["user_name"] != "Ann" || m.Content["status"] != tt.want {
				t.Errorf("StatusFrame(%t) = %s", tt.online, p)
			}
			if now := time.Now().Unix(); m.Timestamp < before || m.Timestamp > now {
				t.Errorf("timestamp = %d, want %d to %d", m.Timestamp, before, now)
			}
		}
	}
}
