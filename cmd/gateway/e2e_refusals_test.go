package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// badFrames are frames that a client should not send. HAS_ID stands for the
// frame's id where it can be read, so that the error must name it.
var badFrames = map[string]string{
	"not JSON":                 `hello`,
	"empty":                    ``,
	"cut off":                  `{"type":"ping"`,
	"two values":               `{"type":"ping"} {}`,
	"trailing comma":           `{"type":"ping",}`,
	"single quotes":            `{'type':'ping'}`,
	"bad number":               `{"type":"ping","x":01}`,
	"bad escape":               `{"type":"ping","x":"\x41"}`,
	"raw newline":              "{\"type\":\"ping\",\"x\":\"\n\"}",
	"an array":                 `[{"type":"ping"}]`,
	"a string":                 `"ping"`,
	"null":                     `null`,
	"deep arrays":              `{"type":"ping","x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`,
	"deep objects":             `{"type":"ping","x":` + strings.Repeat(`{"x":`, 32) + `1` + strings.Repeat("}", 32) + `}`,
	"very deep":                strings.Repeat(`{"x":`, 10000) + `1` + strings.Repeat("}", 10000),
	"no type":                  `{"id":"HAS_ID"}`,
	"null type":                `{"id":"HAS_ID","type":null}`,
	"empty type":               `{"id":"HAS_ID","type":""}`,
	"type is a number":         `{"id":"HAS_ID","type":1}`,
	"unknown type":             `{"id":"HAS_ID","type":"format_disk"}`,
	"a type of the server":     `{"id":"HAS_ID","type":"welcome"}`,
	"type in another case":     `{"id":"HAS_ID","type":"PING"}`,
	"id is a number":           `{"id":7,"type":"ping"}`,
	"id is too long":           `{"id":"` + strings.Repeat("i", 129) + `","type":"ping"}`,
	"timestamp is a string":    `{"id":"HAS_ID","type":"ping","timestamp":"now"}`,
	"room is a number":         `{"id":"HAS_ID","type":"join_room","room":5}`,
	"to is a list":             `{"id":"HAS_ID","type":"user_message","to":["a"],"content":{}}`,
	"join nothing":             `{"id":"HAS_ID","type":"join_room"}`,
	"join a number":            `{"id":"HAS_ID","type":"join_room","content":5}`,
	"join an empty name":       `{"id":"HAS_ID","type":"join_room","content":""}`,
	"join room as a number":    `{"id":"HAS_ID","type":"join_room","content":{"room":5}}`,
	"join two rooms":           `{"id":"HAS_ID","type":"join_room","room":"chat:1","content":"chat:2"}`,
	"join a long name":         `{"id":"HAS_ID","type":"join_room","content":"` + strings.Repeat("r", 256) + `"}`,
	"join a long UTF-8 name":   `{"id":"HAS_ID","type":"join_room","content":"` + strings.Repeat("é", 128) + `"}`,
	"join control characters":  `{"id":"HAS_ID","type":"join_room","content":"chat:\u0007"}`,
	"join a newline":           `{"id":"HAS_ID","type":"join_room","content":{"room":"chat:\n1"}}`,
	"join half a character":    `{"id":"HAS_ID","type":"join_room","content":"chat:\ud800"}`,
	"leave nothing":            `{"id":"HAS_ID","type":"leave_room","content":{}}`,
	"message to no room":       `{"id":"HAS_ID","type":"room_message","content":{"text":"hi"}}`,
	"message to two rooms":     `{"id":"HAS_ID","type":"room_message","room":"a","content":{"room":"b"}}`,
	"message to no user":       `{"id":"HAS_ID","type":"user_message","content":{"text":"hi"}}`,
	"message to an empty user": `{"id":"HAS_ID","type":"user_message","to":"","content":{"text":"hi"}}`,
	"message to a long user":   `{"id":"HAS_ID","type":"user_message","to":"` + strings.Repeat("u", 129) + `"}`,
	"message to two users":     `{"id":"HAS_ID","type":"user_message","to":"a","content":{"to":"b"}}`,
	"message to a number":      `{"id":"HAS_ID","type":"user_message","content":{"to":5}}`,
	"chat to nobody":           `{"id":"HAS_ID","type":"chat","content":{"text":"hi"}}`,
	"chat to both":             `{"id":"HAS_ID","type":"chat","to":"a","content":{"room":"b"}}`,
	"presence of nothing":      `{"id":"HAS_ID","type":"presence"}`,
	"presence of both":         `{"id":"HAS_ID","type":"presence","content":{"room":"chat:1","users":["a"]}}`,
	"users is a string":        `{"id":"HAS_ID","type":"presence","content":{"users":"a"}}`,
	"users holds an object":    `{"id":"HAS_ID","type":"watch","content":{"users":[{}]}}`,
	"users holds nothing":      `{"id":"HAS_ID","type":"watch","content":{"users":[""]}}`,
	"users holds a fraction":   `{"id":"HAS_ID","type":"watch","content":{"users":[1.5]}}`,
	"too many users":           `{"id":"HAS_ID","type":"watch","content":{"users":[1` + strings.Repeat(",1", 200) + `]}}`,
	"watch nobody":             `{"id":"HAS_ID","type":"watch","content":{"users":[]}}`,
	"watch nothing":            `{"id":"HAS_ID","type":"watch"}`,
	"unwatch nobody":           `{"id":"HAS_ID","type":"unwatch","content":{}}`,
}

