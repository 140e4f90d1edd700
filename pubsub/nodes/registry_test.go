package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/ginforge/gateway/pubsub/redistest"
)

const (
	patience = 90 * time.Second
	testTTL  = 600 * time.Millisecond
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backends are the servers that nodes must work on.
var backends = map[string]func(*testing.T) string{
	"redis-server": func(t *testing.T) string { return redistest.Start(t).Addr() },
	"embedded": func(t *testing.T) string {
		s := miniredis.RunT(t)
		s.ClockTTL(true)
		return s.Addr()
	},
}

// onEach runs a test on each backend.
func onEach(t *testing.T, test func(t *testing.T, addr string)) {
	t.Helper()
	if c := cluster.Load(); c != nil && strings.HasPrefix(t.Name(), "TestInACluster/") {
		var addrs []string
		for _, n := range c.Nodes() {
			n.CLI("FLUSHALL")
			addrs = append(addrs, n.Addr())
		}
		test(t, strings.Join(addrs, ","))
		return
	}
	t.Parallel()
	for name, start := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// cluster is that of TestInACluster while it runs.
var cluster atomic.Pointer[redistest.Cluster]

// TestInACluster runs tests again on a Redis Cluster of three masters, one after the
// other: nodes reach the leases and hear each other through different ones.
func TestInACluster(t *testing.T) {
	t.Parallel()
	cluster.Store(redistest.StartCluster(t, 3, 0))
	for name, test := range map[string]func(*testing.T){
		"see each other": TestRegistry_NodesSeeEachOther,
		"dead node":      TestRegistry_DeadNodeIsGoneAfterItsLease,
		"one reaper":     TestRegistry_OneReaper,
		"stopped reaper": TestRegistry_StoppedReaperIsReplaced,
		"killed reaper":  TestRegistry_KilledReaperIsReplaced,
		"ask all":        TestRegistry_AskAll,
		"tell all":       TestRegistry_TellAll,
	} {
		t.Run(name, test)
	}
}

// connect makes a client of one server, or of a Cluster, whose addresses are joined.
func connect(addr string) redis.UniversalClient {
	if addrs := strings.Split(addr, ","); len(addrs) > 1 {
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, Protocol: 2, ReadTimeout: patience})
	}
	return redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, MaxRetries: -1, ReadTimeout: patience})
}

// testNode is a registry that runs, and hears its control channels.
type testNode struct {
	*Registry
	load   atomic.Pointer[Load]
	lives  chan Life
	cancel context.CancelFunc
	ended  chan struct{}
}

