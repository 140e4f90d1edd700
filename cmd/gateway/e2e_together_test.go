package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ginforge/gateway/cluster"
	"github.com/ginforge/gateway/pubsub/nodes"
)

// seeEachOther waits until all nodes know of as many as there are.
func seeEachOther(t *testing.T, nodes ...*testNode) {
	t.Helper()
	for _, n := range nodes {
		n.together.cluster.Refresh()
	}
	for _, n := range nodes {
		eventually(t, func() error {
			if got := len(n.together.cluster.Nodes()); got != len(nodes) {
				n.together.cluster.Refresh()
				return fmt.Errorf("%s knows %d nodes, want %d", n.cfg.Node, got, len(nodes))
			}
			return nil
		})
	}
}

// TestServe_PresenceOverNodes follows a user with devices at two nodes: it comes
// online once and goes offline once, wherever it is watched.
func TestServe_PresenceOverNodes(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	watchers := []*client{s.a.connect(t, "wa"), s.b.connect(t, "wb")}
	members := []*client{s.a.connect(t, "ma"), s.b.connect(t, "mb")}
	for i, w := range watchers {
		w.request(`{"type":"watch","id":"ID","content":{"users":["ann"]}}`)
		members[i].join("chat:1")
		members[i].request(`{"type":"watch","id":"ID","content":{"users":["ann"]}}`) // told once nevertheless
	}
	told(t, s.nodes()...)
	everybody := slices.Concat(watchers, members)
	for _, c := range everybody {
		c.sync() // the members have been told of each other, as far as they had to
	}

	first := s.a.connect(t, "ann")
	for _, c := range everybody {
		c.awaitStatus(t, "ann", "online")
	}
	second := s.b.connect(t, "ann")
	second.join("chat:1")
	first.join("chat:1")
	for _, m := range members {
		m.alive() // watching her, they know already
	}
	for _, c := range everybody {
		ack := c.request(`{"type":"watch","id":"ID","content":{"users":["ann","mb"]}}`)
		if got, want := string(ack.Content), `{"online":["ann","mb"]}`; got != want {
			t.Errorf("watch is acked with %s, want %s", got, want)
		}
	}
	first.leave()
	for _, c := range everybody {
		c.nothingMore()
	}
	second.leave()
	for _, c := range everybody {
		c.awaitStatus(t, "ann", "offline")
		c.nothingMore()
	}
}

// told waits until nodes have published what joining and leaving means to others;
// it is not on its way any more when whoever is told has called sync behind it.
func told(t *testing.T, nodes ...*testNode) {
	t.Helper()
	for _, n := range nodes {
		eventually(t, func() error {
			if waiting := n.together.presence.Stats().Waiting; waiting > 0 {
				return fmt.Errorf("%s has not written the presence of %d users", n.cfg.Node, waiting)
			}
			return nil
		})
	}
}

// TestServe_QuestionsToAllNodes asks one node for what is spread over three.
func TestServe_QuestionsToAllNodes(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	third := launch(t, s.redis.URL(), "node-c", nil)
	seeEachOther(t, s.a, s.b, third)
	for i, n := range []*testNode{s.a, s.b, third} {
		c := n.mustDial(t, fmt.Sprintf("?token=%s&device=d%d", tokenOf("ann"), i), nil)
		c.greeted()
		c.join("chat:1")
		n.connect(t, fmt.Sprint("u", i)).join("chat:1")
	}
	asker := s.a.connect(t, "u0")
	asker.join("chat:1")
	told(t, s.a, s.b, third)
	want := `{"room":"chat:1","connections":7,"users":[` +
		`{"user_id":"ann","user_name":"Name of ann","devices":3},{"user_id":"u0","user_name":"Name of u0","devices":2},` +
		`{"user_id":"u1","user_name":"Name of u1","devices":1},{"user_id":"u2","user_name":"Name of u2","devices":1}]}`
	// Where others cannot be asked in time, the answer is what node-a knows.
	eventually(t, func() error {
		asker.request(`{"type":"presence","id":"ID","content":{"room":"chat:1"}}`)
		if f := asker.awaitType("presence"); string(f.Content) != want {
			return fmt.Errorf("presence of the room is %s, want %s", f.Content, want)
		}
		return nil
	})
	eventually(t, func() error {
		asker.request(`{"type":"presence","id":"ID","content":{"users":["u2","nobody"]}}`)
		if f := asker.awaitType("presence"); !strings.Contains(string(f.Content), `{"user_id":"u2","status":"online"},{"user_id":"nobody","status":"offline"}`) {
			return fmt.Errorf("presence of users is %s, want u2 online", f.Content)
		}
		return nil
	})

	devices, err := s.b.together.cluster.Devices(t.Context(), "ann")
	if err != nil || len(devices.Devices) != 3 || len(devices.Missing) > 0 {
		t.Fatalf("Devices = %+v, %v; want three", devices, err)
	}
	ended, missing, err := s.b.together.cluster.Disconnect(t.Context(), "ann", cluster.Selector{DeviceID: "d2"}, cluster.Disconnected)
	if err != nil || ended != 1 || len(missing) > 0 {
		t.Errorf("Disconnect = %d, %q, %v; want one", ended, missing, err)
	}
	eventually(t, func() error {
		got, err := s.a.together.cluster.Devices(t.Context(), "ann")
		if err == nil && len(got.Devices) != 2 {
			err = fmt.Errorf("ann has %d devices, want 2", len(got.Devices))
		}
		return err
	})
	list := third.get(t, "/ws/online-users?after=ann&limit=2", "Authorization", "Bearer "+tokenOf("any"))
	if want := `{"user_id":"u0","user_name":"Name of u0","devices":2},{"user_id":"u1","user_name":"Name of u1","devices":1}]`; list.status != 200 ||
		!strings.Contains(list.body, want) {
		t.Errorf("/ws/online-users is %d %s, want %s", list.status, list.body, want)
	}
	page, err := third.together.cluster.OnlineUsers(t.Context(), "ann", 2)
	if err != nil || len(page.Users) != 2 || page.Users[0].UserID != "u0" || page.Users[1].UserID != "u1" {
		t.Errorf("OnlineUsers behind ann = %+v, %v; want u0 and u1", page, err)
	}
}

