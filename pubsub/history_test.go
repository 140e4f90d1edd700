package pubsub

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/redistest"
	"github.com/ginforge/gateway/pubsub/stream"
)

// room follows a log as package room does: what it has not heard it reads.
type room struct {
	key stream.Key
	bus *Bus // set before anything comes

	mu      sync.Mutex // guards the fields below
	last    uint64
	heard   []string
	reading bool
}

func (r *room) handle(d Delivery) {
	if d.Kind != LogKind(r.key.Kind) || d.Name != r.key.Name {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case d.Resumed, d.Position.Offset > r.last+1:
		r.readLocked()
	case d.Position.Offset == r.last+1 && d.Payload != "":
		r.last, r.heard = d.Position.Offset, append(r.heard, d.Payload)
	}
}

// readLocked reads what is missing, one read at a time, until one has succeeded.
func (r *room) readLocked() {
	if r.reading {
		return
	}
	r.reading = true
	go r.read()
}

// read ends when Redis has answered, or the bus has ended.
func (r *room) read() {
	for {
		done := make(chan error, 1)
		err := r.bus.ReadLog(r.key, 0, 1000, func(p stream.Page, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, e := range p.Entries {
				if e.Offset > r.last {
					r.last, r.heard = e.Offset, append(r.heard, e.Payload)
				}
			}
			if err == nil {
				r.reading = false
			}
			done <- err
		})
		if err == nil {
			err = <-done
		}
		if err == nil || errors.Is(err, ErrClosed) {
			return
		}
	}
}

// expect waits for all that was ever said in the room, in order.
func (r *room) expect(tb testing.TB, want ...string) {
	tb.Helper()
	redistest.Eventually(tb, patience, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if got := strings.Join(r.heard, " "); got != strings.Join(want, " ") {
			return fmt.Errorf("the room has heard %q, want %q", got, want)
		}
		return nil
	})
}

// follow runs a bus that follows a room.
func follow(tb testing.TB, cfg Config, k stream.Key) (*testBus, *room) {
	tb.Helper()
	r := &room{key: k}
	var b *testBus
	b = open(tb, cfg, func(d Delivery) {
		b.inbox.handle(d)
		r.handle(d)
	})
	r.bus = b.Bus
	b.run(tb)
	b.waitConnected(tb, true)
	b.subscribe(tb, LogKind(k.Kind), k.Name)
	return b, r
}

// TestBus_TheMasterHangs: Sentinel replaces a master that has stopped without
// closing a connection, long before its silence is a reason to leave. What is said
// afterwards reaches all nodes soon, those that have said nothing included.
func TestBus_TheMasterHangs(t *testing.T) {
	t.Parallel()
	s, k := startSentinel(t), stream.Key{Name: "r"}
	cfg := testConfig(s.url())
	cfg.HealthInterval = time.Minute
	publishes, own := follow(t, cfg, k)
	_, idle := follow(t, cfg, k)
	publishes.subscribe(t, KindRoom, "plain")
	want := []string{"m1", "m2"}
	for _, text := range want {
		publishes.appendUntilTaken(t, k.Name, text)
	}
	own.expect(t, want...)
	idle.expect(t, want...)
	redistest.Eventually(t, patience, func() error {
		if o := s.replica.CLI("HGET", "websocket:log:{room:r}:meta", "o"); o != "2" {
			return fmt.Errorf("the replica has %q", o)
		}
		return nil
	})

	s.master.Pause()
	redistest.Eventually(t, patience, func() error {
		if got := s.sentinel.CLI("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"); !strings.Contains(got, strconv.Itoa(s.replica.Port())) {
			return fmt.Errorf("the master is %q", got)
		}
		return nil
	})
	begin := time.Now()
	redistest.Eventually(t, patience, func() error { return publishes.publish(t, KindRoom, "plain", "x") })
	redistest.Eventually(t, patience, func() error { // its reader may be a moment behind
		if len(publishes.inbox.of(KindRoom)) == 0 {
			return errors.New("what Redis has taken is not heard where it was said")
		}
		return nil
	})
	for n := 3; n <= 6; n++ {
		text := fmt.Sprint("m", n)
		want = append(want, text)
		publishes.appendUntilTaken(t, k.Name, text)
	}
	own.expect(t, want...)
	idle.expect(t, want...)
	t.Logf("all is heard %v after the failover", time.Since(begin))
}

// of returns the payloads of a kind.
func (in *inbox) of(kind Kind) (payloads []string) {
	for _, m := range in.all() {
		if m.kind == kind {
			payloads = append(payloads, m.payload)
		}
	}
	return payloads
}

// TestLink_KnowsItsOwnServer: a failover comes between the subscribed connection and
// those by which is appended. The master before is alive, and so says nothing of it.
func TestLink_KnowsItsOwnServer(t *testing.T) {
	t.Parallel()
	before, after := redistest.Start(t), redistest.Start(t)
	cfg := testConfig("redis://" + redistest.StartProxy(t, func(n int) string {
		if n == 0 { // the subscribed one
			return before.Addr()
		}
		return after.Addr()
	}))
	k := stream.Key{Name: "r"}
	b, r := follow(t, cfg, k)
	b.appendUntilTaken(t, k.Name, "a")
	r.expect(t, "a")
	if r := b.Appender().Append(t.Context(), ordered(stream.Key{Name: "other"}, 1))[0]; r.Err != nil {
		t.Errorf("Append where the link is = %v", r.Err)
	}
	if got := before.CLI("DBSIZE"); got != "0" {
		t.Errorf("the server before has %s keys, want none", got)
	}
}

