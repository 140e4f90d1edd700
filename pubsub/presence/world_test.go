package presence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/ginforge/gateway/pubsub/redistest"
)

const patience = time.Minute

func TestMain(m *testing.M) {
	// A pool that has lost its server looks for it once a second, also when it has
	// been closed meanwhile.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// onEach runs a test with each of the servers that presence must work on.
func onEach(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	if c := cluster.Load(); c != nil && strings.HasPrefix(t.Name(), "TestInACluster/") {
		test(t, newClusterWorld(t, c))
		return
	}
	t.Parallel()
	for name, start := range map[string]func() string{
		"redis-server": func() string { return redistest.Start(t).Addr() },
		"embedded":     func() string { return miniredis.RunT(t).Addr() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, start()))
		})
	}
}

// world is what all nodes share: Redis, and what is published there.
type world struct {
	t      *testing.T
	client redis.UniversalClient

	mu    sync.Mutex // guards the fields below
	heard []Edge     // each once, in order
	dead  []string
	alive map[string]*testNode // by life
}

func newWorld(t *testing.T, addr string) *world {
	return newWorldOf(t, redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, MaxRetries: -1, ReadTimeout: time.Minute}))
}

func newWorldOf(t *testing.T, client redis.UniversalClient) *world {
	w := &world{t: t, client: client, alive: map[string]*testNode{}}
	sub := w.client.PSubscribe(t.Context(), "t:status:*", "t:here:*")
	for range 2 {
		if _, err := sub.Receive(t.Context()); err != nil {
			t.Fatalf("subscribe: %v", err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var edges Edges
		for m := range sub.Channel() {
			e, first, err := edges.Read(m.Payload)
			if err != nil {
				t.Errorf("read %q: %v", m.Payload, err)
			}
			if first {
				w.mu.Lock()
				w.heard = append(w.heard, e)
				w.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		_ = sub.Close()
		<-done
		_ = w.client.Close()
	})
	return w
}

// testNode is a node's presence, whose users a test sets.
type testNode struct {
	*Presence
	w    *world
	life string
	stop func()

	fresh atomic.Bool // its lease has not held for long yet

	mu      sync.Mutex // guards the fields below
	states  map[string]State
	watched []string
	devices map[string][]Device
	kicked  []string
	slow    func() // is called instead when other nodes do not do as they are told
}

func (w *world) node(life string, policy Policy) *testNode {
	w.t.Helper()
	return w.nodeOf(life, Config{Prefix: "t:", Policy: policy})
}

// stillNode is a node whose Run has not been called.
func (w *world) stillNode(life string, cfg Config) *testNode {
	w.t.Helper()
	n := &testNode{w: w, life: life, states: map[string]State{}, devices: map[string][]Device{}}
	var err error
	n.Presence, err = New(cfg, w.client, n, n, zerolog.Nop())
	if err != nil {
		w.t.Fatalf("New: %v", err)
	}
	n.OnKick(func(_ context.Context, life, user string, clients []string, _ bool) {
		n.mu.Lock()
		slow := n.slow
		n.mu.Unlock()
		if slow != nil {
			slow()
			return
		}
		w.mu.Lock()
		at := w.alive[life]
		w.mu.Unlock()
		if at != nil {
			at.drop(user, clients)
		}
	})
	w.mu.Lock()
	w.alive[life] = n
	w.mu.Unlock()
	return n
}

func (w *world) nodeOf(life string, cfg Config) *testNode {
	w.t.Helper()
	n := w.stillNode(life, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		_ = n.Run(ctx)
		close(ended)
	}()
	n.stop = func() { cancel(); <-ended }
	w.t.Cleanup(n.stop)
	return n
}

// The node as Presence sees it.

func (n *testNode) State(user string) State {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.states[user]
	s.Rooms = slices.Clone(s.Rooms)
	return s
}

func (n *testNode) Users(f func(string)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for u, s := range n.states {
		if s.Here {
			f(u)
		}
	}
}

func (n *testNode) Watched(f func(string)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, u := range n.watched {
		f(u)
	}
}

func (n *testNode) Devices(user string) []Device {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.devices[user])
}

// Its lease.

func (n *testNode) Holds() (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.life, true
}

func (n *testNode) Dead() []string {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	return slices.Clone(n.w.dead)
}

func (n *testNode) LongHeld(time.Duration) bool { return !n.fresh.Load() }

func (n *testNode) Lives() []string {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	return slices.Concat(n.w.dead, slices.Collect(maps.Keys(n.w.alive)))
}

func (n *testNode) Ended(context.Context, time.Duration) ([]string, error) { return n.Dead(), nil }

func (n *testNode) Forget(_ context.Context, life string) error {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.w.dead = slices.DeleteFunc(n.w.dead, func(l string) bool { return l == life })
	return nil
}

// drop ends connections, as a node does that is told to.
func (n *testNode) drop(user string, clients []string) {
	n.mu.Lock()
	n.kicked = append(n.kicked, clients...)
	n.devices[user] = slices.DeleteFunc(n.devices[user], func(d Device) bool { return slices.Contains(clients, d.ClientID) })
	n.mu.Unlock()
	n.Changed(user)
}

// set says how things are with a user, and that this is new.
func (n *testNode) set(user string, here bool, rooms ...string) {
	n.mu.Lock()
	n.states[user] = State{Here: here, Name: "Name of " + user, Rooms: rooms}
	n.mu.Unlock()
	n.Changed(user)
	n.settle()
}

// settle waits until everything is written.
func (n *testNode) settle() {
	n.w.t.Helper()
	redistest.Eventually(n.w.t, patience, func() error {
		if len(n.wake) > 0 || n.Stats().Waiting > 0 {
			return errors.New("something waits to be written")
		}
		return nil
	})
	// The writer has taken it; the next round ends after this one.
	before := n.Stats().Written
	n.Changed("nobody")
	redistest.Eventually(n.w.t, patience, func() error {
		if s := n.Stats(); s.Written == before || s.Waiting > 0 {
			return errors.New("the writer is busy")
		}
		return nil
	})
}

// edges waits for exactly these edges, as "u1 online watchers a,b except c".
func (w *world) edges(want ...string) {
	w.t.Helper()
	redistest.Eventually(w.t, patience, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		var got []string
		for _, e := range w.heard {
			got = append(got, e.String())
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("edges %q, want %q", got, want)
		}
		return nil
	})
}

// String is an edge for people.
func (e Edge) String() string {
	text := e.User + " offline"
	if e.Online {
		text = e.User + " online"
	}
	if e.Watchers {
		text += " watchers"
	}
	if len(e.Rooms) > 0 {
		slices.Sort(e.Rooms)
		text += " " + strings.Join(e.Rooms, ",")
	}
	if len(e.Except) > 0 {
		slices.Sort(e.Except)
		text += " except " + strings.Join(e.Except, ",")
	}
	return text
}