func TestServe_BadFramesAreRefusedAndTheConnectionKept(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	for name, text := range badFrames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := s.a.connect(t, "ann")
			id := ""
			if strings.Contains(text, "HAS_ID") {
				id = nextID()
			}
			c.send(strings.ReplaceAll(text, "HAS_ID", id))
			c.awaitError(id, 4005)
			c.nothingMore()
		})
	}
}

func TestServe_AbuseIsClosed(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Limits.ProtocolErrors = 5 })
	c := s.a.connect(t, "mallory")
	for range 6 {
		c.send("nonsense")
	}
	if r := c.closed(4005); r.Reason != "protocol error" || r.DelayMS != nil {
		t.Errorf("the close reason is %+v, want a protocol error and no delay", r)
	}
	if len(c.pending) != 5 {
		t.Errorf("got %d errors before the close, want 5", len(c.pending))
	}
	for range 5 {
		c.awaitError("", 4005)
	}
}

func TestServe_FramesThatEndTheConnection(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Limits.MessageBytes = 1024 })
	for name, tt := range map[string]struct {
		typ     websocket.MessageType
		payload string
		code    websocket.StatusCode
	}{
		"binary":    {websocket.MessageBinary, `{"type":"ping"}`, websocket.StatusUnsupportedData},
		"too big":   {websocket.MessageText, `{"type":"ping","x":"` + strings.Repeat("x", 1024) + `"}`, websocket.StatusMessageTooBig},
		"not UTF-8": {websocket.MessageText, "{\"type\":\"ping\",\"x\":\"\xff\"}", websocket.StatusInvalidFramePayloadData},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.a.connect(t, "ann")
			c.sendAs(tt.typ, tt.payload)
			if r := c.closed(tt.code); r.Reason == "" {
				t.Errorf("the connection was closed for no reason")
			}
		})
	}
	t.Run("as big as allowed", func(t *testing.T) {
		c := s.a.connect(t, "ann")
		c.send(`{"type":"ping","x":"` + strings.Repeat("x", 1024-22) + `"}`)
		c.awaitType("pong")
	})
}

