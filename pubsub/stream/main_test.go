package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/ginforge/gateway/pubsub/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rules keep ten messages for a minute.
var rules = Rules{Size: 10, TTL: time.Minute}

// room is the log most tests are about.
var room = Key{Room, "chat:1"}

// world is a Redis with a Store on it.
type world struct {
	*Store
	client *redis.Client
	// pass lets time pass for Redis: in truth, or as if.
	pass func(time.Duration)
}

// onBoth runs a test on a real Redis and on the embedded one.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("redis-server", func(t *testing.T) {
		test(t, newWorld(t, redistest.Start(t).Addr(), func(d time.Duration) {
			timer := time.NewTimer(d + 20*time.Millisecond) // Redis's own clock decides
			<-timer.C
		}))
	})
	t.Run("miniredis", func(t *testing.T) {
		server := miniredis.RunT(t)
		now := time.Now() // stands still, so that no test depends on it
		server.SetTime(now)
		test(t, newWorld(t, server.Addr(), func(d time.Duration) {
			now = now.Add(d)
			server.SetTime(now)
			server.FastForward(d)
		}))
	})
}

func newWorld(tb testing.TB, addr string, pass func(time.Duration)) *world {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, Protocol: 2, ReadTimeout: time.Minute})
	tb.Cleanup(func() { _ = client.Close() })
	return &world{New(client, Options{Prefix: "websocket:"}), client, pass}
}

// add appends payloads to the log, one after the other, and returns the last
// position.
func (w *world) add(tb testing.TB, k Key, r Rules, payloads ...string) (last Position) {
	tb.Helper()
	for _, p := range payloads {
		last = w.append(tb, Append{Key: k, Rules: r, Payload: []byte(p)}).Position
	}
	return last
}

func (w *world) append(tb testing.TB, a Append) Appended {
	tb.Helper()
	result := w.Append(context.Background(), []Append{a})[0]
	if result.Err != nil {
		tb.Fatalf("Append(%q) = %v", a.Payload, result.Err)
	}
	return result.Appended
}

func (w *world) read(tb testing.TB, k Key, after uint64, limit int) Page {
	tb.Helper()
	p, err := w.Read(context.Background(), k, after, limit)
	if err != nil {
		tb.Fatalf("Read(%s, %d) = %v", k, after, err)
	}
	return p
}

func (w *world) position(tb testing.TB, k Key) Position {
	tb.Helper()
	p, err := w.Positions(context.Background(), []Key{k})
	if err != nil {
		tb.Fatalf("Positions = %v", err)
	}
	return p[0]
}

func (w *world) restore(tb testing.TB, r Restore) Restored {
	tb.Helper()
	restored, err := w.Restore(context.Background(), r)
	if err != nil {
		tb.Fatalf("Restore = %v", err)
	}
	return restored
}

// texts returns entries as "offset:payload".
func texts(entries []Entry) []string {
	var s []string
	for _, e := range entries {
		s = append(s, fmt.Sprintf("%d:%s", e.Offset, e.Payload))
	}
	return s
}

// want reports an error unless got prints as want does.
func want(tb testing.TB, what string, got, want any) {
	tb.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		tb.Errorf("%s = %s, want %s", what, g, w)
	}
}

// listener hears a live channel.
type listener struct{ *redis.PubSub }

func (w *world) listen(tb testing.TB, k Key) listener {
	tb.Helper()
	l := listener{w.client.Subscribe(context.Background(), Channel("websocket:", k))}
	tb.Cleanup(func() { _ = l.Close() })
	if _, err := l.Receive(context.Background()); err != nil {
		tb.Fatal(err)
	}
	return l
}

// next returns the next message, parsed.
func (l listener) next(tb testing.TB) Live {
	tb.Helper()
	got, err := l.ReceiveTimeout(context.Background(), time.Minute)
	if err != nil {
		tb.Fatalf("no live message: %v", err)
	}
	m, ok := got.(*redis.Message)
	if !ok {
		tb.Fatalf("%T instead of a message", got)
	}
	live, err := ParseLive(m.Payload)
	if err != nil {
		tb.Fatal(err)
	}
	return live
}

// silent reports an error if there is a message.
func (l listener) silent(tb testing.TB) {
	tb.Helper()
	if err := l.Ping(context.Background()); err != nil {
		tb.Fatal(err)
	}
	got, err := l.Receive(context.Background())
	if _, pong := got.(*redis.Pong); !pong && !errors.Is(err, context.Canceled) {
		tb.Errorf("a live message: %v, %v", got, err)
	}
}