func start(t *testing.T, addr, id string, setup func(*testNode)) *testNode {
	t.Helper()
	client := connect(addr)
	n := &testNode{lives: make(chan Life, 100), ended: make(chan struct{})}
	n.load.Store(&Load{Connections: 10, MaxConnections: 1000, AcceptPerSecond: 100})
	var err error
	n.Registry, err = New(Config{ID: id, Name: strings.ToUpper(id), Prefix: "t:", TTL: testTTL, AnswerTimeout: patience},
		client, func() Load { return *n.load.Load() }, zerolog.Nop())
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	n.OnLife(func(l Life) { n.lives <- l })
	if setup != nil {
		setup(n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	sub := client.Subscribe(ctx, n.channel(""), n.channel(id))
	for range 2 {
		if _, err := sub.Receive(ctx); err != nil {
			t.Fatalf("subscribe: %v", err)
		}
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for {
			m, err := sub.ReceiveMessage(ctx)
			if ctx.Err() != nil || errors.Is(err, redis.ErrClosed) {
				return
			}
			if err == nil {
				n.Receive(m.Payload)
			}
		}
	}()
	go func() {
		_ = n.Run(ctx)
		close(n.ended)
	}()
	t.Cleanup(func() {
		n.stop()
		_ = sub.Close()
		<-heard
		_ = client.Close()
	})
	return n
}

func (n *testNode) stop() {
	n.cancel()
	<-n.ended
}

// age waits until the node has been there for long enough to clean up.
func (n *testNode) age(t *testing.T) {
	t.Helper()
	redistest.Eventually(t, patience, func() error {
		if life, age := n.life(); life == "" || age < testTTL {
			return fmt.Errorf("%s has held its lease for %v", n.ID(), age)
		}
		return nil
	})
}

// sees waits until the node knows exactly these others.
func (n *testNode) sees(t *testing.T, want ...string) {
	t.Helper()
	redistest.Eventually(t, patience, func() error {
		var got []string
		for _, other := range n.Live()[1:] {
			got = append(got, other.ID)
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("%s sees %q, want %q", n.ID(), got, want)
		}
		return nil
	})
}

func TestRegistry_NodesSeeEachOther(t *testing.T) {
	onEach(t, func(t *testing.T, addr string) {
		a, b := start(t, addr, "a", nil), start(t, addr, "b", nil)
		a.sees(t, "b")
		b.sees(t, "a")
		b.load.Store(&Load{Connections: 30, MaxConnections: 1000, AcceptPerSecond: 100, Draining: true})
		b.Refresh()
		redistest.Eventually(t, patience, func() error {
			if got := a.Live()[1]; got.Connections != 30 || !got.Draining || got.Spare != 0 || got.Name != "B" {
				return fmt.Errorf("a knows %+v of b, want 30 connections, draining, nothing to spare", got)
			}
			return nil
		})
		b.stop()
		a.sees(t)
	})
}

// A node that stops renewing, as a killed one does, is gone after its lease.
func TestRegistry_DeadNodeIsGoneAfterItsLease(t *testing.T) {
	onEach(t, func(t *testing.T, addr string) {
		a := start(t, addr, "a", nil)
		ghost := connect(addr)
		defer ghost.Close()
		r, err := New(Config{ID: "ghost", Prefix: "t:", TTL: testTTL}, ghost, func() Load { return Load{} }, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.refresh(t.Context()); err != nil {
			t.Fatalf("refresh: %v", err)
		}
		a.sees(t, "ghost")
		a.sees(t)
		redistest.Eventually(t, patience, func() error {
			lives, err := a.Ended(t.Context(), 100*time.Millisecond)
			if err == nil && !slices.Equal(lives, []string{"ghost"}) {
				return fmt.Errorf("Ended = %q, want the ghost", lives)
			}
			return err
		})
		if err := a.Forget(t.Context(), "ghost"); err != nil {
			t.Fatalf("Forget: %v", err)
		}
		if lives, err := a.Ended(t.Context(), 0); err != nil || len(lives) > 0 {
			t.Errorf("Ended after Forget = %q, %v; want none", lives, err)
		}
	})
}

// Only one node cleans up at a time.
func TestRegistry_OneReaper(t *testing.T) {
	onEach(t, func(t *testing.T, addr string) {
		a, b := start(t, addr, "a", nil), start(t, addr, "b", nil)
		c := start(t, addr, "c", nil)
		a.sees(t, "b", "c")
		c.stop()
		var reaper *testNode
		redistest.Eventually(t, patience, func() error {
			for _, n := range []*testNode{a, b} {
				if lives, err := n.Ended(t.Context(), 0); err != nil {
					return err
				} else if slices.Contains(lives, "c") {
					reaper = n
				}
			}
			if reaper == nil {
				return errors.New("nobody cleans up after c")
			}
			return nil
		})
		other := a
		if reaper == a {
			other = b
		}
		if lives, err := other.Ended(t.Context(), 0); err != nil || len(lives) > 0 {
			t.Errorf("Ended at the second node = %q, %v; want none while the first is at it", lives, err)
		}
	})
}

// reaps waits until it is the node's turn to clean up.
func (n *testNode) reaps(t testing.TB, life string) {
	t.Helper()
	redistest.Eventually(t, patience, func() error {
		lives, err := n.Ended(t.Context(), 0)
		if err == nil && !slices.Contains(lives, life) {
			err = fmt.Errorf("%s may clean up after %q, want %s among them", n.ID(), lives, life)
		}
		return err
	})
}

// A reaper that stops in good order leaves its turn to the others at once.
func TestRegistry_StoppedReaperIsReplaced(t *testing.T) {
	onEach(t, func(t *testing.T, addr string) {
		a, b, c := start(t, addr, "a", nil), start(t, addr, "b", nil), start(t, addr, "c", nil)
		a.sees(t, "b", "c")
		c.stop()
		b.age(t)
		a.reaps(t, "c")
		a.stop()
		client := connect(addr)
		defer client.Close()
		if reaper, err := client.HGet(t.Context(), "t:nodes", "reaper").Result(); !errors.Is(err, redis.Nil) {
			t.Errorf("after the reaper has stopped it is the turn of %q, %v; want nobody's", reaper, err)
		}
		b.reaps(t, "a")
	})
}

// A reaper that dies is replaced when its lease is over, long before its turn is.
func TestRegistry_KilledReaperIsReplaced(t *testing.T) {
	onEach(t, func(t *testing.T, addr string) {
		b := start(t, addr, "b", nil)
		client := connect(addr)
		defer client.Close()
		b.age(t)
		redistest.InTime(t, 3*time.Second, func(t *redistest.Attempt, lease time.Duration) {
			if err := client.HDel(t.Context(), "t:nodes", "reaper").Err(); err != nil { // it may be b's turn since the last attempt
				t.Fatal(err)
			}
			id := fmt.Sprint("a", lease)
			a, err := New(Config{ID: id, Prefix: "t:", TTL: lease}, client, func() Load { return Load{} }, zerolog.Nop())
			if err != nil {
				t.Fatal(err)
			}
			t.By(time.Now().Add(lease)) // there is time to see that it holds
			if err := a.refresh(t.Context()); err != nil {
				t.Fatalf("refresh: %v", err)
			}
			a.since = a.since.Add(-time.Hour) // it has been there for long
			if _, err := a.Ended(t.Context(), 0); err != nil {
				t.Fatalf("Ended: %v", err)
			}
			if lives, err := b.Ended(t.Context(), 0); err != nil || len(lives) > 0 {
				t.Errorf("Ended while the reaper lives = %q, %v; want none", lives, err)
			}
			t.InTime()
			t.By(time.Now().Add(2 * lease)) // its turn is longer
			b.reaps(t, id)
			t.InTime()
		})
	})
}

func TestRegistry_LostLeaseBeginsNewLife(t *testing.T) {
	onEach(t, func(t *testing.T, addr string) {
		a := start(t, addr, "a", nil)
		if l := <-a.lives; l != (Life{Name: "a"}) {
			t.Fatalf("the first life is %+v, want a", l)
		}
		client := connect(addr)
		defer client.Close()
		if err := client.HDel(t.Context(), "t:nodes", "@a").Err(); err != nil { // as somebody who has cleaned up
			t.Fatal(err)
		}
		if l := <-a.lives; l != (Life{Name: "a.2"}) {
			t.Errorf("after somebody has cleaned up the life is %+v, want a.2", l)
		}
		redistest.Eventually(t, patience, func() error {
			n, err := client.HExists(t.Context(), "t:nodes", "@a.2").Result()
			if err == nil && !n {
				return errors.New("a.2 has no lease")
			}
			return err
		})
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if l := <-a.lives; l != (Life{Name: "a.3", DataLost: true}) {
			t.Errorf("after Redis has lost its data the life is %+v, want a.3 and DataLost", l)
		}
	})
}

func TestRegistry_Window(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		own         Load
		others      []Node
		connections int64
		want        time.Duration
	}{
		"alone, back after a restart":  {own: Load{AcceptPerSecond: 1000}, connections: 20_000, want: 40 * time.Second},
		"two others share":             {others: []Node{{ID: "b", Spare: 1000}, {ID: "c", Spare: 1500}}, connections: 20_000, want: 16 * time.Second},
		"a node that will fill up":     {others: []Node{{ID: "b", Spare: 1000, Load: Load{Connections: 19_990}}}, connections: 10, want: 20 * time.Second},
		"a node with more than others": {others: []Node{{ID: "b", Spare: 1000, Load: Load{Connections: 10}}}, connections: 20_000, want: 40 * time.Second},
		"few connections":              {others: []Node{{ID: "b", Spare: 1000}}, connections: 10, want: 5 * time.Second},
		"nobody has anything to spare": {others: []Node{{ID: "b"}}, connections: 10, want: time.Minute},
		"too many":                     {others: []Node{{ID: "b", Spare: 1}}, connections: 10_000, want: time.Minute},
		"no connections":               {others: []Node{{ID: "b"}}, want: 5 * time.Second},
	} {
		r, err := New(Config{ID: "a"}, nil, nil, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		r.saw(Node{ID: "a", Life: "a", Load: c.own}, view{live: c.others}, time.Now())
		if got := r.Window(c.connections, 5*time.Second, time.Minute); got != c.want {
			t.Errorf("%s: Window(%d) = %v, want %v", name, c.connections, got, c.want)
		}
	}
}

func TestLoad_Spare(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		load     Load
		arrivals float64
		want     int
	}{
		"idle":           {Load{MaxConnections: 1000, AcceptPerSecond: 100}, 0, 100},
		"busy":           {Load{MaxConnections: 1000, AcceptPerSecond: 100}, 70, 30},
		"over":           {Load{MaxConnections: 1000, AcceptPerSecond: 100}, 170, 0},
		"nearly full":    {Load{Connections: 990, MaxConnections: 1000, AcceptPerSecond: 100}, 0, 10},
		"full":           {Load{Connections: 1000, MaxConnections: 1000, AcceptPerSecond: 100}, 0, 0},
		"going to leave": {Load{MaxConnections: 1000, AcceptPerSecond: 100, Draining: true}, 0, 0},
	} {
		if got := c.load.spare(c.arrivals); got != c.want {
			t.Errorf("%s: spare = %d, want %d", name, got, c.want)
		}
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(`{"from":"b","op":"echo","ask":1,"args":"x"}`)
	f.Add(`{"from":"b","answer":1,"data":{}}`)
	f.Add(`{"from":"a"}`)
	r, err := New(Config{ID: "a"}, nil, nil, zerolog.Nop())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(_ *testing.T, payload string) {
		r.Receive(payload)
		select {
		case <-r.orders:
		default:
		}
	})
}
