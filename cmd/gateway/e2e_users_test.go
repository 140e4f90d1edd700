package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestServe_UserMessagesReachEveryDevice, on every node, and nobody else.
func TestServe_UserMessagesReachEveryDevice(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	devices := []*client{s.a.connect(t, "bob"), s.a.connect(t, "bob"), s.b.connect(t, "bob")}
	ann, annPhone, cleo := s.b.connect(t, "ann"), s.b.connect(t, "ann"), s.a.connect(t, "cleo")
	for _, frame := range []string{
		`{"type":"user_message","id":"ID","content":{"to":"bob","text":"Hello!"}}`,
		`{"type":"user_message","id":"ID","to":"bob","content":{"text":"Hello!"}}`,
		`{"type":"chat","id":"ID","content":{"to":"bob","text":"Hello!"}}`,
		`{"type":"chat","id":"ID","to":"bob","content":{"text":"Hello!"}}`,
	} {
		ack := ann.request(frame)
		for _, c := range devices {
			got := c.awaitType("user_message")
			if got.ID != ack.ID || got.To != "bob" || got.From != "ann" || got.FromName != nameOf("ann") || !recent(got.Timestamp) {
				t.Errorf("%s arrives as %s", frame, got.raw)
			}
		}
	}
	for _, c := range append(devices, ann, annPhone, cleo) {
		c.nothingMore()
	}
}

