package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/notification"
	"github.com/ginforge/gateway/pubsub/redistest"
	"github.com/ginforge/gateway/pubsub/sequencer"
)

// backend publishes numbered messages to a room of one Redis.
type backend struct {
	t     *testing.T
	redis *redis.Client
	room  string
	sent  int
}

func newBackend(t *testing.T, server *redistest.Server, room string) *backend {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	return &backend{t: t, redis: client, room: room}
}

// next is the payload of the next message.
func (b *backend) next() string {
	b.sent++
	return fmt.Sprintf(`{"type":"room_message","content":{"n":%d}}`, b.sent)
}

// publish sends so many messages by plain PUBLISH.
func (b *backend) publish(n int) {
	b.t.Helper()
	for range n {
		if err := b.redis.Publish(context.Background(), "websocket:room:"+b.room, b.next()).Err(); err != nil {
			b.t.Fatal(err)
		}
	}
}

// add sends so many messages by XADD.
func (b *backend) add(n int) {
	b.t.Helper()
	for range n {
		b.addEntry("channel", "room:"+b.room, "message", b.next(), "id", strconv.Itoa(b.sent))
	}
}

func (b *backend) addEntry(values ...any) {
	b.t.Helper()
	if err := b.redis.XAdd(context.Background(), &redis.XAddArgs{Stream: "websocket:publish", Values: values}).Err(); err != nil {
		b.t.Fatal(err)
	}
}

// heardBy fails the test unless the client gets all messages, once and in order,
// with offsets without a gap.
func (b *backend) heardBy(c *client) {
	b.t.Helper()
	for n := 1; n <= b.sent; n++ {
		f := c.hears(b.room, n, n)
		if want := fmt.Sprintf(`{"n":%d}`, n); string(f.Content) != want {
			b.t.Fatalf("%s: offset %d is %s, want %s", c.user, n, f.raw, want)
		}
	}
	c.nothingMore()
}

// leads waits until the node sequences all partitions.
func (n *testNode) leads(t *testing.T) {
	n.awaitMetric(t, "gateway_sequencer_leading", sequencer.Partitions)
}

// standsBy waits until the node is ready to take all partitions over.
func (n *testNode) standsBy(t *testing.T) {
	n.awaitMetric(t, "gateway_sequencer_standby", sequencer.Partitions)
}

func TestServe_PlainPublishIsKeptOnce(t *testing.T) {
	t.Parallel()
	s := startSystem(t, withHistory)
	third := launch(t, s.redis.URL(), "node-c", withHistory)
	eventually(t, func() error { // either of the two may
		standby := s.b.metric(t, "gateway_sequencer_standby") + third.metric(t, "gateway_sequencer_standby")
		if standby != sequencer.Partitions {
			return fmt.Errorf("%v partitions have a standby", standby)
		}
		return nil
	})
	b := newBackend(t, s.redis, "log:1")
	var clients []*client
	for _, n := range []*testNode{s.a, s.b, third} {
		c := n.connect(t, "user-at-"+n.cfg.Node)
		c.joinSince("log:1", position{})
		clients = append(clients, c)
	}
	b.publish(100)
	s.publish("websocket:room:log:1", `no JSON`)
	s.publish("websocket:room:log:1", `{"type":"room_message","id":"same","content":{"n":101}}`)
	b.sent++
	s.publish("websocket:room:log:1", `{"type":"room_message","id":"same","content":{"n":101}}`)
	b.publish(1)
	for _, c := range clients {
		b.heardBy(c)
	}
	late := third.connect(t, "late")
	at := clients[0].joinSince("log:1", position{})
	if p := late.joinSince("log:1", position{Epoch: at.Epoch, Offset: 0}); !p.Recovered || p.Offset != b.sent {
		t.Errorf("who comes late is at %+v, want %d messages", p, b.sent)
	}
	b.heardBy(late)
	if sum := s.a.metric(t, `gateway_sequenced_total{result="invalid"}`); sum != 1 {
		t.Errorf("%v invalid messages are counted, want 1", sum)
	}
}

// TestServe_InboxTakesPlainPublish: both channels of a user lead to one inbox, and
// a notification has one name on all devices.
func TestServe_InboxTakesPlainPublish(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Inbox = HistoryConfig{Size: 100, TTL: time.Hour} })
	s.b.standsBy(t)
	s.publish("websocket:user:ann", `{"type":"user_message","content":{"text":"first"}}`)
	s.publish("websocket:notification:ann", `{"type":"notification","content":{"title":"second"}}`)
	a, b := s.a.connect(t, "ann"), s.b.connect(t, "ann")
	first, second := a.awaitType("notification"), b.awaitType("notification")
	one, two := checkNotification(t, first), checkNotification(t, second)
	if one.NotificationID != two.NotificationID {
		t.Errorf("the notification is %q and %q", one.NotificationID, two.NotificationID)
	}
	a.awaitText("first")
	b.awaitText("first")
}

// logFlags give a process what withHistory gives a node.
var logFlags = []string{
	"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--set", "namespaces.log.history.size=100000",
	"--set", "namespaces.log.history.ttl=1h",
}

