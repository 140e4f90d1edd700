package sequencer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub"
	"github.com/ginforge/gateway/pubsub/redistest"
)

// testFeed follows a pattern by client, and asks a little more often than in
// production.
func testFeed(t *testing.T, client *redis.Client) *feed {
	t.Helper()
	t.Cleanup(func() { _ = client.Close() })
	return &feed{
		client: client, markKey: "websocket:mark", patterns: []string{"websocket:room:*"}, every: 300 * time.Millisecond,
		clock: func(context.Context) (int64, error) { return 1, nil },
	}
}

func newClient(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, Protocol: 2, ContextTimeoutEnabled: true})
}

// subscribed returns a subscription that Redis has confirmed.
func (f *feed) subscribed(t *testing.T) *redis.PubSub {
	t.Helper()
	sub := f.client.PSubscribe(t.Context(), f.patterns...)
	t.Cleanup(func() { _ = sub.Close() })
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatalf("PSUBSCRIBE: %v", err)
	}
	return sub
}

// next waits for what a feed brings.
func next(t *testing.T, from <-chan heard) heard {
	t.Helper()
	select {
	case h := <-from:
		return h
	case <-time.After(patience):
		t.Fatal("the feed brings nothing")
		return heard{}
	}
}

// checks is a check whose ticks a test gives.
type checks struct {
	t     *testing.T
	ticks chan time.Time
	ended chan error
}

func (f *feed) checks(t *testing.T, sub *redis.PubSub) checks {
	t.Helper()
	c := checks{t, make(chan time.Time), make(chan error, 1)}
	go func() { c.ended <- f.check(t.Context(), c.ticks, f.client.(*redis.Client), sub) }() // ends with the test's context
	return c
}

// alive gives so many ticks, which are taken one after another as long as the
// check goes on.
func (c checks) alive(n int) {
	c.t.Helper()
	for i := range n {
		select {
		case c.ticks <- time.Time{}:
		case err := <-c.ended:
			c.t.Fatalf("gave up before tick %d of %d: %v", i+1, n, err)
		case <-time.After(patience):
			c.t.Fatalf("tick %d of %d is not taken", i+1, n)
		}
	}
}

// gone gives ticks until the check has ended, and returns how many it took.
func (c checks) gone() (n int, err error) {
	c.t.Helper()
	for {
		select {
		case c.ticks <- time.Time{}:
			n++
		case err := <-c.ended:
			return n, err
		case <-time.After(patience):
			c.t.Fatal("neither takes a tick nor ends")
		}
	}
}

// TestFeed_SilenceAloneProvesNothing: nobody reads the connection here, so that
// it is silent throughout.
func TestFeed_SilenceAloneProvesNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	f := testFeed(t, newClient(server.Addr()))
	f.reading.Store(true)
	sub := f.subscribed(t)
	server.Pause()
	defer server.Resume()
	c := f.checks(t, sub)
	c.alive(feedChecks + 2*feedGrace + 1) // redis answers nobody
	server.Resume()
	if n, err := c.gone(); !errors.Is(err, errSilent) || n < feedGrace {
		t.Errorf("gave up %d ticks after redis answers others: %v, want at least %d and errSilent", n, err, feedGrace)
	}
}

// TestFeed_WhoDoesNotReadDoesNotJudge: a node that is behind has not read what
// Redis says.
func TestFeed_WhoDoesNotReadDoesNotJudge(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	f := testFeed(t, newClient(server.Addr()))
	c := f.checks(t, f.subscribed(t))
	c.alive(3 * (feedChecks + feedGrace))
	f.reading.Store(true)
	c.alive(feedChecks)
	f.read.Add(1)
	c.alive(1 + feedChecks)
	if n, err := c.gone(); !errors.Is(err, errSilent) || n < feedGrace {
		t.Errorf("gave up after %d more: %v, want errSilent after %d or more", n, err, feedGrace)
	}
}

// asked calls itself when a client asks for INFO.
type asked func()

func (asked) DialHook(next redis.DialHook) redis.DialHook { return next }

func (asked) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (a asked) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "info" {
			a()
		}
		return next(ctx, cmd)
	}
}