func TestServe_UserIDsMayHoldAnything(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	ann := s.a.connect(t, "ann")
	for _, id := range []string{"a:b", "with space", "我😀", `"quoted\`, "<script>", "*", "123"} {
		c := s.b.connect(t, id)
		ann.request(`{"type":"user_message","id":"ID","to":` + quote(id) + `,"content":"hi"}`)
		if f := c.awaitType("user_message"); f.To != id {
			t.Errorf("a message to %q arrives as %s", id, f.raw)
		}
	}
}

// status reads a user_status frame.
func status(t *testing.T, f frame) (user, name, status string) {
	t.Helper()
	var content struct {
		UserID   string `json:"user_id"`
		UserName string `json:"user_name"`
		Status   string `json:"status"`
	}
	decode(t, f.Content, &content)
	if !recent(f.Timestamp) {
		t.Errorf("%s has no time", f.raw)
	}
	return content.UserID, content.UserName, content.Status
}

// awaitStatus takes the next user_status, which must be this one.
func (c *client) awaitStatus(t *testing.T, wantUser, wantStatus string) {
	t.Helper()
	f := c.awaitType("user_status")
	if user, name, got := status(t, f); user != wantUser || name != nameOf(wantUser) || got != wantStatus {
		t.Fatalf("%s got %s, want that %s is %s", c.user, f.raw, wantUser, wantStatus)
	}
}

// TestServe_WatchersSeeEdges follows a user through all it can do: only the
// first device and the end of the last are told, and only to those who asked.
func TestServe_WatchersSeeEdges(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	watcher, former, stranger := s.a.connect(t, "watcher"), s.a.connect(t, "former"), s.a.connect(t, "stranger")
	ack := watcher.request(`{"type":"watch","id":"ID","content":{"users":["bob","watcher",7]}}`)
	if want := `{"online":["watcher"]}`; string(ack.Content) != want {
		t.Errorf("watch is acked with %s, want %s", ack.Content, want)
	}
	former.request(`{"type":"watch","id":"ID","content":{"users":["bob"]}}`)
	former.request(`{"type":"unwatch","id":"ID","content":{"users":["bob"]}}`)

	first := s.a.connect(t, "bob")
	watcher.awaitStatus(t, "bob", "online")
	second := s.a.connect(t, "bob")
	first.leave()
	watcher.nothingMore() // neither the second device nor the end of the first is an edge

	second.leave()
	watcher.awaitStatus(t, "bob", "offline")
	s.a.connect(t, "7")
	watcher.awaitStatus(t, "7", "online")

	for _, c := range []*client{watcher, former, stranger} {
		c.nothingMore()
	}
}

// TestServe_ReturnWithinTheGraceIsNoEdge has a user go and come back, and another
// go for good behind it: when the second is told of, the first would have been.
func TestServe_ReturnWithinTheGraceIsNoEdge(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Presence.Grace = 15 * time.Second })
	watcher, member := s.a.connect(t, "watcher"), s.a.connect(t, "member")
	watcher.request(`{"type":"watch","id":"ID","content":{"users":["bob","cleo"]}}`)
	member.join("chat:1")
	bob, cleo := s.a.connect(t, "bob"), s.a.connect(t, "cleo")
	watcher.awaitType("user_status")
	watcher.awaitType("user_status")
	bob.join("chat:1")
	cleo.join("chat:1")
	member.awaitStatus(t, "bob", "online")
	member.awaitStatus(t, "cleo", "online")

	bob.leave()
	eventually(t, func() error { // the gateway knows
		if got := total(t, s.a, "online_users"); got != 3 {
			return fmt.Errorf("%d users are connected, want 3", got)
		}
		return nil
	})
	watcher.request(`{"type":"presence","id":"ID","content":{"users":["bob"]}}`)
	if f := watcher.awaitType("presence"); string(f.Content) != `{"users":[{"user_id":"bob","status":"online"}]}` {
		t.Errorf("within the grace presence is %s, want online", f.Content)
	}
	s.a.connect(t, "bob").join("chat:1")
	cleo.leave()
	watcher.awaitStatus(t, "cleo", "offline")
	member.awaitStatus(t, "cleo", "offline")
	watcher.nothingMore()
	member.nothingMore()
}

// TestServe_RoomsWithPresenceSeeEdges, and those without do not.
func TestServe_RoomsWithPresenceSeeEdges(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	member, player := s.a.connect(t, "member"), s.a.connect(t, "player")
	member.join("chat:1")
	player.join("game:1")

	bob, bob2 := s.a.connect(t, "bob"), s.a.connect(t, "bob")
	for _, c := range []*client{bob, bob2} {
		c.join("chat:1")
		c.join("game:1")
	}
	member.awaitStatus(t, "bob", "online")
	bob.leave()
	member.nothingMore()
	bob2.leave()
	member.awaitStatus(t, "bob", "offline")
	member.nothingMore()
	player.nothingMore()
}

// present is the answer to presence for a room.
type present struct {
	Room        string
	Connections int
	Users       []struct {
		UserID   string `json:"user_id"`
		UserName string `json:"user_name"`
		Devices  int
	}
}

func TestServe_Presence(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	ann, bob, bob2 := s.a.connect(t, "ann"), s.a.connect(t, "bob"), s.a.connect(t, "bob")
	const users = `{"type":"presence","id":"ID","content":{"users":["nobody","bob",5,"ann"]}}`
	ann.request(users)
	want := `{"users":[{"user_id":"nobody","status":"offline"},{"user_id":"bob","status":"online"},` +
		`{"user_id":"5","status":"offline"},{"user_id":"ann","status":"online"}]}`
	if f := ann.awaitType("presence"); string(f.Content) != want {
		t.Errorf("presence of users is %s, want %s", f.Content, want)
	}

	const room = `{"type":"presence","id":"ID","content":{"room":"chat:1"}}`
	ann.refused(4003, room) // not a member
	for _, c := range []*client{ann, bob, bob2} {
		c.join("chat:1")
	}
	ann.request(room)
	var got present
	f := ann.awaitType("presence")
	decode(t, f.Content, &got)
	var listed []string
	for _, u := range got.Users {
		listed = append(listed, fmt.Sprint(u.UserID, " ", u.UserName, " ", u.Devices))
	}
	slices.Sort(listed)
	if want := []string{"ann Name of ann 1", "bob Name of bob 2"}; got.Room != "chat:1" || got.Connections != 3 || !slices.Equal(listed, want) {
		t.Errorf("presence of the room is %s, want 3 connections of %q", f.Content, want)
	}
}

func TestServe_WatchedUsersAreLimited(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Limits.WatchedUsers = 3 })
	c := s.a.connect(t, "ann")
	c.refused(4005, `{"type":"watch","id":"ID","content":{"users":[1,2,3,4]}}`)
	c.request(`{"type":"watch","id":"ID","content":{"users":[1,2]}}`)
	c.request(`{"type":"watch","id":"ID","content":{"users":[1,2,3]}}`)
	c.refused(4003, `{"type":"watch","id":"ID","content":{"users":[4]}}`)
	c.request(`{"type":"unwatch","id":"ID","content":{"users":[1]}}`)
	c.request(`{"type":"watch","id":"ID","content":{"users":[4]}}`)
}

// TestServe_OnlineUsers pages through the users of a node, to holders of a token.
func TestServe_OnlineUsers(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	for i := range 5 {
		s.a.connect(t, fmt.Sprint("u", i))
	}
	s.a.connect(t, "u3")
	s.b.connect(t, "elsewhere")
	checkJSONError(t, s.a.get(t, "/ws/online-users"), 401)
	checkJSONError(t, s.a.get(t, "/ws/online-users?token=nonsense"), 401)
	token := tokenOf("reader")
	checkJSONError(t, s.a.get(t, "/ws/online-users?limit=0&token="+token), 400)
	checkJSONError(t, s.a.get(t, "/ws/online-users?limit=x&token="+token), 400)

	var all []string
	for after := ""; ; {
		got := s.a.get(t, "/ws/online-users?limit=2&after="+after, "Authorization", "Bearer "+token)
		var body struct {
			Code    *int
			Message string
			Data    struct {
				Total int
				Users []json.RawMessage
			}
		}
		decode(t, []byte(got.body), &body)
		if got.status != 200 || body.Code == nil || *body.Code != 0 || body.Data.Total != 5 || len(body.Data.Users) > 2 {
			t.Fatalf("the answer is %d %s, want a page of two and the total of 5", got.status, got.body)
		}
		if len(body.Data.Users) == 0 {
			break
		}
		for _, raw := range body.Data.Users {
			var u struct {
				UserID string `json:"user_id"`
			}
			decode(t, raw, &u)
			all, after = append(all, string(raw)), u.UserID
		}
	}
	if want := `{"user_id":"u3","user_name":"Name of u3","devices":2}`; len(all) != 5 || all[3] != want {
		t.Errorf("the pages hold %q, want five users and %s", all, want)
	}
}