// startLeader runs a node as a process of its own that sequences, and one in this
// process that stands by.
func startLeader(t *testing.T, server *redistest.Server) (*gatewayProcess, *testNode) {
	t.Helper()
	p := startProcess(t, []string{"GATEWAY_JWT_SECRET=" + jwtSecret, "GATEWAY_REDIS_URL=" + server.URL(), "GATEWAY_NODE=leader"}, logFlags...)
	p.logged("bare messages are sequenced")
	n := launch(t, server.URL(), "standby", func(c *Config) {
		withHistory(c)
		c.Namespaces["log"] = NamespaceConfig{Join: allowAny, Publish: allowAny, History: HistoryConfig{Size: 100_000, TTL: time.Hour}}
	})
	n.standsBy(t)
	return p, n
}

// TestServe_LeaderDies in a stream of plain messages.
func TestServe_LeaderDies(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p, n := startLeader(t, server)
	c := n.connect(t, "ann")
	c.joinSince("log:1", position{})
	b := newBackend(t, server, "log:1")
	b.publish(500)
	p.signal(syscall.SIGKILL)
	b.publish(500)
	n.leads(t)
	b.publish(100)
	b.heardBy(c)
}

// TestServe_LeaderIsStopped long enough to lose its lease, and goes on.
func TestServe_LeaderIsStopped(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p, n := startLeader(t, server)
	c := n.connect(t, "ann")
	c.joinSince("log:1", position{})
	b := newBackend(t, server, "log:1")
	b.publish(300)
	p.signal(syscall.SIGSTOP)
	b.publish(300)
	n.leads(t)
	b.publish(300)
	p.signal(syscall.SIGCONT)
	b.publish(300)
	p.logged("another node sequences now")
	b.publish(100)
	b.heardBy(c)
}

func TestServe_XAddIsTakenOnce(t *testing.T) {
	t.Parallel()
	s := startSystem(t, withHistory)
	b := newBackend(t, s.redis, "log:1")
	one, two := s.a.connect(t, "ann"), s.b.connect(t, "bob")
	one.joinSince("log:1", position{})
	two.joinSince("log:1", position{})
	plain := s.b.connect(t, "carl")
	plain.join("plain")

	b.add(50)
	b.addEntry("channel", "room:log:1", "message", `{"type":"room_message","content":{"n":50}}`, "id", "50")
	b.addEntry("channel", "room:log:1", "message", `no JSON`)
	b.addEntry("channel", "moon:1", "message", `{"type":"x"}`)
	b.addEntry("channel", "websocket:room:plain", "message", `{"type":"room_message","content":"kept nowhere"}`, "id", "p")
	b.addEntry("channel", "room:plain", "message", `{"type":"room_message","content":"kept nowhere"}`, "id", "p")
	b.addEntry("channel", "broadcast", "message", `{"type":"broadcast","content":"to everyone"}`)
	b.add(50)
	for _, c := range []*client{one, two} {
		c.awaitText("to everyone")
		b.heardBy(c)
	}
	plain.awaitText("kept nowhere")
	plain.awaitText("to everyone")
	plain.nothingMore()
	eventually(t, func() error {
		if left, dead := s.redis.CLI("XLEN", "websocket:publish"), s.redis.CLI("XLEN", "websocket:publish:dead"); left != "0" || dead != "2" {
			return fmt.Errorf("%s entries are left, %s are poison, want 0 and 2", left, dead)
		}
		return nil
	})
	dead := s.redis.CLI("XRANGE", "websocket:publish:dead", "-", "+")
	if !strings.Contains(dead, "no JSON") || !strings.Contains(dead, "moon:1") {
		t.Errorf("the poison is %s", dead)
	}
}

// TestServe_TakerDies in a stream of durable messages.
func TestServe_TakerDies(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p, n := startLeader(t, server)
	c := n.connect(t, "ann")
	c.joinSince("log:1", position{})
	b := newBackend(t, server, "log:1")
	b.add(300)
	p.signal(syscall.SIGSTOP)
	b.add(300)
	eventually(t, func() error {
		if !n.durable.intake.Stats().Holding {
			return fmt.Errorf("the other node takes nothing")
		}
		return nil
	})
	p.signal(syscall.SIGKILL)
	b.add(300)
	b.heardBy(c)
}

// TestServe_DurableCommandAndClient publish what is there when a node comes, and
// once when they repeat themselves.
func TestServe_DurableCommandAndClient(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	args := []string{"publish", "--redis-url", server.URL(), "--durable", "--id", "k", "room:log:1", `{"type":"room_message","content":"by command"}`}
	for range 2 {
		if r := command(t, nil, "", args...); r.err != nil || !strings.Contains(r.out, "waits for a gateway") {
			t.Fatalf("publish: %+v", r)
		}
	}
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	backend := notification.NewClient(rdb, notification.WithDurable())
	for range 2 {
		err := backend.SendToRoom(t.Context(), &notification.RoomMessageRequest{ID: "m", Room: "log:1", Text: "by client"})
		if err != nil {
			t.Fatal(err)
		}
	}
	n := launch(t, server.URL(), "late", withHistory)
	eventually(t, func() error {
		if left := server.CLI("XLEN", "websocket:publish"); left != "0" {
			return fmt.Errorf("%s entries are left", left)
		}
		return nil
	})
	c := n.connect(t, "ann")
	if p := c.joinSince("log:1", position{}); p.Offset != 2 {
		t.Errorf("the room is at %+v, want 2 messages", p)
	}
	if r := command(t, nil, "", "publish", "--redis-url", server.URL(), "--id", "k", "broadcast", `{"type":"x"}`); r.err == nil {
		t.Error("--id without --durable is taken")
	}
}
