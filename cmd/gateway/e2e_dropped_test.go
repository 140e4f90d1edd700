package main

import (
	"fmt"
	"strings"
	"testing"
)

// badPayloads are what backends should not publish, by the cause under which
// they are counted.
var badPayloads = map[string][]string{
	"malformed": {
		"", "hello", "{", "[]", "null", "42", `"type"`, `{"type":"x"} {}`, `{"type":"x",}`,
		`{"content":{"text":"no type"}}`, `{"type":""}`, `{"type":5}`, `{"type":null}`,
		`{"message":{"content":1}}`, `{"message":"text"}`, `{"message":[]}`, `{"message":{"message":{"type":"x"}}}`,
		`{"type":"x","room":5}`, `{"type":"x","timestamp":"now"}`, `{"type":"x","from":{}}`,
		"{\"type\":\"x\",\"y\":\"\n\"}",
	},
	"too_large": {`{"type":"x","content":"` + strings.Repeat("x", 2048) + `"}`},
	"too_deep":  {`{"type":"x","content":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`},
	"not_utf8":  {"{\"type\":\"x\",\"content\":\"\xff\xfe\"}", "{\"message\":{\"type\":\"x\",\"content\":\"\xc3\"}}"},
}

// TestServe_BadPayloadsStopNothing: each is counted and dropped on both nodes,
// one in a while is logged, and the next good one arrives.
func TestServe_BadPayloadsStopNothing(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Limits.MessageBytes = 2048 })
	a := newAudience(t, s)
	published := 0
	for cause, texts := range badPayloads {
		for _, text := range texts {
			s.publish("websocket:broadcast", text)
			published++
		}
		s.publish("websocket:broadcast", `{"type":"system","content":"after `+cause+`"}`)
		for _, c := range a.all() {
			c.awaitText("after " + cause)
		}
		for _, n := range s.nodes() {
			name := fmt.Sprintf("gateway_payloads_dropped_total{cause=%q}", cause)
			if got := n.metric(t, name); got != float64(len(texts)) {
				t.Errorf("%s: %s is %v, want %d", n.cfg.Node, name, got, len(texts))
			}
		}
	}
	for _, channel := range channels {
		s.publish(channel, "hello")
		s.publish(channel, `{"type":"system","content":"after all"}`)
		for _, c := range a.members(channel) {
			c.awaitText("after all")
		}
	}
	for _, c := range a.all() {
		c.nothingMore()
	}
	for _, n := range s.nodes() {
		log := n.lines.above("debug")
		if got := strings.Count(log, "dropped"); got < 1 || got > published/3 {
			t.Errorf("%s has %d lines about %d dropped payloads, want one in a while:\n%s", n.cfg.Node, got, published, log)
		}
	}
}
