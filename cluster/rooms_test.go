package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/nodes"
	"github.com/ginforge/gateway/pubsub/redistest"
)

// fakeNode is a node with rooms and users in memory.
type fakeNode struct {
	rooms   []RoomCount
	revoked chan string
}

func (f *fakeNode) Rooms(prefix, after string, limit int) (page []RoomCount) {
	for _, r := range f.rooms {
		if strings.HasPrefix(r.Room, prefix) && r.Room > after && len(page) < limit {
			page = append(page, r)
		}
	}
	return page
}

func (f *fakeNode) JoinRoom(user, room string) int             { return len(f.rooms) }
func (f *fakeNode) LeaveRoom(user, room string) int            { return 1 }
func (f *fakeNode) Members(string, int) ([]Present, int)       { return nil, 0 }
func (f *fakeNode) OnlineUsers(string, int) ([]Present, int64) { return nil, 0 }
func (f *fakeNode) Devices(string, int) []Device               { return nil }
func (f *fakeNode) Disconnect(string, Selector, Why) int       { return 0 }
func (f *fakeNode) Online(_ context.Context, users []string) ([]bool, error) {
	return make([]bool, len(users)), nil
}

// start runs a node until the test ends. What Redis has for it is brought to it as
// the bus would.
func (f *fakeNode) start(t *testing.T, addr, id string) *Cluster {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	r, err := nodes.New(nodes.Config{ID: id, Prefix: "websocket:", AnswerTimeout: 20 * time.Second}, client, func() nodes.Load { return nodes.Load{} }, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	c := New(r, f, f, zerolog.Nop())
	c.OnRooms(f)
	c.OnRevoke(func(text string, _ time.Time) error {
		f.revoked <- text
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	heard := client.Subscribe(ctx, "websocket:control", "websocket:control:"+id)
	if _, err := heard.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for m, err := heard.ReceiveMessage(ctx); err == nil; m, err = heard.ReceiveMessage(ctx) {
			r.Receive(m.Payload)
		}
	})
	running.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = heard.Close()
		running.Wait()
		_ = client.Close()
	})
	return c
}

func TestCluster_RoomsAndRevocations(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := &fakeNode{rooms: []RoomCount{{"a", 1}, {"c", 2}, {"d", 1}}, revoked: make(chan string, 1)}
	b := &fakeNode{rooms: []RoomCount{{"b", 1}, {"c", 3}}, revoked: make(chan string, 1)}
	first := a.start(t, server.Addr(), "n1")
	b.start(t, server.Addr(), "n2")
	redistest.Eventually(t, time.Minute, func() error {
		if n := len(first.Nodes()); n != 2 {
			return fmt.Errorf("%d nodes", n)
		}
		return nil
	})
	for _, tt := range []struct {
		prefix, after string
		limit         int
		want          []RoomCount
	}{
		{"", "", 10, []RoomCount{{"a", 1}, {"b", 1}, {"c", 5}, {"d", 1}}},
		{"", "a", 2, []RoomCount{{"b", 1}, {"c", 5}}},
		{"c", "", 10, []RoomCount{{"c", 5}}},
		{"x", "", 10, []RoomCount{}},
	} {
		page, err := first.Rooms(t.Context(), tt.prefix, tt.after, tt.limit)
		if err != nil || !slices.Equal(page.Rooms, tt.want) || len(page.Missing) > 0 {
			t.Errorf("Rooms(%q, %q, %d) = %+v, %v, want %v", tt.prefix, tt.after, tt.limit, page, err, tt.want)
		}
	}
	if n, missing, err := first.Join(t.Context(), "u", "r"); n != 5 || len(missing) > 0 || err != nil {
		t.Errorf("Join = %d, %v, %v, want the sum of both", n, missing, err)
	}
	if n, _, err := first.Leave(t.Context(), "u", "r"); n != 2 || err != nil {
		t.Errorf("Leave = %d, %v, want the sum of both", n, err)
	}
	if err := first.TellRevoked(t.Context(), "text", time.Now()); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*fakeNode{"itself": a, "the other": b} {
		select {
		case got := <-f.revoked:
			if got != "text" {
				t.Errorf("%s was told %q", name, got)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s was not told", name)
		}
	}
}
