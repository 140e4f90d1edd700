package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// startInCluster runs two nodes on a Redis Cluster of three masters.
func startInCluster(t *testing.T, replicas int, edit func(*Config)) (*redistest.Cluster, *system) {
	t.Helper()
	cluster := redistest.StartCluster(t, 3, replicas)
	s := &system{a: launch(t, cluster.URL(), "node-a", edit), b: launch(t, cluster.URL(), "node-b", edit)}
	seeEachOther(t, s.a, s.b)
	return cluster, s
}

// TestServe_ClusterLimitsDevices: in a Redis Cluster too never are there more devices
// than the limit says, whichever master has the user, and each is decided by Redis.
func TestServe_ClusterLimitsDevices(t *testing.T) {
	t.Parallel()
	_, s := startInCluster(t, 0, func(c *Config) { c.Devices.Max = 3 })
	for _, user := range []string{"ann", "bob", "cleo", "dan"} { // in several slots
		var mu sync.Mutex // guards the fields below
		var open []*client
		refused := 0
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				c := s.nodes()[i%2].mustDial(t, "?token="+tokenOf(user), nil)
				f, err := c.tryRead()
				mu.Lock()
				defer mu.Unlock()
				var closed websocket.CloseError
				switch {
				case err == nil && f.Type == "welcome":
					open = append(open, c)
				case errors.As(err, &closed) && closed.Code == 4009:
					refused++
				default:
					t.Errorf("a device got %s, %v; want welcome or 4009", f.raw, err)
				}
			})
		}
		all.Wait()
		if len(open) != 3 || refused != 7 {
			t.Errorf("%s: %d devices were let in and %d refused, want 3 and 7", user, len(open), refused)
		}
		if len(open) > 0 {
			open[0].leave()
		}
		eventually(t, func() error { // its place is free
			_, err := s.b.mustDial(t, "?token="+tokenOf(user), nil).tryRead()
			return err
		})
	}
	for _, n := range s.nodes() { // which cannot be when Redis is not asked in time
		if got := n.metric(t, `gateway_device_admissions_total{result="unasked"}`); got != 0 {
			t.Errorf("%s has decided on %v devices without Redis", n.cfg.Node, got)
		}
	}
}

// TestServe_ClusterReplacesDevices has the oldest device go for a new one, and a second
// connection of a device for the first, at whichever node they are.
func TestServe_ClusterReplacesDevices(t *testing.T) {
	t.Parallel()
	_, s := startInCluster(t, 0, func(c *Config) { c.Devices = DevicesConfig{Max: 2, Policy: replaceOldest, Unique: true} })
	for _, user := range []string{"ann", "bob", "cleo"} {
		device := func(n *testNode, name string) *client {
			t.Helper()
			c := n.mustDial(t, "?token="+tokenOf(user)+"&device="+name, nil)
			c.greeted()
			return c
		}
		phone, desk := device(s.a, "phone"), device(s.b, "desk")
		tv := device(s.b, "tv")
		phone.closed(4008)
		tv2 := device(s.a, "tv")
		tv.closed(4008)
		desk.alive()
		tv2.alive()
	}
}

// TestServe_ClusterTogether follows users over two nodes in a Redis Cluster: they come
// online once and go offline once; a revocation at one node ends connections at the
// other within a second; and when a master fails over all of that goes on, and nobody
// is said to have gone.
func TestServe_ClusterTogether(t *testing.T) {
	t.Parallel()
	cluster, s := startInCluster(t, 1, withAPI)
	watcher, member := s.b.connect(t, "watcher"), s.b.connect(t, "member")
	watcher.request(`{"type":"watch","id":"ID","content":{"users":["ann","bob"]}}`)
	member.join("chat:1")
	both := []*client{watcher, member}
	told(t, s.nodes()...)

	first, bob := s.a.connect(t, "ann"), s.a.connect(t, "bob")
	first.join("chat:1")
	for _, c := range both {
		c.awaitStatusOf(t, "ann", "online")
	}
	second := s.b.connect(t, "ann")
	second.join("chat:1")
	first.leave()
	told(t, s.nodes()...)
	s.endRevoked(t)

	cluster.KillPrimary(cluster.Primary("websocket:presence:{ann}"))
	for _, n := range s.nodes() {
		n.awaitRedis(t, true)
	}
	back := s.a.connect(t, "ann") // comes back to the other node
	back.join("chat:1")
	second.leave()
	carol := s.a.connect(t, "carol")
	carol.join("chat:1")
	member.awaitStatusOf(t, "carol", "online") // behind whatever they were told of ann
	back.leave()
	for _, c := range both {
		c.awaitStatusOf(t, "ann", "offline")
	}
	bob.leave()
	watcher.awaitStatusOf(t, "bob", "offline", "ann")
}

