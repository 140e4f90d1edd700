package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/bench/fleet"
	"github.com/ginforge/gateway/session/auth"
)

// The limit of 20,000 files per process leaves room for 19,000 connections.
const (
	scaleConns      = 19_000
	scaleBroadcasts = 10
	scaleRoom       = "chat:everyone"
)

// crowd is a fleet of users who each have a token of their own and join one
// room, and who check that every message arrives once and in order.
type crowd struct {
	t      *testing.T
	fleet  *fleet.Fleet
	joined atomic.Int64
	got    atomic.Int64
	seen   []int8 // broadcasts seen, by connection; owned by Run
	ended  atomic.Int64
}

func (c *crowd) Open(i int, _ time.Duration) {
	if err := c.fleet.Send(i, []byte(`{"type":"join_room","content":"`+scaleRoom+`"}`)); err != nil {
		c.t.Errorf("connection %d: %v", i, err)
	}
}

func (c *crowd) Message(i int, payload []byte) {
	var m struct {
		Type    string
		Content json.RawMessage
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		c.t.Errorf("connection %d got %q: %v", i, payload, err)
		return
	}
	switch m.Type {
	case "joined":
		c.joined.Add(1)
	case "room_message":
		if want := fmt.Sprintf(`{"n":%d}`, c.seen[i]); string(m.Content) != want {
			c.t.Errorf("connection %d got %s, want %s", i, m.Content, want)
		}
		c.seen[i]++
		c.got.Add(1)
	case "error":
		c.t.Errorf("connection %d was refused: %s", i, payload)
	}
}

func (c *crowd) Closed(i, code int, err error) {
	if c.ended.Add(1) <= 5 {
		c.t.Errorf("connection %d ended: code %d, %v", i, code, err)
	}
}

// await polls until the counter has reached want.
func await(ctx context.Context, t *testing.T, what string, counter *atomic.Int64, want int64) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for counter.Load() < want {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %d of %d before the deadline", what, counter.Load(), want)
		}
	}
}

// settled reads what the gateway uses once its memory has stopped changing: three
// readings in a row within half a percent, or 20 of them.
func settled(t *testing.T, g *Gateway) Usage {
	t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	var last Usage
	for same, n := 0, 0; same < 3 && n < 20; n++ {
		u, err := ReadUsage(g.PID())
		if err != nil {
			t.Fatal(err)
		}
		if d := u.Resident - last.Resident; d < u.Resident/200 && d > -u.Resident/200 {
			same++
		} else {
			same = 0
		}
		last = u
		<-tick.C
	}
	return last
}

func metric(t *testing.T, g *Gateway, name string) float64 {
	t.Helper()
	value, err := g.Metric(name)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func publish(ctx context.Context, t *testing.T, g *Gateway, channel, payload string) {
	t.Helper()
	// Asked once, since a PUBLISH without an answer may have been heard.
	client := redis.NewClient(&redis.Options{Addr: g.Redis, Protocol: 2, MaxRetries: -1, ReadTimeout: time.Minute})
	defer client.Close()
	n, err := client.Publish(ctx, channel, payload).Result()
	if err != nil || n != 1 {
		t.Fatalf("PUBLISH %s = %d receivers, %v; want 1", channel, n, err)
	}
}

// A node holds 19,000 users, each with a token of its own, in one room: each
// gets every message once and in order, at no goroutine more.
func TestGateway_NineteenThousandUsersInOneRoom(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	g, err := StartGateway(ctx, buildGateway(t), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	idle, goroutines := settled(t, g), metric(t, g, "go_goroutines")
	paths := make([]string, scaleConns)
	for i := range paths {
		id := auth.Identity{UserID: fmt.Sprintf("user%05d", i), Name: fmt.Sprintf("User %d", i)}
		token, err := auth.Sign(Secret, "HS256", id, time.Hour, "", "")
		if err != nil {
			t.Fatal(err)
		}
		paths[i] = "/ws?token=" + token
	}
	c := &crowd{t: t, seen: make([]int8, scaleConns)}
	c.fleet, err = fleet.New(fleet.Options{
		Server:  g.Listen,
		Request: func(i int) string { return paths[i] },
		Source:  func(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 1, 0, byte(1 + i%200)}) },
	}, c)
	if err != nil {
		t.Fatal(err)
	}
	c.fleet.Open(scaleConns)
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- c.fleet.Run(running) }()

	start := time.Now()
	await(ctx, t, "joined", &c.joined, scaleConns)
	t.Logf("%d connections joined after %s", scaleConns, time.Since(start).Round(time.Millisecond))
	full := settled(t, g)
	t.Logf("resident: %d bytes a connection (%d KB before, %d KB with all)",
		(full.Resident-idle.Resident)/scaleConns, idle.Resident>>10, full.Resident>>10)
	if n := metric(t, g, "go_goroutines"); n > goroutines+10 {
		t.Errorf("%v goroutines with %d connections, %v with none", n, scaleConns, goroutines)
	}

	for n := range scaleBroadcasts {
		publish(ctx, t, g, "websocket:room:"+scaleRoom, fmt.Sprintf(`{"type":"room_message","content":{"n":%d}}`, n))
	}
	await(ctx, t, "delivered", &c.got, scaleConns*scaleBroadcasts)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := g.Stop(ctx); err != nil {
		t.Error(err)
	}
}
