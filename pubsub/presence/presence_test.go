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

const patience = 10 * time.Second

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
	return newWorldOf(t, redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, MaxRetries: -1}))
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

func TestPresence_TwoNodesOneEdge(t *testing.T) {
	onEach(t, func(_ *testing.T, w *world) {
		a, b := w.node("a", Policy{}), w.node("b", Policy{})
		a.set("u1", true)
		b.set("u1", true)
		a.set("u1", false)
		w.edges("u1 online watchers")
		b.set("u1", false)
		w.edges("u1 online watchers", "u1 offline watchers")
		if n := w.client.Exists(w.t.Context(), "t:presence:{u1}").Val(); n != 0 {
			t.Error("the hash of a user who is offline is still there")
		}
	})
}

func TestPresence_OnlineAnywhere(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a, b := w.node("a", Policy{}), w.node("b", Policy{})
		a.set("u1", true)
		got, err := b.Online(t.Context(), []string{"u0", "u1"})
		if err != nil || !slices.Equal(got, []bool{false, true}) {
			t.Errorf("Online = %v, %v; want u1 alone", got, err)
		}
		if got, err := b.Online(t.Context(), nil); err != nil || len(got) != 0 {
			t.Errorf("Online of nobody = %v, %v", got, err)
		}
	})
}

func TestPresence_RoomsAreTold(t *testing.T) {
	onEach(t, func(_ *testing.T, w *world) {
		a, b := w.node("a", Policy{}), w.node("b", Policy{})
		a.set("u1", true, "r1", "r2")
		w.edges("u1 online watchers r1,r2")
		b.set("u1", true, "r2", "r3") // r2 knows already
		w.edges("u1 online watchers r1,r2", "u1 online r3 except r1,r2")
		b.set("u1", true, "r3", "r2") // the same
		a.set("u1", true, "r2")       // left r1
		a.set("u1", true, "r1", "r2") // and came again
		w.edges("u1 online watchers r1,r2", "u1 online r3 except r1,r2", "u1 online r1 except r2,r3")
		a.set("u1", false)
		b.set("u1", false)
		w.edges("u1 online watchers r1,r2", "u1 online r3 except r1,r2", "u1 online r1 except r2,r3",
			"u1 offline watchers r1,r2,r3")
	})
}