// awaitStatusOf takes statuses until this one, none of which may say before that
// somebody has gone who is not one of away. How things are may be told again after a
// failover.
func (c *client) awaitStatusOf(t *testing.T, wantUser, wantStatus string, away ...string) {
	t.Helper()
	c.await(wantUser+" "+wantStatus, func(f frame) bool {
		if f.Type != "user_status" {
			return false
		}
		user, _, now := status(t, f)
		if now == "offline" && (user != wantUser || now != wantStatus) && !slices.Contains(away, user) {
			t.Fatalf("%s got %s, waiting for %s to be %s", c.user, f.raw, wantUser, wantStatus)
		}
		return user == wantUser && now == wantStatus
	})
}

// endRevoked revokes at one node what is held at the other.
func (s *system) endRevoked(t *testing.T) {
	t.Helper()
	token := sign(map[string]any{
		"user_id": "eve", "jti": "stolen", "iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	held := s.b.connectWith(t, token)
	began := time.Now()
	s.a.mustCall(t, "POST /revoke", `{"jti":"stolen"}`, nil)
	held.closed(4301)
	toldOfRevocation(t, began)
	for _, n := range s.nodes() {
		n.mustDial(t, "?token="+token, nil).closed(4301)
	}
}

// TestServe_SentinelFailover kills the master that Sentinel watches under two nodes
// with clients: these stay, and presence, rooms with history and messages to users go
// on.
func TestServe_SentinelFailover(t *testing.T) {
	t.Parallel()
	master, sentinel := startSentinel(t)
	url := "redis+sentinel://" + sentinel.Addr() + "/main"
	s := &system{a: launch(t, url, "node-a", withHistory), b: launch(t, url, "node-b", withHistory)}
	seeEachOther(t, s.a, s.b)
	ann, bob := s.a.connect(t, "ann"), s.b.connect(t, "bob")
	bob.request(`{"type":"watch","id":"ID","content":{"users":["ann","cleo"]}}`)
	for _, c := range []*client{ann, bob} {
		c.joinSince("log:1", position{})
	}
	for i := range 5 {
		ann.insist("log:1", fmt.Sprint("before", i))
	}
	bob.hears("log:1", 1, 5)

	const connects = "gateway_redis_connects_total"
	before := map[*testNode]float64{}
	for _, n := range s.nodes() {
		before[n] = n.metric(t, connects)
	}
	master.Kill()
	for _, n := range s.nodes() {
		eventually(t, func() error { // it may be away for a moment only
			if got := n.metric(t, connects); got <= before[n] {
				return fmt.Errorf("%s has connected to Redis %v times, want more", n.cfg.Node, got)
			}
			return nil
		})
		n.awaitRedis(t, true)
	}
	ann.insist("log:1", "after")
	bob.hears("log:1", 6, 6)
	bob.insist("log:1", "after that")
	ann.hears("log:1", 1, 7)
	eventually(t, func() error {
		ann.send(`{"type":"user_message","id":"um","to":"bob","content":"to bob"}`)
		if f := ann.await("answer", func(f frame) bool { return f.ID == "um" }); f.Type != "ack" {
			return errors.New(f.raw)
		}
		return nil
	})
	bob.awaitText("to bob")
	cleo := s.a.connect(t, "cleo")
	bob.awaitStatusOf(t, "cleo", "online", "cleo")
	cleo.leave()
	bob.awaitStatusOf(t, "cleo", "offline")
	ann.leave()
	bob.awaitStatusOf(t, "ann", "offline", "cleo") // and not before
}

// startSentinel runs a master with a replica, and a Sentinel that knows both.
func startSentinel(t *testing.T) (master, sentinel *redistest.Server) {
	t.Helper()
	master, _, sentinel = redistest.StartFailover(t, "main", "--repl-diskless-sync-delay", "0")
	return master, sentinel
}