// TestServe_KilledNode kills a node with 300 users as a crash would, the one that
// cleans up after others. Most users come back at another node, some do not: nobody
// is told of those who do, and of the others once, when the lease of the node and the
// grace are over.
func TestServe_KilledNode(t *testing.T) {
	t.Parallel()
	const users, lost = 300, 3
	s := startSystem(t, nil)
	p := startProcess(t, []string{
		"GATEWAY_LISTEN=127.0.0.1:0", "GATEWAY_ADMIN_LISTEN=127.0.0.1:0", "GATEWAY_JWT_SECRET=" + jwtSecret, "GATEWAY_NODE=doomed",
		"GATEWAY_REDIS_URL=" + s.redis.URL(), "GATEWAY_PRESENCE_GRACE=1s", "GATEWAY_NAMESPACES_CHAT_PRESENCE=true",
	})
	doomed := fmt.Sprint(p.logged("serving")["listen"])
	name := func(i int) string { return fmt.Sprintf("u%03d", i) }
	come := func(host string, from int) {
		t.Helper()
		var all sync.WaitGroup
		slots := make(chan struct{}, 32)
		for i := from; i < users; i++ {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				if err := visit(t, host, name(i), "chat:1"); err != nil {
					t.Errorf("%s at %s: %v", name(i), host, err)
				}
			})
		}
		all.Wait()
	}
	come(doomed, 0)
	metrics := "http://" + fmt.Sprint(p.logged("serving")["admin_listen"]) + "/metrics"
	eventually(t, func() error {
		if !strings.Contains(fetch(t, metrics).body, "gateway_presence_waiting 0\n") {
			return errors.New("the presence of some is still to be told")
		}
		return nil
	})
	member, watcher := s.b.connect(t, "member"), s.a.connect(t, "watcher")
	member.join("chat:1")
	var watched []string
	for i := range 150 {
		watched = append(watched, name(i))
	}
	list, err := json.Marshal(watched)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		ack := watcher.request(`{"type":"watch","id":"ID","content":{"users":` + string(list) + `}}`)
		if n := strings.Count(string(ack.Content), `"u`); n != len(watched) {
			return fmt.Errorf("%d users are online, want %d", n, len(watched))
		}
		return nil
	})

	s.makeReaper(t, "doomed")
	killed := time.Now()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	come(s.a.engine.Addr().String(), lost)
	back := time.Since(killed)
	t.Logf("%d users came back in %v", users-lost, back)
	if back > nodes.DefaultTTL/2 { // then some have gone before they came back
		t.Skipf("%d users took %v to come back, which a lease of %v does not wait for", users-lost, back, nodes.DefaultTTL)
	}
	member.nothingMore()
	watcher.nothingMore()
	for _, c := range []*client{member, watcher} {
		var gone []string
		for range lost {
			f := c.awaitType("user_status")
			user, _, now := status(t, f)
			gone = append(gone, user+" "+now)
		}
		if slices.Sort(gone); !slices.Equal(gone, []string{"u000 offline", "u001 offline", "u002 offline"}) {
			t.Errorf("%s was told %q, want that three have gone", c.user, gone)
		}
	}
	// Whoever waits for the turn of the killed one to end waits for three leases.
	if took := time.Since(killed); took > 2*nodes.DefaultTTL {
		t.Errorf("it took %v until the lost ones were offline, want the lease, the grace and a moment", took)
	}
	member.nothingMore()
	watcher.nothingMore()
}

