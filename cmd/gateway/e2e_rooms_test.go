package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestServe_RoomAcrossNodes has members on both nodes and more than one device
// of a user; whoever is not in the room hears nothing.
func TestServe_RoomAcrossNodes(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	ann, bob, bob2 := s.a.connect(t, "ann"), s.b.connect(t, "bob"), s.a.connect(t, "bob")
	outsider, otherDevice := s.b.connect(t, "cleo"), s.a.connect(t, "ann")
	for _, c := range []*client{ann, bob, bob2} {
		c.join("game:1")
		c.sync()
	}
	ann.say("game:1", "hello")
	for _, c := range []*client{ann, bob, bob2} {
		got := c.awaitType("room_message")
		if got.Room != "game:1" || got.From != "ann" || got.FromName != nameOf("ann") || !recent(got.Timestamp) {
			t.Errorf("%s got %s", c.user, got.raw)
		}
		if want := `{"text":"hello"}`; string(got.Content) != want {
			t.Errorf("%s got the content %s, want %s", c.user, got.Content, want)
		}
	}
	for _, c := range []*client{ann, bob, bob2, outsider, otherDevice} {
		c.nothingMore()
	}
}

// TestServe_OneOrderForAll has senders on both nodes speak at the same time:
// every member, the senders included, gets all messages, in the same order.
func TestServe_OneOrderForAll(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Limits.FramesBurst = 1000 })
	const each = 100
	members := []*client{s.a.connect(t, "ann"), s.b.connect(t, "bob"), s.a.connect(t, "cleo"), s.b.connect(t, "dan")}
	for _, c := range members {
		c.join("game:1")
	}
	var senders sync.WaitGroup
	for _, c := range members[:2] {
		senders.Go(func() {
			for i := range each {
				c.send(`{"type":"room_message","room":"game:1","content":` + strconv.Itoa(i) + `}`)
			}
		})
	}
	senders.Wait()
	heard := make([][]string, len(members))
	for i, c := range members {
		for range 2 * each {
			f := c.awaitType("room_message")
			heard[i] = append(heard[i], f.From+string(f.Content))
		}
		c.nothingMore()
		if !slices.Equal(heard[i], heard[0]) {
			t.Errorf("%s heard\n%v\nbut %s\n%v", c.user, heard[i], members[0].user, heard[0])
		}
	}
	for _, sender := range []string{"ann", "bob"} {
		next := 0
		for _, text := range heard[0] {
			if strings.HasPrefix(text, sender) {
				if want := sender + strconv.Itoa(next); text != want {
					t.Fatalf("heard %s, want %s", text, want)
				}
				next++
			}
		}
	}
}

// TestServe_OnlyMembersSpeakAndHear walks one client in and out of a room.
func TestServe_OnlyMembersSpeakAndHear(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	ann, bob := s.a.connect(t, "ann"), s.b.connect(t, "bob")
	bob.join("game:1")
	const message = `{"type":"room_message","id":"ID","room":"game:1","content":"no"}`

	ann.refused(4003, message)
	ann.refused(4003, `{"type":"chat","id":"ID","content":{"room":"game:1","text":"no"}}`)
	ann.send(`{"type":"room_message","room":"game:1","content":"no"}`)
	ann.awaitError("", 4003)
	ann.refused(4003, `{"type":"leave_room","id":"ID","content":"game:1"}`)

	ann.join("game:1")
	ann.say("game:1", "from inside")
	ann.awaitText("from inside")
	ann.request(`{"type":"leave_room","id":"ID","content":"game:1"}`)
	ann.awaitType("left")
	ann.refused(4003, message)

	bob.awaitText("from inside")
	bob.say("game:1", "alone")
	bob.awaitText("alone")
	ann.nothingMore()
	bob.nothingMore()
}

// TestServe_NoNeedToWaitForJoined sends a join and messages in one breath.
func TestServe_NoNeedToWaitForJoined(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	c := s.a.connect(t, "ann")
	c.send(`{"type":"join_room","content":"game:new"}`)
	c.send(`{"type":"room_message","room":"game:new","content":"first"}`)
	c.awaitType("joined")
	c.awaitText("first")
	c.nothingMore()
}

func TestServe_RoomNames(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	c := s.a.connect(t, "ann")
	for _, room := range []string{
		"x", "lobby", "chat:room001", "a:b:c:d", ":", "::", "chat:", ":chat", "with space", "Größe:我们😀", "*", "user:ann", "websocket:broadcast",
		"{tag}", "a\\b\"c", "<b>&", strings.Repeat("r", 255), strings.Repeat("é", 127),
	} {
		c.join(room)
		c.send(`{"type":"room_message","content":{"room":` + quote(room) + `}}`)
		if f := c.awaitType("room_message"); f.Room != room {
			t.Errorf("a message to %q arrives as %s", room, f.raw)
		}
	}
	c.nothingMore()
}

func TestServe_RoomsPerConnectionAreLimited(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Limits.RoomsPerSession = 3 })
	c, other := s.a.connect(t, "ann"), s.a.connect(t, "ann")
	for i := range 3 {
		c.join(fmt.Sprint("game:", i))
	}
	c.refused(4003, `{"type":"join_room","id":"ID","content":"game:3"}`)
	c.join("game:2") // is in it already
	c.request(`{"type":"leave_room","id":"ID","content":"game:0"}`)
	c.join("game:3")
	other.join("game:4") // the limit is each connection's own
}

// TestServe_InterestFollowsMembers asks Redis which channels the nodes listen to.
func TestServe_InterestFollowsMembers(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Redis.Linger = 100 * time.Millisecond })
	subscribers := func(want string, channels ...string) {
		t.Helper()
		eventually(t, func() error {
			for _, channel := range channels {
				got := s.redis.CLI("PUBSUB", "NUMSUB", "websocket:"+channel)
				if got != "websocket:"+channel+"\n"+want {
					return fmt.Errorf("NUMSUB says %q, want %s", got, want)
				}
			}
			return nil
		})
	}
	subscribers("2", "broadcast")
	subscribers("0", "room:game:1", "user:ann", "notification:ann")

	first, second, other := s.a.connect(t, "ann"), s.a.connect(t, "ann"), s.b.connect(t, "bob")
	first.join("game:1")
	second.join("game:1")
	other.join("game:1")
	subscribers("2", "room:game:1")
	subscribers("1", "user:ann", "notification:ann", "user:bob", "notification:bob")
	if got := total(t, s.a, "total_rooms"); got != 1 {
		t.Errorf("/ws/stats shows %d rooms, want 1", got)
	}

	first.request(`{"type":"leave_room","id":"ID","content":"game:1"}`)
	second.say("game:1", "still here")
	second.awaitText("still here")
	second.request(`{"type":"leave_room","id":"ID","content":"game:1"}`)
	subscribers("1", "room:game:1")
	other.leave()
	subscribers("0", "room:game:1", "user:bob", "notification:bob")
	first.leave()
	second.leave()
	subscribers("0", "user:ann", "notification:ann")
	for _, n := range s.nodes() {
		for _, name := range []string{"total_rooms", "total_clients", "online_users"} {
			if got := total(t, n, name); got != 0 {
				t.Errorf("%s: /ws/stats shows %s %d, want 0", n.cfg.Node, name, got)
			}
		}
	}
}

// total is a number of /ws/stats.
func total(t *testing.T, n *testNode, name string) int {
	t.Helper()
	var body struct {
		Data map[string]int
	}
	decode(t, []byte(n.get(t, "/ws/stats").body), &body)
	got, ok := body.Data[name]
	if !ok {
		t.Fatalf("/ws/stats has no %s", name)
	}
	return got
}
