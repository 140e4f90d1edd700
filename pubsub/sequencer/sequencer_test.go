package sequencer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
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
	"github.com/ginforge/gateway/pubsub/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 60 * time.Second

var rules = stream.Rules{Size: 100_000, TTL: time.Hour}

// cluster is sequencers that share one Redis.
type cluster struct {
	t     testing.TB
	addr  string
	redis *redis.Client
	store *stream.Store
	nodes []*node
	every time.Duration // of the nodes' feeds; 0: as in production
}

// node is a Sequencer that runs until it is stopped.
type node struct {
	*Sequencer
	cancel context.CancelFunc
	ended  chan struct{}
	dialed atomic.Int64 // connections of its feeds
}

func newCluster(t testing.TB, addr string) *cluster {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, Protocol: 2})
	t.Cleanup(func() { _ = client.Close() })
	return &cluster{t: t, addr: addr, redis: client, store: stream.New(client, stream.Options{Prefix: "websocket:"})}
}

// resolve gives rooms and users logs.
func resolve(channel string) (stream.Key, bool) {
	kind, name, _ := strings.Cut(channel, ":")
	switch kind {
	case "room":
		return stream.Key{Kind: stream.Room, Name: name}, true
	case "user", "notification":
		return stream.Key{Kind: stream.User, Name: name}, true
	}
	return stream.Key{}, false
}

// prepare takes a payload "ID=TEXT" as text with an id.
func prepare(channel, payload string) (stream.Append, error) {
	if payload == "poison" {
		return stream.Append{}, errors.New("is poison")
	}
	key, _ := resolve(channel)
	id, text, found := strings.Cut(payload, "=")
	if !found {
		id, text = "", payload
	}
	return stream.Append{Key: key, Rules: rules, Payload: []byte(text), Dedupe: id}, nil
}

// start runs one more node.
func (c *cluster) start() *node {
	c.t.Helper()
	commands := redis.NewClient(&redis.Options{Addr: c.addr, MaxRetries: -1, Protocol: 2, ContextTimeoutEnabled: true})
	cfg := Config{
		Node: fmt.Sprint("node-", len(c.nodes)), Prefix: "websocket:", Resolve: resolve, Prepare: prepare,
		Patterns: []string{"websocket:room:chat:*", "websocket:user:*", "websocket:notification:*"},
		LeaseTTL: 1500 * time.Millisecond, MarkEvery: 50 * time.Millisecond, Settle: 50 * time.Millisecond,
	}
	n := &node{ended: make(chan struct{})}
	own := func() redis.UniversalClient {
		return redis.NewClient(&redis.Options{
			Addr: c.addr, MaxRetries: -1, Protocol: 2, ContextTimeoutEnabled: true,
			Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
				n.dialed.Add(1)
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
		})
	}
	s, err := New(cfg, commands, own, stream.New(commands, stream.Options{Prefix: "websocket:"}),
		zerolog.New(zerolog.NewTestWriter(c.t)).With().Str("node", cfg.Node).Logger())
	if err != nil {
		c.t.Fatalf("New: %v", err)
	}
	s.every = cmp.Or(c.every, s.every)
	ctx, cancel := context.WithCancel(context.Background())
	n.Sequencer, n.cancel = s, cancel
	go func() { // ends with stop
		_ = s.Run(ctx)
		close(n.ended)
	}()
	c.nodes = append(c.nodes, n)
	c.t.Cleanup(func() {
		n.stop(c.t)
		_ = commands.Close()
	})
	c.eventually(func() error {
		if !n.Ready() {
			return fmt.Errorf("%s is not ready: %+v", cfg.Node, n.Stats())
		}
		return nil
	})
	return n
}

func (n *node) stop(t testing.TB) {
	t.Helper()
	n.cancel()
	select {
	case <-n.ended:
	case <-time.After(patience):
		t.Fatalf("%s does not stop", n.cfg.Node)
	}
}

func (c *cluster) eventually(check func() error) {
	c.t.Helper()
	redistest.Eventually(c.t, patience, check)
}

// roles waits until so many nodes lead all partitions, and so many stand by.
func (c *cluster) roles(leading, standby int) {
	c.t.Helper()
	c.eventually(func() error {
		l, s := 0, 0
		for _, n := range c.nodes {
			l, s = l+n.Stats().Leading, s+n.Stats().Standby
		}
		if l != leading*Partitions || s != standby*Partitions {
			return fmt.Errorf("%d partitions are led and %d have a standby", l, s)
		}
		return nil
	})
}

