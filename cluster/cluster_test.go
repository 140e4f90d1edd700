package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/nodes"
)

// fakeLocal is a Local with users of its own.
type fakeLocal struct {
	users   []Present
	devices []Device
	ended   []string
}

func (f *fakeLocal) Members(_ string, limit int) ([]Present, int) {
	return f.users[:min(limit, len(f.users))], len(f.users)
}

func (f *fakeLocal) OnlineUsers(after string, limit int) ([]Present, int64) {
	var page []Present
	for _, u := range f.users {
		if u.UserID > after && len(page) < limit {
			page = append(page, u)
		}
	}
	return page, int64(len(f.users))
}

func (f *fakeLocal) Devices(string, int) []Device { return slices.Clone(f.devices) }

func (f *fakeLocal) Disconnect(user string, which Selector, why Why) int {
	f.ended = append(f.ended, user+" "+which.DeviceID+" "+string(why))
	return len(f.devices)
}

// nobody is Users without anybody.
type nobody struct{}

func (nobody) Online(_ context.Context, users []string) ([]bool, error) {
	return make([]bool, len(users)), nil
}

// start runs a cluster of two nodes until the test ends; only a's is returned.
func start(t *testing.T, a, b *fakeLocal) *Cluster {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr(), Protocol: 2})
	ctx, cancel := context.WithCancel(context.Background())
	var first *Cluster
	var ended []chan struct{}
	for id, local := range map[string]*fakeLocal{"a": a, "b": b} {
		r, err := nodes.New(nodes.Config{ID: id, Prefix: "t:", AnswerTimeout: 10 * time.Second}, client, func() nodes.Load { return nodes.Load{} }, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		c := New(r, local, nobody{}, zerolog.Nop())
		if id == "a" {
			first = c
		}
		sub := client.Subscribe(ctx, "t:control", "t:control:"+id)
		for range 2 {
			if _, err := sub.Receive(ctx); err != nil {
				t.Fatal(err)
			}
		}
		heard, ran := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(heard)
			for m := range sub.Channel() {
				r.Receive(m.Payload)
			}
		}()
		go func() {
			defer close(ran)
			_ = r.Run(ctx)
			_ = sub.Close()
		}()
		ended = append(ended, heard, ran)
	}
	t.Cleanup(func() {
		cancel()
		for _, e := range ended {
			<-e
		}
		_ = client.Close()
	})
	for len(first.Nodes()) < 2 {
		first.Refresh()
		if t.Context().Err() != nil {
			t.Fatal("the nodes do not see each other")
		}
	}
	return first
}

func TestCluster_AnswersAreMerged(t *testing.T) {
	t.Parallel()
	a := &fakeLocal{users: []Present{{"ann", "Ann", 1}, {"cleo", "Cleo", 1}}, devices: []Device{{ClientID: "1"}}}
	b := &fakeLocal{users: []Present{{"ann", "Ann", 2}, {"bob", "Bob", 1}}, devices: []Device{{ClientID: "3", DeviceID: "tv"}, {ClientID: "2"}}}
	c := start(t, a, b)
	ctx := t.Context()

	members, err := c.Members(ctx, "r", 2)
	if want := (Members{Users: []Present{{"ann", "Ann", 3}, {"bob", "Bob", 1}}, Connections: 4}); err != nil || !equal(members, want) {
		t.Errorf("Members = %+v, %v; want %+v", members, err, want)
	}
	page, err := c.OnlineUsers(ctx, "ann", 5)
	if want := (Page{Users: []Present{{"bob", "Bob", 1}, {"cleo", "Cleo", 1}}, Total: 4}); err != nil || !equal(page, want) {
		t.Errorf("OnlineUsers = %+v, %v; want %+v", page, err, want)
	}
	devices, err := c.Devices(ctx, "ann")
	if want := (Devices{Devices: []Device{{Node: "a", ClientID: "1"}, {Node: "b", ClientID: "2"}, {Node: "b", ClientID: "3", DeviceID: "tv"}}}); err != nil || !equal(devices, want) {
		t.Errorf("Devices = %+v, %v; want %+v", devices, err, want)
	}
	n, missing, err := c.Disconnect(ctx, "ann", Selector{DeviceID: "tv"}, Disconnected)
	if err != nil || n != 3 || len(missing) > 0 || !slices.Equal(a.ended, []string{"ann tv disconnected"}) || !slices.Equal(a.ended, b.ended) {
		t.Errorf("Disconnect = %d, %q, %v; nodes were told %q and %q", n, missing, err, a.ended, b.ended)
	}
}

func TestCluster_Drain(t *testing.T) {
	t.Parallel()
	c := start(t, &fakeLocal{}, &fakeLocal{})
	if err := c.Drain(t.Context(), "b"); err == nil {
		t.Error("a node was drained that cannot be")
	}
	if err := c.Drain(t.Context(), "x"); !errors.Is(err, nodes.ErrNoNode) {
		t.Errorf("Drain(x) = %v, want ErrNoNode", err)
	}
	drained := false
	c.OnDrain(func() error { drained = true; return nil })
	if err := c.Drain(t.Context(), "a"); err != nil || !drained {
		t.Errorf("Drain(a) = %v, want it to have begun", err)
	}
}

func TestCluster_TooManyUsers(t *testing.T) {
	t.Parallel()
	c := &Cluster{users: nobody{}}
	if _, err := c.Online(t.Context(), make([]string, MaxAsked+1)); !errors.Is(err, ErrTooMany) {
		t.Errorf("Online of too many = %v, want ErrTooMany", err)
	}
	if got, err := c.Online(t.Context(), make([]string, MaxAsked)); err != nil || len(got) != MaxAsked {
		t.Errorf("Online of as many as may be = %d, %v", len(got), err)
	}
}

func TestQuestions_Bounded(t *testing.T) {
	t.Parallel()
	q := NewQuestions()
	asked := 0
	for q.Ask(func(context.Context) {}) {
		asked++
	}
	if asked != maxQuestions {
		t.Errorf("%d questions were taken, want %d", asked, maxQuestions)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	for answered := make(chan bool); ; {
		if q.Ask(func(context.Context) { close(answered) }) {
			<-answered
			break
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}

func equal(a, b any) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && string(x) == string(y)
}
