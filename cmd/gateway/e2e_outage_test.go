package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// awaitRedis waits until /readyz shows that Redis is there, or not.
func (n *testNode) awaitRedis(t *testing.T, connected bool) {
	t.Helper()
	eventually(t, func() error {
		got := n.get(t, "/readyz")
		var body struct {
			Data struct {
				Redis struct {
					Connected *bool
					Since     string
				}
			}
		}
		decode(t, []byte(got.body), &body)
		redis := body.Data.Redis
		if redis.Connected == nil || redis.Since == "" {
			t.Fatalf("/readyz does not say how Redis is: %s", got.body)
		}
		if *redis.Connected != connected || got.status != http.StatusOK {
			return fmt.Errorf("%s: /readyz is %d %s, want Redis connected: %v", n.cfg.Node, got.status, got.body, connected)
		}
		return nil
	})
}

// TestServe_RedisGoesAndReturns kills Redis under two nodes with clients, and
// gives them an empty one: the clients keep their connections throughout.
func TestServe_RedisGoesAndReturns(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Limits.FramesBurst = 1000 })
	ann, bob := s.a.connect(t, "ann"), s.b.connect(t, "bob")
	for _, c := range []*client{ann, bob} {
		c.join("game:1")
	}
	ann.say("game:1", "before")
	for _, c := range []*client{ann, bob} {
		c.awaitText("before")
		c.nothingMore()
	}

	s.redis.Kill()
	for _, n := range s.nodes() {
		n.awaitRedis(t, false)
	}
	for _, c := range []*client{ann, bob} {
		sendDuringOutage(c)
	}
	// Answers to these can only come when Redis is back.
	ann.send(`{"type":"join_room","id":"late","content":"game:2"}`)
	bob.send(`{"type":"join_room","id":"late","content":"game:2"}`)
	newcomer := s.a.mustDial(t, "?token="+tokenOf("newcomer"), nil)
	ann.alive()

	s.redis.Restart()
	for _, n := range s.nodes() {
		n.awaitRedis(t, true)
	}
	newcomer.greeted()
	newcomer.join("game:1")
	for _, c := range []*client{ann, bob} {
		c.awaitText(`"event":"restored"`)
		answer := c.await("answer to the join", func(f frame) bool { return f.ID == "late" && f.Type != "joined" })
		if answer.Type == "error" { // allowed, if it says when to try again
			c.join("game:2")
		}
		c.pending = nil
	}
	flowsEverywhere(t, s, ann, bob)
	newcomer.awaitText("after in game:1")
	for _, n := range s.nodes() {
		log := n.lines.above("debug")
		if away, back := strings.Count(log, "redis is away"), strings.Count(log, "redis is back"); away != 1 || back != 1 {
			t.Errorf("%s: the log says %d times that Redis is away and %d that it is back, want once each:\n%s", n.cfg.Node, away, back, log)
		}
		for name, want := range map[string]float64{
			`gateway_redis_connected`: 1, `gateway_redis_connects_total`: 2, `gateway_redis_queue_messages`: 0,
		} {
			if got := n.metric(t, name); got != want {
				t.Errorf("%s: %s is %v, want %v", n.cfg.Node, name, got, want)
			}
		}
		if got := n.metric(t, `gateway_redis_published_total{result="away"}`); got < 100 {
			t.Errorf("%s: %v messages refused while Redis was away, want at least 100", n.cfg.Node, got)
		}
	}
}

// sendDuringOutage: what must go through Redis is refused at once, however much
// of it there is; what need not works. A room goes on among those who are here.
func sendDuringOutage(c *client) {
	c.t.Helper()
	c.awaitText(`"event":"degraded"`)
	if ack := c.request(`{"type":"room_message","id":"ID","room":"game:1","content":"local"}`); string(ack.Content) != `{"local":true}` {
		c.t.Errorf("%s: got %s, want it to say that the message went no further", c.user, ack.raw)
	}
	if f := c.awaitText(`"local"`); f.From != c.user {
		c.t.Errorf("%s: got %s, want only its own message", c.user, f.raw)
	}
	for _, text := range []string{
		`{"type":"user_message","id":"ID","to":"bob","content":"lost"}`,
		`{"type":"chat","id":"ID","to":"ann","content":"lost"}`,
	} {
		c.refused(4101, text)
	}
	const many = 100
	for range many {
		c.send(`{"type":"user_message","to":"bob","content":"lost"}`)
	}
	for range many {
		c.awaitError("", 4101)
	}
	c.alive()
	c.join("game:1") // a room that is joined already
	c.refused(4003, `{"type":"room_message","id":"ID","room":"game:9","content":"not a member"}`)
	c.request(`{"type":"presence","id":"ID","content":{"users":["ann"]}}`)
	c.awaitType("presence")
}

// flowsEverywhere sends by every way there is, in both directions.
func flowsEverywhere(t *testing.T, s *system, ann, bob *client) {
	t.Helper()
	both := []*client{ann, bob}
	for _, from := range both {
		for _, room := range []string{"game:1", "game:2"} {
			text := "after in " + room + " by " + from.user
			from.say(room, text)
			for _, c := range both {
				c.awaitText(text)
			}
		}
	}
	ann.request(`{"type":"user_message","id":"ID","to":"bob","content":"to bob"}`)
	bob.awaitText("to bob")
	bob.request(`{"type":"user_message","id":"ID","to":"ann","content":"to ann"}`)
	ann.awaitText("to ann")
	for _, c := range both {
		for _, channel := range []string{"broadcast", "user:" + c.user, "notification:" + c.user, "room:game:1"} {
			text := "backend to " + channel + " for " + c.user
			s.publish("websocket:"+channel, `{"type":"system","content":`+quote(text)+`}`)
			c.awaitText(text)
		}
	}
}

// TestServe_RedisStaysAway: whoever waits for it is answered nevertheless.
func TestServe_RedisStaysAway(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	ann := s.a.connect(t, "ann")
	s.redis.Kill()
	for _, n := range s.nodes() {
		n.awaitRedis(t, false)
	}
	ann.send(`{"type":"join_room","id":"j1","content":"game:1"}`)
	ann.send(`{"type":"join_room","content":"game:2"}`)
	newcomer := s.a.mustDial(t, "?token="+tokenOf("newcomer"), nil)
	for range 2 {
		refusal := ann.awaitType("error")
		if refusal.ID != "j1" && refusal.ID != "" || !strings.Contains(string(refusal.Content), `"code":4101`) {
			t.Errorf("a join is answered with %s, want code 4101", refusal.raw)
		}
	}
	ann.refused(4003, `{"type":"room_message","id":"ID","room":"game:1","content":"not a member"}`)
	newcomer.greeted()
	newcomer.alive()
}

// TestServe_StartsWithoutRedis runs a node that is not ready until it has seen
// Redis once.
func TestServe_StartsWithoutRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	redis.Kill()
	n := launchUnready(t, redis.URL(), "early", nil)
	if got := n.get(t, "/healthz"); got.status != http.StatusOK {
		t.Errorf("/healthz is %d %s, want 200", got.status, got.body)
	}
	got := n.get(t, "/readyz")
	checkJSONError(t, got, http.StatusServiceUnavailable)
	if !strings.Contains(got.body, "starting") {
		t.Errorf("/readyz says %s, want that the node is starting", got.body)
	}
	redis.Restart()
	n.awaitRedis(t, true)
	n.connect(t, "ann")
}