// TestBus_FollowsItsName: another server has come in place of the one before, which
// lives and keeps its connections. Who does not dial of itself is at the other one soon
// too, and no call is cut off that waits.
func TestBus_FollowsItsName(t *testing.T) {
	t.Parallel()
	ctx, before, after := t.Context(), redistest.Start(t), redistest.Start(t)
	var named atomic.Pointer[redistest.Server]
	named.Store(before)
	b := open(t, testConfig("redis://"+redistest.StartProxy(t, func(int) string { return named.Load().Addr() })), nil)
	defer b.Close()
	own := b.NewClient()
	defer own.Close()
	before.CLI("SET", "where", "before")
	after.CLI("SET", "where", "after")
	waited := make(chan error, 1)
	go func() { waited <- own.BLPop(ctx, 0, "list").Err() }() // ends with own
	redistest.Eventually(t, patience, func() error {
		if list := before.CLI("CLIENT", "LIST"); !strings.Contains(list, "cmd=blpop") {
			return errors.New("nobody waits")
		}
		return nil
	})
	for _, c := range []redis.UniversalClient{b.Commands(), own} {
		if where := c.Get(ctx, "where").Val(); where != "before" {
			t.Fatalf("begins %s the change", where)
		}
	}
	named.Store(after)
	for _, c := range []redis.UniversalClient{b.Commands(), own} {
		redistest.Eventually(t, patience, func() error {
			if where, err := c.Get(ctx, "where").Result(); where != "after" {
				return fmt.Errorf("is still where it was %s the change: %w", where, err)
			}
			return nil
		})
	}
	before.CLI("RPUSH", "list", "x")
	if err := wait(t, waited, "answer"); err != nil {
		t.Errorf("the call that waits: %v", err)
	}
}

// TestLink_ADeadSentinel: the one that the link asks hangs when another has a new
// master. The master before lives, and so says nothing of it.
func TestLink_ADeadSentinel(t *testing.T) {
	t.Parallel()
	s := startSentinel(t)
	other := redistest.StartSentinel(t, "main", s.master)
	other.Kill() // so that the link asks the first
	cfg := testConfig("redis+sentinel://" + s.sentinel.Addr() + "," + other.Addr() + "/main")
	cfg.HealthInterval = time.Hour // nobody waits for a silence
	connected(t, cfg, nil)
	other.Restart()
	s.sentinel.Pause()
	s.replica.CLI("REPLICAOF", "NO", "ONE")
	moveSentinel(other, s.replica)
	begin := time.Now()
	redistest.Eventually(t, patience, func() error {
		if list := s.replica.CLI("PUBSUB", "CHANNELS", "websocket:*"); list == "" {
			return errors.New("nobody is subscribed at the new master")
		}
		return nil
	})
	t.Logf("subscribed %v after the failover", time.Since(begin))
}

// TestLink_EndsWithItsLooks: one that waits for an answer keeps nobody.
func TestLink_EndsWithItsLooks(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var dialed atomic.Int64
	cfg := testConfig("redis://" + redistest.StartProxy(t, func(n int) string {
		dialed.Store(int64(n) + 1)
		return server.Addr()
	}))
	cfg.HealthInterval = time.Hour // nobody waits for a silence
	b := connected(t, cfg, nil)
	server.Pause()
	defer server.Resume()
	enough := dialed.Load() + 2
	redistest.Eventually(t, patience, func() error {
		if n := dialed.Load(); n < enough {
			return fmt.Errorf("%d connections, want %d", n, enough)
		}
		return nil
	})
	begin := time.Now()
	b.stop()
	if took := time.Since(begin); took > 2*time.Second { // a look would take watchTimeout
		t.Errorf("the link has taken %v to end", took)
	}
}

// TestLook_DialsAndLeavesLittle: each look is a connection of its own, and what looks
// leave behind in a minute is not worth a collection.
func TestLook_DialsAndLeavesLittle(t *testing.T) { //nolint:paralleltest // it counts what the process allocates
	server := redistest.Start(t)
	var dialed int64
	where, err := parseURL("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	where.options.OnConnect = func(context.Context, *redis.Conn) error { dialed++; return nil }
	client := newLookClient(where)
	defer client.Close()
	node, err := oneNode(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	look(t.Context(), node) // what is made once is made
	const looks, most = 20, 16 << 10
	dialed = 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range looks {
		look(t.Context(), node)
	}
	runtime.ReadMemStats(&after)
	if dialed != looks {
		t.Errorf("%d connections for %d looks", dialed, looks)
	}
	if each := (after.TotalAlloc - before.TotalAlloc) / looks; each > most {
		t.Errorf("a look allocates %d bytes, want at most %d", each, most)
	}
}