// TestFeed_WhoDoesNotReadDoesNotLeave: another server is in the place of the one that
// the feed follows, which has brought more than the node has read, or brings more.
func TestFeed_WhoDoesNotReadDoesNotLeave(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, bring := range map[string]uint64{"nothing more comes": 0, "more comes": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(server.Addr())
			f := testFeed(t, client)
			f.where = "another"
			client.AddHook(asked(func() { f.read.Add(bring) })) // between two ticks
			c := f.checks(t, f.subscribed(t))
			c.alive(3 * feedMoved) // it is behind
			f.reading.Store(true)
			least, most := 0, 1 // the last of those before may not be over
			if bring > 0 {
				least, most = feedMoved-1, feedMoved
			}
			if n, err := c.gone(); !errors.Is(err, errMoved) || n < least || n > most {
				t.Errorf("left after %d more: %v, want errMoved after %d to %d", n, err, least, most)
			}
		})
	}
}

// TestFeed_ReadingIsWaitingForRedis and for nobody else.
func TestFeed_ReadingIsWaitingForRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	f := testFeed(t, newClient(server.Addr()))
	brings := make(chan heard)
	f.start(t.Context(), brings)
	defer f.cancel()
	if h := next(t, brings); !h.up {
		t.Fatalf("the first is %+v", h)
	}
	reads := func(want bool) {
		t.Helper()
		redistest.Eventually(t, patience, func() error {
			if f.reading.Load() != want {
				return fmt.Errorf("reading is not %v", want)
			}
			return nil
		})
	}
	reads(true)
	server.CLI("PUBLISH", "websocket:room:1", "one")
	reads(false) // nobody takes it
	if h := next(t, brings); h.payload != "one" {
		t.Fatalf("brought %+v", h)
	}
	reads(true)
}

// TestFeed_EndsWithItsConnection: go-redis subscribes again by itself when it
// cannot write, while the feed is elsewhere. What comes then comes behind a gap.
func TestFeed_EndsWithItsConnection(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := newClient(server.Addr())
	f := testFeed(t, client)
	f.every = time.Hour // the test pings
	sub := f.subscribed(t)
	ctx, cancel := context.WithCancel(t.Context())
	brings, ended := make(chan heard), make(chan error, 1)
	go func() { ended <- f.receive(ctx, client, sub, brings) }() // ends with ctx
	server.CLI("PUBLISH", "websocket:room:1", "one")
	redistest.Eventually(t, patience, func() error {
		if f.read.Load() == 0 || f.reading.Load() {
			return errors.New("the message has not come")
		}
		return nil
	})
	server.CLI("CLIENT", "KILL", "TYPE", "pubsub")
	redistest.Eventually(t, patience, func() error {
		_ = sub.Ping(ctx) // one of them fails, and connects anew
		if n := server.CLI("PUBSUB", "NUMPAT"); n != "1" {
			return errors.New("not subscribed again")
		}
		return nil
	})
	server.CLI("PUBLISH", "websocket:room:1", "behind the gap")
	if h := next(t, brings); h.payload != "one" {
		t.Errorf("brought %+v, want what was read before", h)
	}
	select {
	case h := <-brings:
		t.Errorf("brought %+v as if nothing had been missed", h)
	case err := <-ended:
		if !errors.Is(err, errAnew) {
			t.Errorf("receive = %v, want errAnew", err)
		}
	case <-time.After(patience):
		t.Error("the feed goes on")
	}
	cancel()
}

// TestFeed_RedisIsBusy: while a script runs for too long Redis refuses every
// command, PING too, and forgets nobody.
func TestFeed_RedisIsBusy(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--lua-time-limit", "50")
	f := testFeed(t, newClient(server.Addr()))
	f.every = 50 * time.Millisecond
	brings := make(chan heard)
	f.start(t.Context(), brings)
	defer f.cancel()
	if h := next(t, brings); !h.up {
		t.Fatalf("the first is %+v", h)
	}
	other := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, Protocol: 2, ReadTimeout: -1})
	defer other.Close()
	ended := make(chan error, 1)
	go func() { ended <- other.Eval(t.Context(), "while true do end", nil).Err() }() // ends with SCRIPT KILL
	redistest.Eventually(t, patience, func() error {
		if err := f.client.Ping(t.Context()).Err(); !redis.HasErrorPrefix(err, "BUSY") {
			return fmt.Errorf("redis is not busy: %w", err)
		}
		return nil
	})
	read := f.read.Load()
	redistest.Eventually(t, patience, func() error {
		if f.read.Load() < read+2 {
			return errors.New("the feed hears no refusal")
		}
		return nil
	})
	server.CLI("SCRIPT", "KILL")
	if err := <-ended; err == nil {
		t.Error("the script has ended by itself")
	}
	server.CLI("PUBLISH", "websocket:room:1", "behind it")
	if h := next(t, brings); h.payload != "behind it" {
		t.Errorf("brought %+v", h)
	}
}