func (c *cluster) publish(channel, payload string) {
	c.t.Helper()
	if err := c.redis.Publish(context.Background(), "websocket:"+channel, payload).Err(); err != nil {
		c.t.Fatalf("PUBLISH: %v", err)
	}
}

// kept returns the messages of a channel's log.
func (c *cluster) kept(channel string) (texts []string) {
	c.t.Helper()
	key, _ := resolve(channel)
	for after := uint64(0); ; {
		page, err := c.store.Read(context.Background(), key, after, 10_000)
		if err != nil {
			c.t.Fatalf("Read: %v", err)
		}
		for _, e := range page.Entries {
			after++
			if e.Offset != after {
				c.t.Fatalf("offset %d follows %d in %s", e.Offset, after-1, channel)
			}
			texts = append(texts, e.Payload)
		}
		if len(page.Entries) == 0 {
			return texts
		}
	}
}

// want waits until a log holds exactly these messages.
func (c *cluster) want(channel string, texts ...string) {
	c.t.Helper()
	c.eventually(func() error {
		if got := c.kept(channel); !slices.Equal(got, texts) {
			return fmt.Errorf("%s has %d messages %.200q, want %d", channel, len(got), got, len(texts))
		}
		return nil
	})
}

// load publishes numbers in several rooms until it is stopped, and says how
// many each has.
type load struct {
	c       *cluster
	stop    chan struct{}
	stopped chan int
}

const rooms = 12

func (c *cluster) load() *load {
	l := &load{c: c, stop: make(chan struct{}), stopped: make(chan int)}
	go func() { // ends with finish
		for n := 0; ; n++ {
			select {
			case <-l.stop:
				l.stopped <- n
				return
			default:
			}
			pipe := c.redis.Pipeline()
			for r := range rooms {
				pipe.Publish(context.Background(), fmt.Sprintf("websocket:room:chat:%d", r), fmt.Sprint(n))
			}
			if _, err := pipe.Exec(context.Background()); err != nil {
				c.t.Errorf("PUBLISH: %v", err)
			}
		}
	}()
	return l
}

// pass lets the load run until so many more messages are in a log.
func (l *load) pass(more int) {
	l.c.t.Helper()
	key := stream.Key{Kind: stream.Room, Name: "chat:0"}
	position := func() uint64 {
		p, err := l.c.store.Positions(context.Background(), []stream.Key{key})
		if err != nil {
			l.c.t.Fatal(err)
		}
		return p[0].Offset
	}
	from := position()
	l.c.eventually(func() error {
		if now := position(); now < from+uint64(more) {
			return fmt.Errorf("%d messages, waiting for %d", now, from+uint64(more))
		}
		return nil
	})
}

// finish stops the load and waits until all is in the logs, once and in order.
func (l *load) finish() {
	l.c.t.Helper()
	close(l.stop)
	n := <-l.stopped
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprint(i))
	}
	for r := range rooms {
		l.c.want(fmt.Sprintf("room:chat:%d", r), texts...)
	}
	l.c.t.Logf("%d messages in each of %d rooms", n, rooms)
}

func TestSequencer_ThreeNodesOnePlace(t *testing.T) {
	t.Parallel()
	for name, addr := range map[string]func(*testing.T) string{
		"redis-server": func(t *testing.T) string { return redistest.Start(t).Addr() },
		"embedded":     func(t *testing.T) string { return miniredis.RunT(t).Addr() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, addr(t))
			for range 3 {
				c.start()
			}
			c.roles(1, 1)
			c.publish("room:chat:1", "one")
			c.publish("room:chat:1", "poison")
			c.publish("room:chat:1", "id=two")
			c.publish("room:chat:1", "id=two again")
			c.publish("room:chat:1", "three")
			c.publish("room:other:1", "not followed")
			c.publish("user:ann", "first")
			c.publish("notification:ann", "second")
			c.publish("user:ann", "third")
			c.want("room:chat:1", "one", "two", "three")
			c.want("user:ann", "first", "second", "third")
			c.want("room:other:1")
			c.eventually(func() error {
				var all Stats
				for _, n := range c.nodes {
					s := n.Stats()
					all.Sequenced, all.Invalid, all.Duplicates = all.Sequenced+s.Sequenced, all.Invalid+s.Invalid, all.Duplicates+s.Duplicates
					all.Buffered += s.Buffered
				}
				if all != (Stats{Sequenced: 6, Invalid: 1, Duplicates: 1}) {
					return fmt.Errorf("%+v", all)
				}
				return nil
			})
		})
	}
}