// Names and rooms may hold anything but control characters.
func TestPresence_NamesArriveAsTheyAre(t *testing.T) {
	onEach(t, func(_ *testing.T, w *world) {
		a := w.node("a", Policy{})
		user := `ü{1}"\'`
		a.set(user, true, `r "1"\`, "房间")
		a.set(user, false)
		w.edges(user+` online watchers r "1"\,房间`, user+` offline watchers r "1"\,房间`)
		w.mu.Lock()
		defer w.mu.Unlock()
		if got := w.heard[0].Name; got != "Name of "+user {
			w.t.Errorf("the name is %q", got)
		}
	})
}

// A node dies with 500 users, most come back at another, some do not: only those
// are told of, once.
func TestPresence_DeadNode(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a, b := w.node("a", Policy{}), w.node("b", Policy{})
		users := make([]string, 500)
		a.mu.Lock()
		for i := range users {
			users[i] = fmt.Sprintf("u%03d", i)
			a.states[users[i]] = State{Here: true, Name: "x", Rooms: []string{"r"}}
		}
		a.mu.Unlock()
		a.Again(true) // nobody is told
		a.settle()
		w.edges()
		a.stop()
		b.mu.Lock()
		for _, u := range users[2:] {
			b.states[u] = State{Here: true, Name: "x", Rooms: []string{"r"}}
		}
		b.mu.Unlock()
		b.Again(false)
		b.settle()
		w.edges() // they were online all the time
		w.mu.Lock()
		w.dead = []string{"a"}
		w.mu.Unlock()
		redistest.Eventually(t, patience, func() error {
			if got := b.Stats().Reaped; got != 500 {
				return fmt.Errorf("%d users taken off, want 500", got)
			}
			return nil
		})
		redistest.Eventually(t, patience, func() error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(w.heard) != 2 {
				return fmt.Errorf("%d edges, want 2", len(w.heard))
			}
			return nil
		})
		w.mu.Lock()
		got := []string{w.heard[0].String(), w.heard[1].String()}
		w.mu.Unlock()
		slices.Sort(got)
		if want := []string{"u000 offline watchers r", "u001 offline watchers r"}; !slices.Equal(got, want) {
			t.Errorf("edges %q, want %q", got, want)
		}
		redistest.Eventually(t, patience, func() error {
			keys, err := w.keys(t.Context())
			if err == nil && len(keys) != 500 { // 498 users, the set of b, and the edges
				err = fmt.Errorf("%d keys are left, want 500", len(keys))
			}
			return err
		})
	})
}

// What Redis has forgotten is written again when it is back, and what it should
// have forgotten is removed.
func TestPresence_ComparedAgainWhenRedisIsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redistest.Start(t).Addr())
	a := w.node("a", Policy{})
	a.set("u1", true)
	w.edges("u1 online watchers")
	ctx := t.Context()
	w.client.Del(ctx, "t:presence:{u1}")
	w.client.HSet(ctx, "t:presence:{u2}", "a", "\n\nName of u2")
	w.client.SAdd(ctx, "t:online:a", "u2")
	if err := a.verify(ctx); err != nil {
		t.Fatalf("verify: %v", err)
	}
	a.settle()
	got, err := a.Online(ctx, []string{"u1", "u2"})
	if err != nil || !slices.Equal(got, []bool{true, false}) {
		t.Errorf("Online = %v, %v; want u1 alone", got, err)
	}
}

// While Redis is away changes gather, a user counts once, and then all is written.
func TestPresence_RedisAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	w := newWorld(t, server.Addr())
	a := w.node("a", Policy{})
	a.set("u1", true)
	server.Kill()
	a.mu.Lock()
	a.states["u2"] = State{Here: true, Name: "x"}
	a.mu.Unlock()
	for range 1000 {
		a.Changed("u2")
	}
	redistest.Eventually(t, patience, func() error {
		if s := a.Stats(); s.Failures == 0 || s.Waiting > 1 {
			return fmt.Errorf("%+v: want a failure, and u2 waiting", s)
		}
		return nil
	})
	server.Restart()
	redistest.Eventually(t, patience, func() error {
		got, err := a.Online(t.Context(), []string{"u2"})
		if err == nil && !got[0] {
			err = errors.New("u2 is not online")
		}
		return err
	})
}

func TestEdges_EachOnce(t *testing.T) {
	t.Parallel()
	var edges Edges
	read := func(payload string) bool {
		t.Helper()
		_, first, err := edges.Read(payload)
		if err != nil {
			t.Fatalf("Read(%q): %v", payload, err)
		}
		return first
	}
	edge := `{"i":"a/1.1","u":"u1","o":true,"w":true,"r":["x"]}`
	if !read(edge) || read(edge) || read(edge) {
		t.Error("an edge on several channels was not let through once")
	}
	for i := range 3 * maxEdges {
		if !read(fmt.Sprintf(`{"i":"b/%d.1","u":"u1","r":["x","y"]}`, i)) {
			t.Fatal("a new edge was held back")
		}
	}
	if len(edges.seen) > maxEdges {
		t.Errorf("%d edges are remembered, want at most %d", len(edges.seen), maxEdges)
	}
	if _, _, err := edges.Read("nonsense"); err == nil {
		t.Error("nonsense was read without an error")
	}
}

func FuzzEdges(f *testing.F) {
	f.Add(`{"i":"a/1.1","u":"u1","n":"Ann","o":true,"w":true,"r":["x"],"x":["y"]}`)
	f.Fuzz(func(_ *testing.T, payload string) {
		var edges Edges
		_, _, _ = edges.Read(payload)
	})
}
