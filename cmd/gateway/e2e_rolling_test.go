package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	goredis "github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// fleet is what a load balancer would know: where new connections go.
type fleet struct {
	mu   sync.Mutex
	addr string // guarded by mu
}

func (f *fleet) set(n *testNode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addr = n.engine.Addr().String()
}

func (f *fleet) get() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addr
}

// nomad is a client that obeys reconnect frames: it opens a new connection, joins
// its room there, and only then ends the old one.
type nomad struct {
	fleet *fleet
	user  string

	mu    sync.Mutex
	got   map[int]int // numbers received, and how often; guarded by mu
	moves int         // guarded by mu
	err   error       // guarded by mu: the first thing that went wrong
}

const rollingRoom = "game:rolling"

// connect opens a connection that is in the room.
func (c *nomad) connect(ctx context.Context) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, "ws://"+c.fleet.get()+"/ws?token="+tokenOf(c.user), nil) //nolint:bodyclose // it closes the body
	if err != nil {
		return nil, err
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"type":"join_room","content":"`+rollingRoom+`"}`)); err != nil {
		return nil, err
	}
	for {
		_, b, err := conn.Read(ctx)
		if err != nil || strings.Contains(string(b), `"type":"joined"`) {
			return conn, err
		}
	}
}

// live reads a connection until it is not the last one any more.
func (c *nomad) live(ctx context.Context, conn *websocket.Conn) {
	for {
		_, b, err := conn.Read(ctx)
		var f struct {
			Type    string
			Content struct{ Number int }
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.fail(fmt.Errorf("closed without a new connection: %w", err))
			return
		case json.Unmarshal(b, &f) != nil:
			c.fail(fmt.Errorf("not JSON: %s", b))
			return
		case f.Type == "reconnect":
			next, err := c.connect(ctx)
			if err != nil {
				c.fail(fmt.Errorf("no new connection: %w", err))
				return
			}
			c.moved()
			go c.drop(ctx, conn)
			conn = next
		case f.Type == "room_message":
			c.note(f.Content.Number)
		}
	}
}

// drop reads an old connection until it brings what the new one has brought too:
// what was published before that may still be on its way here. Then it ends it.
func (c *nomad) drop(ctx context.Context, conn *websocket.Conn) {
	for {
		_, b, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var f struct{ Content struct{ Number int } }
		if json.Unmarshal(b, &f) == nil && c.note(f.Content.Number) > 1 {
			_ = conn.Close(websocket.StatusNormalClosure, "")
			return
		}
	}
}

func (c *nomad) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

func (c *nomad) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *nomad) moved() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moves++
}

// note counts a number and returns how often it has come.
func (c *nomad) note(number int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got[number]++
	return c.got[number]
}

// missing lists the numbers up to n that have not come.
func (c *nomad) missing(n int) (numbers []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 1; i <= n; i++ {
		if c.got[i] == 0 {
			numbers = append(numbers, i)
		}
	}
	return numbers
}

// TestServe_RollingRestart replaces both nodes, one after the other, under clients
// that move when they are asked to. The room keeps no history, so that a client
// without a connection for a moment would miss something.
func TestServe_RollingRestart(t *testing.T) {
	t.Parallel()
	edit := func(c *Config) {
		c.Drain = DrainConfig{Rate: 50, Grace: 3 * time.Second}
		c.Shutdown = ShutdownConfig{LBDelay: 3 * time.Second, Timeout: 15 * time.Second}
	}
	redis := redistest.Start(t)
	a, b := launch(t, redis.URL(), "old-a", edit), launch(t, redis.URL(), "old-b", edit)
	where := new(fleet)
	ctx, cancel := context.WithCancel(t.Context())
	var clients []*nomad
	var living sync.WaitGroup
	for i := range 24 {
		where.set([]*testNode{a, b}[i%2])
		c := &nomad{fleet: where, user: fmt.Sprint("u", i), got: map[int]int{}}
		conn, err := c.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
		living.Go(func() { c.live(ctx, conn) })
	}
	t.Cleanup(living.Wait)
	t.Cleanup(cancel)

	published, stop, stopped := 0, make(chan struct{}), make(chan struct{})
	publisher := goredis.NewClient(&goredis.Options{Addr: redis.Addr()})
	t.Cleanup(func() { _ = publisher.Close() })
	go func() { // ends with stop
		defer close(stopped)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				published++
				publisher.Publish(ctx, "websocket:room:"+rollingRoom, fmt.Sprintf(`{"type":"room_message","content":{"number":%d}}`, published))
			}
		}
	}()

	where.set(b)
	replace := func(old *testNode) {
		t.Helper()
		old.cancel()
		eventually(t, func() error {
			if got := old.get(t, "/readyz"); got.status != http.StatusServiceUnavailable {
				return fmt.Errorf("/readyz is %d %s", got.status, got.body)
			}
			return nil
		})
		old.connect(t, "sent-by-the-load-balancer").leave() // within lb_delay
		old.stop()
		if log := old.lines.above("debug"); !strings.Contains(log, "drained") || strings.Contains(log, "cutting the rest") {
			t.Errorf("%s did not see its clients off:\n%s", old.cfg.Node, log)
		}
	}
	replace(a)
	fresh := launch(t, redis.URL(), "new", edit)
	where.set(fresh)
	replace(b)
	close(stop)
	<-stopped

	for _, c := range clients {
		eventually(t, func() error {
			if missing := c.missing(published); len(missing) > 0 {
				return errors.Join(fmt.Errorf("%s has missed %v of %d", c.user, missing, published), c.failure())
			}
			return nil
		})
	}
	for i, c := range clients {
		c.mu.Lock()
		if want := 2 - i%2; c.err != nil || c.moves != want {
			t.Errorf("%s moved %d times, want %d; error: %v", c.user, c.moves, want, c.err)
		}
		c.mu.Unlock()
	}
	if got := fresh.metric(t, "gateway_websockets"); got != 24 {
		t.Errorf("the new node has %v connections, want all 24", got)
	}
}

// TestServe_MaxAge moves a connection that is as old as it may become.
func TestServe_MaxAge(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) {
		c.Session.MaxAge = 2 * time.Second
		c.Drain.Grace = 200 * time.Millisecond
	})
	c := s.a.connect(t, "ann")
	asked := c.awaitType("reconnect")
	if !strings.Contains(asked.raw, `"code":4203,"reason":"rebalance"`) {
		t.Errorf("asked to move by %s, want code 4203", asked.raw)
	}
	c.closed(4203)
}