func TestSequencer_LeaderLeaves(t *testing.T) {
	t.Parallel()
	c := newCluster(t, redistest.Start(t).Addr())
	first := c.start()
	l := c.load()
	l.pass(100)
	c.start()
	c.roles(1, 1)
	l.pass(100)
	first.stop(t)
	l.pass(100)
	c.start()
	c.nodes = c.nodes[1:]
	c.roles(1, 1)
	l.finish()
}

func TestSequencer_LeaderIsCutOff(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := newCluster(t, server.Addr())
	c.start()
	c.start()
	c.start()
	l := c.load()
	for cut := uint64(1); cut <= 3; cut++ {
		c.roles(1, 1)
		l.pass(100)
		// The leader's connection is the oldest that has subscribed.
		var oldest, age int
		for line := range strings.Lines(server.CLI("CLIENT", "LIST", "TYPE", "PUBSUB")) {
			var id, a int
			for _, field := range strings.Fields(line) {
				if v, ok := strings.CutPrefix(field, "id="); ok {
					_, _ = fmt.Sscan(v, &id)
				}
				if v, ok := strings.CutPrefix(field, "age="); ok {
					_, _ = fmt.Sscan(v, &a)
				}
			}
			if oldest == 0 || id < oldest {
				oldest, age = id, a
			}
		}
		t.Logf("cutting %d, %d s old", oldest, age)
		server.CLI("CLIENT", "KILL", "ID", fmt.Sprint(oldest))
		// Until it has noticed it says that all is well, and the next would be cut off
		// at the same time.
		c.eventually(func() error {
			var breaks uint64
			for _, n := range c.nodes {
				breaks += n.Stats().Breaks
			}
			if breaks < cut {
				return fmt.Errorf("%d have noticed that they were cut off, want %d", breaks, cut)
			}
			return nil
		})
		l.pass(100)
	}
	c.roles(1, 1)
	l.finish()
}

// TestSequencer_RedisRestarts has everybody cut off at once; what was heard
// before must not be lost, nor what is published after.
func TestSequencer_RedisRestarts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	c := newCluster(t, server.Addr())
	c.start()
	c.start()
	c.roles(1, 1)
	for i := range 100 {
		c.publish("room:chat:1", fmt.Sprint(i))
	}
	// Redis answers who publishes before it writes to who follows, and what it has
	// not written when it is killed nobody has heard. The answer to the next command
	// comes after both.
	if err := c.redis.Ping(t.Context()).Err(); err != nil {
		t.Fatalf("PING: %v", err)
	}
	server.Restart()
	var texts []string
	for _, n := range c.nodes {
		c.eventually(func() error {
			if n.Stats().Breaks == 0 {
				return fmt.Errorf("%s has not noticed", n.cfg.Node)
			}
			return nil
		})
	}
	c.roles(1, 1)
	for i := range 200 {
		texts = append(texts, fmt.Sprint(i))
	}
	for i := range 100 {
		c.publish("room:chat:1", fmt.Sprint(i+100))
	}
	c.want("room:chat:1", texts...)
}

// TestSequencer_BurstWaits: what comes faster than it can be appended is not
// dropped, but left with Redis.
func TestSequencer_BurstWaits(t *testing.T) {
	t.Parallel()
	c := newCluster(t, redistest.Start(t).Addr())
	first := c.start()
	c.start()
	c.roles(1, 1)
	const burst = 2 * maxOwed
	var texts []string
	pipe := c.redis.Pipeline()
	for i := range burst {
		texts = append(texts, fmt.Sprint(i))
		pipe.Publish(context.Background(), "websocket:room:chat:1", fmt.Sprint(i))
	}
	if _, err := pipe.Exec(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.want("room:chat:1", texts...)
	if s := first.Stats(); s.Overflowed > 0 {
		t.Errorf("Stats = %+v, want nothing dropped", s)
	}
}
