package session

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ginforge/gateway/session/auth"
)

const (
	degraded = `{"type":"system","content":{"event":"degraded","message":"messages may be delayed or refused for the moment","level":"warning"},"timestamp":`
	restored = `{"type":"system","content":{"event":"restored","message":"messages are delivered again","level":"info"},"timestamp":`
)

// underWeather runs a test while somebody watches Redis.
func underWeather(t *testing.T, test func(t *testing.T, w *world, connected *atomic.Bool)) {
	t.Helper()
	inWorld(t, nil, func(t *testing.T, w *world) {
		var connected atomic.Bool
		connected.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.WatchRedis(ctx, connected.Load) }()
		test(t, w, &connected)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("WatchRedis = %v, want nil", err)
		}
	})
}

// wantOne fails the test unless the client was sent one frame that begins so.
func (c *client) wantOne(prefix string) {
	c.t.Helper()
	if got := c.got(); len(got) != 1 || !strings.HasPrefix(got[0], prefix) {
		c.t.Errorf("%s was sent %q, want one frame %s", c.member.UserID(), got, prefix)
	}
}

func TestWatchRedis_TellsEachEdgeOnce(t *testing.T) {
	underWeather(t, func(t *testing.T, w *world, connected *atomic.Bool) {
		early := w.connect(t, "early")
		connected.Store(false)
		time.Sleep(3 * time.Second)
		early.wantOne(degraded)

		who := auth.Identity{UserID: "late"}
		late := w.session(t, who)
		late.attach(who)
		if got := late.got(); len(got) != 2 || !strings.Contains(got[0], `"welcome"`) || !strings.HasPrefix(got[1], degraded) {
			t.Errorf("who connects meanwhile was sent %q, want welcome and then degraded", got)
		}
		time.Sleep(time.Minute)
		early.want()
		late.want()

		connected.Store(true)
		time.Sleep(3 * time.Second)
		early.wantOne(restored)
		late.wantOne(restored)
		later := w.session(t, who)
		later.attach(who)
		if got := later.got(); len(got) != 1 {
			t.Errorf("who connects afterwards was sent %q, want welcome alone", got)
		}
	})
}

// Welcome is the first frame, also when it has to wait.
func TestWatchRedis_WelcomeComesFirst(t *testing.T) {
	underWeather(t, func(t *testing.T, w *world, connected *atomic.Bool) {
		connected.Store(false)
		w.bus.set(true, false)
		who := auth.Identity{UserID: "u1"}
		c := w.session(t, who)
		c.attach(who)
		time.Sleep(3 * time.Second)
		c.want()
		time.Sleep(7 * time.Second)
		if got := c.got(); len(got) != 2 || !strings.Contains(got[0], `"welcome"`) || !strings.HasPrefix(got[1], degraded) {
			t.Errorf("got %q, want welcome and then degraded", got)
		}
	})
}

func TestWatchRedis_ShortGapsAreNoNews(t *testing.T) {
	underWeather(t, func(t *testing.T, w *world, connected *atomic.Bool) {
		c := w.connect(t, "u1")
		for range 20 {
			connected.Store(false)
			time.Sleep(700 * time.Millisecond)
			connected.Store(true)
			time.Sleep(400 * time.Millisecond)
		}
		c.want()
	})
}

func TestWatchRedis_SpreadsNotices(t *testing.T) {
	underWeather(t, func(t *testing.T, w *world, connected *atomic.Bool) {
		clients := w.crowd(t, 3000)
		connected.Store(false)
		time.Sleep(weatherSettled)
		started, most := time.Now(), 0
		for told := 0; told < len(clients); {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			now := 0
			for _, c := range clients {
				now += len(c.conn.take())
			}
			most = max(most, now)
			if told += now; time.Since(started) > 10*time.Second {
				t.Fatalf("%d of %d are told after 10s", told, len(clients))
			}
		}
		if most > 150 {
			t.Errorf("%d clients were told within 100 ms, want about 100", most)
		}
	})
}

// While Redis is away a room goes on among the members on this node, and their
// messages say so; what is for a user is refused.
func TestLocal_RoomsGoOn(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.DeliverLocal(ctx) }()
		ann, bob := w.connect(t, "ann", "team:1"), w.connect(t, "bob", "team:1")
		ann.got()
		w.Manager.bus = awayBus{}
		ann.send(`{"type":"room_message","id":"1","room":"team:1","content":"hi"}`)
		got := ann.got()
		if len(got) != 2 || !strings.Contains(strings.Join(got, ""), `{"type":"ack","id":"1","content":{"local":true}}`) {
			t.Errorf("the sender was sent %q, want its message and an ack that says local", got)
		}
		bob.wantOne(`{"type":"room_message","room":"team:1","from":"ann","from_name":"ANN","id":"1","content":"hi","timestamp":`)
		ann.send(`{"type":"user_message","id":"2","to":"bob","content":"hi"}`)
		ann.want(refused("2", 4101, "the message could not be sent: try again"))
		cancel()
		if err := <-done; err != nil {
			t.Errorf("DeliverLocal = %v, want nil", err)
		}
	})
}

func TestLocal_IsBounded(t *testing.T) {
	l := newLocals()
	for range maxLocalMessages {
		if !l.put("r", []byte("x")) {
			t.Fatal("refused too early")
		}
	}
	if l.put("r", []byte("x")) || l.bytes.Load() != maxLocalMessages {
		t.Errorf("more than %d messages wait, of %d bytes", maxLocalMessages, l.bytes.Load())
	}
	l = newLocals()
	if !l.put("r", make([]byte, maxLocalBytes)) || l.put("r", []byte("x")) {
		t.Error("the bound on bytes is not held")
	}
}

// awayBus is a Publisher that cannot reach Redis.
type awayBus struct{}

func (awayBus) PublishRoom(string, []byte, func(error)) error { return ErrAway }
func (awayBus) PublishUser(string, []byte, func(error)) error { return ErrAway }
