package main

import (
	"strings"
	"testing"
)

// ruled is a configuration with a namespace of each kind.
func ruled(c *Config) {
	c.Namespaces["news"] = NamespaceConfig{Join: allowAny, Publish: allowNone}
	c.Namespaces["staff"] = NamespaceConfig{Join: allowNone, Publish: allowAny}
	c.Namespaces["vip"] = NamespaceConfig{Join: allowCaps, Publish: allowCaps}
	c.Namespaces["stage"] = NamespaceConfig{Join: allowAny, Publish: allowCaps}
	c.Namespaces["short"] = NamespaceConfig{Join: allowAny, Publish: allowAny, MessageBytes: 300}
}

// joinFrame and messageFrame are for client.refused and client.request.
func joinFrame(room string) string {
	return `{"type":"join_room","id":"ID","content":` + quote(room) + `}`
}

func messageFrame(room string) string {
	return `{"type":"room_message","id":"ID","room":` + quote(room) + `,"content":"hi"}`
}

// withClaims makes a token with more claims than a user.
func withClaims(user string, more map[string]any) string {
	claims := map[string]any{"user_id": user, "exp": inAnHour()}
	for k, v := range more {
		claims[k] = v
	}
	return sign(claims)
}

// TestServe_TokensRestrictRooms: what a token does not name it may not do, in
// any namespace.
func TestServe_TokensRestrictRooms(t *testing.T) {
	t.Parallel()
	s := startSystem(t, ruled)
	t.Run("one list for both", func(t *testing.T) {
		c := s.a.connectWith(t, withClaims("ann", map[string]any{"caps": []string{"chat:*", "lobby"}}))
		for _, room := range []string{"chat:1", "chat:a:b", "lobby"} {
			c.join(room)
			c.request(messageFrame(room))
		}
		for _, room := range []string{"game:1", "chat", "lobby:1", "chats:1"} {
			c.refused(4003, joinFrame(room))
			c.refused(4003, messageFrame(room))
		}
	})
	t.Run("a list for each", func(t *testing.T) {
		c := s.a.connectWith(t, withClaims("ann", map[string]any{
			"caps": map[string]any{"join": []string{"chat:*"}, "publish": []string{"chat:mine", "game:1"}},
		}))
		c.join("chat:mine")
		c.join("chat:others")
		c.request(messageFrame("chat:mine"))
		c.refused(4003, messageFrame("chat:others"))
		c.refused(4003, joinFrame("game:1"))
		c.refused(4003, messageFrame("game:1")) // may publish, is no member
	})
	t.Run("nothing", func(t *testing.T) {
		c := s.a.connectWith(t, withClaims("ann", map[string]any{"caps": []string{}}))
		c.refused(4003, joinFrame("chat:1"))
		c.request(`{"type":"user_message","id":"ID","to":"bob","content":"caps are about rooms"}`)
	})
	t.Run("everything", func(t *testing.T) {
		c := s.a.connectWith(t, withClaims("ann", map[string]any{"caps": []string{"*"}}))
		c.join("chat:1")
		c.join("vip:1")
		c.request(messageFrame("vip:1"))
		c.refused(4003, joinFrame("staff:1")) // closed to all
	})
}

func TestServe_NamespacesHaveRules(t *testing.T) {
	t.Parallel()
	s := startSystem(t, ruled)
	t.Run("publish none", func(t *testing.T) {
		c := s.a.connect(t, "ann")
		c.join("news:1")
		c.refused(4003, messageFrame("news:1"))
		s.publish("websocket:room:news:1", `{"type":"room_message","content":"extra"}`)
		c.awaitText("extra")
		c.nothingMore()
	})
	t.Run("join none", func(t *testing.T) {
		c := s.a.connect(t, "ann")
		c.refused(4003, joinFrame("staff:1"))
		invited := s.b.connectWith(t, withClaims("bob", map[string]any{"rooms": []string{"staff:1"}}))
		invited.awaitType("joined")
		invited.request(messageFrame("staff:1"))
		invited.awaitType("room_message")
	})
	t.Run("caps", func(t *testing.T) {
		c := s.a.connect(t, "ann")
		c.refused(4003, joinFrame("vip:1"))
		c.join("stage:1")
		c.refused(4003, messageFrame("stage:1"))
		vip := s.b.connectWith(t, withClaims("bob", map[string]any{"caps": []string{"vip:1", "stage:*"}}))
		vip.join("vip:1")
		vip.request(messageFrame("vip:1"))
		vip.refused(4003, joinFrame("vip:2"))
		vip.join("stage:1")
		vip.request(messageFrame("stage:1"))
		c.awaitType("room_message")
	})
	t.Run("message bytes", func(t *testing.T) {
		c := s.a.connect(t, "ann")
		c.join("short:1")
		c.join("long:1")
		c.request(messageFrame("short:1"))
		long := strings.Repeat("x", 300)
		c.refused(4003, `{"type":"room_message","id":"ID","room":"short:1","content":"`+long+`"}`)
		c.request(`{"type":"room_message","id":"ID","room":"long:1","content":"` + long + `"}`)
	})
	t.Run("presence", func(t *testing.T) {
		c := s.a.connect(t, "ann")
		c.join("game:1")
		c.refused(4003, `{"type":"presence","id":"ID","content":{"room":"game:1"}}`)
	})
}

// TestServe_RoomsOfTheTokenAreJoined lists rooms in a token: the client asks for
// nothing and is told of each.
func TestServe_RoomsOfTheTokenAreJoined(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	c := s.a.connectWith(t, withClaims("ann", map[string]any{"rooms": []string{"chat:1", "orders:77"}}))
	joined := map[string]bool{}
	for range 2 {
		f := c.awaitType("joined")
		joined[f.Room] = f.ID == ""
	}
	if !joined["chat:1"] || !joined["orders:77"] {
		t.Errorf("joined %v, want chat:1 and orders:77, without ids", joined)
	}
	s.publish("websocket:room:orders:77", `{"type":"data_update","content":{"entity":"order"}}`)
	if f := c.awaitType("data_update"); f.Room != "orders:77" {
		t.Errorf("got %s, want it to name its room", f.raw)
	}
	c.say("chat:1", "hi")
	c.awaitText(`"hi"`)
	c.nothingMore()
}
