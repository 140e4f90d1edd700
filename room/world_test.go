package room

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/engine"
)

// testConfig has small limits and frames that a test can read.
func testConfig() Config {
	return Config{
		Shards:         4,
		MaxRooms:       3,
		MaxWatched:     2,
		ConfirmTimeout: 5 * time.Second,
		Grace:          10 * time.Second,
		Status: func(userID, userName string, online bool) *engine.Frame {
			if online {
				return text("%s(%s) online", userID, userName)
			}
			return text("%s(%s) offline", userID, userName)
		},
	}
}

// world is a hub whose workers are driven by the test: nothing happens until
// settle, so a test decides what is in a batch.
type world struct {
	*Hub
	t   testing.TB
	bus *fakeBus
}

func newWorld(t testing.TB, edit func(*Config)) *world {
	t.Helper()
	cfg := testConfig()
	if edit != nil {
		edit(&cfg)
	}
	bus := newFakeBus()
	hub, err := NewHub(cfg, bus)
	if err != nil {
		t.Fatalf("NewHub: %v", err)
	}
	return &world{hub, t, bus}
}

// runWorld is a world whose workers run by themselves until the test ends. stop
// waits for them.
func runWorld(t testing.TB, edit func(*Config)) (w *world, stop func()) {
	t.Helper()
	w = newWorld(t, edit)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	}
	t.Cleanup(stop)
	return w, stop
}

// settle does everything that was asked for, and what follows from it.
func (w *world) settle() {
	w.t.Helper()
	for busy := true; busy; {
		busy = false
		for _, s := range w.shards {
			if batch := s.inbox.peek(); batch > 0 {
				s.work(s.inbox.take(nil))
				busy = true
			}
		}
	}
}

// peek is the number of ops that wait.
func (b *inbox) peek() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ops)
}

// tick lets n seconds pass.
func (w *world) tick(n int) {
	w.t.Helper()
	for range n {
		w.Hub.tick()
		w.settle()
	}
}

// device is what an application keeps per connection.
type device struct {
	Member
	conn fakeConn
}

func newDevice(user string) *device {
	d := &device{}
	d.Init(&d.conn, user, strings.ToUpper(user))
	return d
}

// answer remembers what a callback was told.
type answer struct {
	calls int
	err   error
}

func (a *answer) done(err error) { a.calls, a.err = a.calls+1, err }

// want fails the test unless the callback ran once with err.
func (a *answer) want(t testing.TB, what string, err error) {
	t.Helper()
	if a.calls != 1 || !errors.Is(a.err, err) {
		t.Errorf("%s was answered %d times, last with %v; want once with %v", what, a.calls, a.err, err)
	}
}

// pending fails the test when the callback has run.
func (a *answer) pending(t testing.TB, what string) {
	t.Helper()
	if a.calls != 0 {
		t.Errorf("%s was answered with %v, want no answer yet", what, a.err)
	}
}

// attach connects a device of user.
func (w *world) attach(user string) *device {
	w.t.Helper()
	d := newDevice(user)
	var a answer
	w.Attach(&d.Member, a.done)
	w.settle()
	a.want(w.t, "Attach", nil)
	return d
}

func (w *world) detach(d *device) {
	w.t.Helper()
	w.Detach(&d.Member)
	w.settle()
}

// enter joins d to rooms without presence.
func (w *world) enter(d *device, keys ...Key) {
	w.t.Helper()
	for _, key := range keys {
		if err := w.join(d, key, false); err != nil {
			w.t.Fatalf("Join(%s) = %v, want nil", nameOf(key), err)
		}
	}
}

// show joins d to rooms with presence.
func (w *world) show(d *device, keys ...Key) {
	w.t.Helper()
	for _, key := range keys {
		if err := w.join(d, key, true); err != nil {
			w.t.Fatalf("Join(%s) = %v, want nil", nameOf(key), err)
		}
	}
}

func (w *world) join(d *device, key Key, presence bool) error {
	w.t.Helper()
	var a answer
	w.Join(&d.Member, key, presence, a.done)
	w.settle()
	if a.calls != 1 {
		w.t.Fatalf("Join(%s) was answered %d times, want once", nameOf(key), a.calls)
	}
	return a.err
}

// Online returns those of users that are online.
func (w *world) Online(users []string) (online []string) {
	for i, is := range w.OnlineEach(users) {
		if is {
			online = append(online, users[i])
		}
	}
	return online
}

// exit takes d out of rooms.
func (w *world) exit(d *device, keys ...Key) {
	w.t.Helper()
	for _, key := range keys {
		if err := w.leave(d, key); err != nil {
			w.t.Fatalf("Leave(%s) = %v, want nil", nameOf(key), err)
		}
	}
}

func (w *world) leave(d *device, key Key) error {
	w.t.Helper()
	var a answer
	w.Leave(&d.Member, key, a.done)
	w.settle()
	if a.calls != 1 {
		w.t.Fatalf("Leave(%s) was answered %d times, want once", nameOf(key), a.calls)
	}
	return a.err
}

// wantWrites fails the test unless exactly these writes have reached d since the
// last look; the messages of one write are separated by "|".
func (d *device) wantWrites(t testing.TB, want ...string) {
	t.Helper()
	var got []string
	for _, w := range d.conn.take() {
		got = append(got, strings.Join(w, "|"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("a device of %q got the writes %q, want %q", d.UserID(), got, want)
	}
}

// wantMessages is wantWrites for tests that do not care in how many writes.
func (d *device) wantMessages(t testing.TB, want ...string) {
	t.Helper()
	if got := slices.Concat(d.conn.take()...); !slices.Equal(got, want) {
		t.Errorf("a device of %q got %q, want %q", d.UserID(), got, want)
	}
}

// userIn returns a user id of shard i of w.
func (w *world) userIn(i int, n int) string {
	for j := 0; ; j++ {
		if user := fmt.Sprintf("u%d-%d", n, j); w.shardOf(user) == w.shards[i] {
			return user
		}
	}
}