// TestFeed_HungMaster: Sentinel has another master when the one that hangs still
// keeps the connection.
func TestFeed_HungMaster(t *testing.T) {
	t.Parallel()
	master, replica, sentinel := redistest.StartFailover(t, "main")
	f := testFeed(t, redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: "main", SentinelAddrs: []string{sentinel.Addr()}, MaxRetries: -1, Protocol: 2, ContextTimeoutEnabled: true,
	}))
	brings := make(chan heard)
	f.start(t.Context(), brings)
	defer f.cancel()
	if h := next(t, brings); !h.up {
		t.Fatalf("the first is %+v", h)
	}
	master.Pause()
	defer master.Resume()
	if h := next(t, brings); !errors.Is(h.err, errMoved) {
		t.Errorf("brought %+v, want errMoved", h)
	}
	if role := replica.CLI("ROLE"); !strings.HasPrefix(role, "master") {
		t.Errorf("gave up while nobody else was master: %s", role)
	}
}

// A server that another has taken the place of, without its knowing, is left although
// it answers.
func TestFeed_AnotherServerInItsPlace(t *testing.T) {
	t.Parallel()
	servers := []*redistest.Server{redistest.Start(t), redistest.Start(t)}
	var at atomic.Int32
	url := "redis://" + redistest.StartProxy(t, func(int) string { return servers[at.Load()].Addr() })
	bus, err := pubsub.Open(pubsub.Config{URL: url}, func(pubsub.Delivery) {}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	f := testFeed(t, bus.NewClient().(*redis.Client))
	brings := make(chan heard)
	f.start(t.Context(), brings)
	defer f.cancel()
	if h := next(t, brings); !h.up {
		t.Fatalf("the first is %+v", h)
	}
	at.Store(1)
	if h := next(t, brings); !errors.Is(h.err, errMoved) {
		t.Errorf("brought %+v, want errMoved", h)
	}
}

// TestSequencer_RedisIsStopped: what publishers have sent meanwhile comes first
// when it goes on, to those who have kept their connections.
func TestSequencer_RedisIsStopped(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := newCluster(t, server.Addr())
	c.every = 300 * time.Millisecond
	c.start()
	c.start()
	c.roles(1, 1)
	publisher, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer publisher.Close()

	server.Pause()
	defer server.Resume()
	var texts []string
	var sent strings.Builder
	for i := range 100 {
		texts = append(texts, strconv.Itoa(i))
		fmt.Fprintf(&sent, "PUBLISH websocket:room:chat:1 %d\r\n", i)
	}
	if _, err := publisher.Write([]byte(sent.String())); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.nodes {
		from := n.dialed.Load()
		c.eventually(func() error {
			if n.dialed.Load() < from+4 { // each is a check in vain
				return fmt.Errorf("%s does not ask", n.cfg.Node)
			}
			return nil
		})
	}
	server.Resume()

	answers := bufio.NewScanner(publisher)
	_ = publisher.SetReadDeadline(time.Now().Add(patience))
	for i := range texts {
		if !answers.Scan() || answers.Text() != ":2" {
			t.Fatalf("message %d went to %q nodes, want 2: %v", i, answers.Text(), answers.Err())
		}
	}
	c.want("room:chat:1", texts...)
	c.roles(1, 1)
	for _, n := range c.nodes {
		if s := n.Stats(); s.Breaks > 0 {
			t.Errorf("%s: %+v, want no breaks", n.cfg.Node, s)
		}
	}
}