// TestServe_TooManyFrames first slows a client down and then gives up on it.
func TestServe_TooManyFrames(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) {
		c.Limits.FramesPerSecond, c.Limits.FramesBurst, c.Limits.ProtocolErrors = 1, 5, 5
	})
	c := s.a.connect(t, "ann")
	for range 20 {
		c.send(`{"type":"ping","id":"p"}`)
	}
	r := c.closed(4101)
	if r.Reason == "" || r.DelayMS == nil || *r.DelayMS < 1 {
		t.Errorf("the close reason is %+v, want a reason and a delay", r)
	}
	c.awaitType("pong")
	c.awaitError("p", 4101)
}

// TestServe_OverCapacity lets two clients in and sends others to other nodes.
func TestServe_OverCapacity(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Engine.MaxConnections = 3 })
	full := s.a
	full.awaitMetric(t, "gateway_connections", 0) // those of startSystem are gone
	first := full.connect(t, "ann")
	full.connect(t, "ann")
	full.connect(t, "ann")

	c := full.mustDial(t, "?token="+tokenOf("bob"), nil)
	if r := c.closed(4100); r.DelayMS == nil || *r.DelayMS < 1 {
		t.Errorf("the close reason is %+v, want a delay", r)
	}
	checkJSONError(t, full.get(t, "/ws?token="+tokenOf("bob")), http.StatusServiceUnavailable)
	full.awaitMetric(t, "gateway_connections", 3)
	checkJSONError(t, full.get(t, "/readyz"), http.StatusServiceUnavailable)
	if got := full.get(t, "/healthz").status; got != http.StatusOK {
		t.Errorf("/healthz of a full node is %d, want 200", got)
	}

	first.leave()
	full.awaitMetric(t, "gateway_connections", 2)
	if got := full.get(t, "/readyz").status; got != http.StatusOK {
		t.Errorf("/readyz is %d after a client has gone, want 200", got)
	}
	full.awaitMetric(t, "gateway_connections", 2)
	full.connect(t, "bob")
}

// TestServe_SilentPeerIsClosed has a client that does not read, and so does not
// answer pings.
func TestServe_SilentPeerIsClosed(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Engine.PingInterval, c.Engine.PongTimeout = 2*time.Second, time.Second })
	silent := s.a.connect(t, "ann")
	s.a.awaitMetric(t, `gateway_closes_sent_total{code="4201"}`, 1)
	if r := silent.closed(4201); r.DelayMS == nil || *r.DelayMS < 1 || *r.DelayMS > 5000 {
		t.Errorf("the close reason is %+v, want a delay within the window of 5s", r)
	}
	if got := s.a.metric(t, "gateway_pings_missed_total"); got != 1 {
		t.Errorf("%v missed pings are counted, want 1", got)
	}
}

// TestServe_SlowConsumerIsClosed has a client that reads nothing while its room
// is loud, and another that must not suffer from it.
func TestServe_SlowConsumerIsClosed(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) {
		c.Limits.FramesPerSecond, c.Limits.FramesBurst = 1000, 100_000
		c.Engine.CloseTimeout = patience // for what is queued before the close frame to be read
		c.Limits.MessageBytes, c.Limits.WriteBufferBytes = 256<<10, 512<<10
		c.Limits.BytesPerSecond, c.Limits.BytesBurst, c.Limits.UserBytesPerSecond = 1<<30, 1<<30, 0
	})
	slow := s.a.connect(t, "slow")
	slow.join("chat:loud")
	loud := s.b.connect(t, "loud")
	loud.join("chat:loud")
	text := strings.Repeat("x", 200<<10)
	eventually(t, func() error {
		loud.say("chat:loud", text)
		loud.awaitType("room_message")
		if s.a.metric(t, `gateway_closes_sent_total{code="4102"}`) != 1 {
			return fmt.Errorf("the slow client is not closed")
		}
		return nil
	})
	if r := slow.closed(4102); r.DelayMS == nil || *r.DelayMS < 1 {
		t.Errorf("the close reason is %+v, want a delay", r)
	}
	if got := s.a.metric(t, `gateway_deliveries_total{result="slow"}`); got < 1 {
		t.Errorf("%v deliveries to slow clients are counted, want some", got)
	}
	loud.alive()
}