// makeReaper gives a node the turn to clean up, which it only takes by itself when it
// has been there for a lease and the grace.
func (s *system) makeReaper(t *testing.T, name string) {
	t.Helper()
	eventually(t, func() error {
		for _, n := range s.a.together.cluster.Nodes() {
			if n.Name == name {
				until := time.Now().Add(3 * nodes.DefaultTTL).UnixMilli()
				s.redis.CLI("HSET", "websocket:nodes", "reaper", fmt.Sprint(until, " ", n.Life))
				return nil
			}
		}
		s.a.together.cluster.Refresh()
		return fmt.Errorf("no node is called %s", name)
	})
}

// visit opens a connection that joins a room by its token, and leaves it open.
func visit(t *testing.T, host, user, room string) error {
	token := sign(map[string]any{"user_id": user, "username": nameOf(user), "exp": time.Now().Add(time.Hour).Unix(), "rooms": []string{room}})
	conn, err := dialHost(t, host, "?token="+token, nil)
	if err != nil {
		return err
	}
	for {
		_, b, err := conn.Read(t.Context())
		if err != nil || strings.Contains(string(b), `"type":"joined"`) {
			return err
		}
	}
}

// TestServe_DeviceLimit connects from many sides at once: never are there more
// than the limit says.
func TestServe_DeviceLimit(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Devices.Max = 3 })
	var mu sync.Mutex
	var open []*client
	refused := 0
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			c := s.nodes()[i%2].mustDial(t, "?token="+tokenOf("ann"), nil)
			f, err := c.tryRead()
			mu.Lock()
			defer mu.Unlock()
			var closed websocket.CloseError
			switch {
			case err == nil && f.Type == "welcome":
				c.user = "ann"
				open = append(open, c)
			case errors.As(err, &closed) && closed.Code == 4009:
				refused++
			default:
				t.Errorf("a device got %s, %v; want welcome or 4009", f.raw, err)
			}
		})
	}
	all.Wait()
	if len(open) != 3 || refused != 27 {
		t.Fatalf("%d devices were let in and %d refused, want 3 and 27", len(open), refused)
	}
	s.a.connect(t, "bob") // has a limit of his own
	open[0].leave()
	eventually(t, func() error { // its place is free
		c := s.b.mustDial(t, "?token="+tokenOf("ann"), nil)
		_, err := c.tryRead()
		return err
	})
	for _, c := range open[1:] {
		c.alive()
	}
}

// TestServe_ReplacedDevices has the oldest device go for a new one, at whichever
// node it is, and a second connection of a device for the first.
func TestServe_ReplacedDevices(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Devices = DevicesConfig{Max: 2, Policy: replaceOldest, Unique: true} })
	seeEachOther(t, s.a, s.b)
	device := func(n *testNode, name string) *client {
		t.Helper()
		c := n.mustDial(t, "?token="+tokenOf("ann")+"&device="+name, nil)
		c.greeted()
		return c
	}
	phone := device(s.a, "phone")
	desk := device(s.b, "desk")
	tv := device(s.b, "tv")
	if r := phone.closed(4008); r.Reason != "replaced" {
		t.Errorf("the reason is %q, want replaced", r.Reason)
	}
	tv2 := device(s.a, "tv")
	tv.closed(4008)
	desk.alive()
	tv2.alive()
	car := device(s.a, "car") // the desk has been there longest
	desk.closed(4008)
	tv2.alive()
	car.alive()
}

// TestServe_ReconnectWindow grows with what the other nodes would have to take.
func TestServe_ReconnectWindow(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) {
		c.Admission.HandshakesPerSecond, c.Admission.HandshakesBurst = 4, 100 // of which another node can count on two
		c.ReconnectWindow, c.ReconnectWindowMax = time.Second, 4*time.Second
	})
	seeEachOther(t, s.a, s.b)
	window := func(c *client) time.Duration {
		t.Helper()
		var data struct {
			Window int64 `json:"reconnect_window_ms"`
		}
		decode(t, c.welcome.Data, &data)
		return time.Duration(data.Window) * time.Millisecond
	}
	if got := window(s.a.connect(t, "u")); got != time.Second {
		t.Errorf("with one client the window is %v, want the least, 1s", got)
	}
	for i := range 4 {
		s.a.connect(t, fmt.Sprint("u", i))
	}
	if got := window(s.a.connect(t, "u")); got != 3*time.Second {
		t.Errorf("with six clients the window is %v, want 3s", got)
	}
	for i := range 8 {
		s.a.connect(t, fmt.Sprint("v", i))
	}
	if got := window(s.a.connect(t, "u")); got != 4*time.Second {
		t.Errorf("with fifteen clients the window is %v, want the most, 4s", got)
	}
}
