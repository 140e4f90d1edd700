package session

import (
	"testing"
	"time"

	"github.com/ginforge/gateway/message"
)

func delivering(rules map[string]Delivery, dataUpdate Delivery) func(*Config) {
	return func(c *Config) {
		for name, d := range rules {
			c.Namespaces[name] = Namespace{Join: AllowAny, Publish: AllowAny, Delivery: d}
		}
		c.DataUpdate = dataUpdate
	}
}

func TestConfig_DeliveryOf(t *testing.T) {
	drop, latest, must := Delivery{DeliverDrop, time.Second}, Delivery{Class: DeliverLatest}, Delivery{Class: DeliverMust}
	cfg := testConfig()
	delivering(map[string]Delivery{"typing": drop, "price": latest, "pay": must}, latest)(&cfg)
	for _, tt := range []struct {
		to        Target
		name, typ string
		want      Delivery
	}{
		{ToRoom, "typing:1", "room_message", drop},
		{ToRoom, "price:1", "tick", latest},
		{ToRoom, "pay:1", "data_update", must}, // the room's word counts
		{ToRoom, "chat:1", "room_message", must},
		{ToRoom, "chat:1", "data_update", latest},
		{ToAll, "", "data_update", latest},
		{ToUser, "typing:1", "data_update", latest}, // a user may be called like a room
		{ToUser, "ann", "user_message", must},
		{ToUserNotification, "ann", "notification", must},
		{ToAll, "", "system", must},
	} {
		if got := cfg.deliveryOf(tt.to, tt.name, tt.typ); got != tt.want {
			t.Errorf("deliveryOf(%s %q, %s) = %v, want %v", tt.to, tt.name, tt.typ, got, tt.want)
		}
	}
}

func TestLatestKey(t *testing.T) {
	key := func(to Target, name, payload string) uint64 {
		var env message.Envelope
		if err := message.DefaultLimits().DecodePayload([]byte(payload), &env); err != nil {
			t.Fatalf("%s: %v", payload, err)
		}
		return latestKey(to, name, env.Type, &env)
	}
	const update = `{"type":"data_update","content":{"entity":"user","action":"create","id":"1"}}`
	base := key(ToAll, "", update)
	for name, tt := range map[string]struct {
		key  uint64
		same bool
	}{
		"another action":          {key(ToAll, "", `{"content":{"id":"1","action":"update","entity":"user"},"type":"data_update","from":"x"}`), true},
		"another id":              {key(ToAll, "", `{"type":"data_update","content":{"entity":"user","id":"2"}}`), false},
		"another entity":          {key(ToAll, "", `{"type":"data_update","content":{"entity":"order","id":"1"}}`), false},
		"no entity":               {key(ToAll, "", `{"type":"data_update","content":[]}`), false},
		"to one user":             {key(ToUser, "ann", update), false},
		"to a room":               {key(ToRoom, "ann", update), false},
		"another type":            {key(ToAll, "", `{"type":"room_message","content":{"entity":"user","id":"1"}}`), false},
		"what looks like an id 1": {key(ToAll, "", `{"type":"data_update","content":{"entity":"user"},"id":"1"}`), false},
	} {
		if (tt.key == base) != tt.same {
			t.Errorf("%s: the same key: %t, want %t", name, tt.key == base, tt.same)
		}
	}
	if key(ToRoom, "a:1", `{"type":"x","from":"ann"}`) == key(ToRoom, "a:1", `{"type":"x","from":"bob"}`) {
		t.Error("two senders have one key")
	}
	if key(ToRoom, "a:1", `{"type":"x","from":"ann"}`) == key(ToRoom, "a:2", `{"type":"x","from":"ann"}`) {
		t.Error("two rooms have one key")
	}
	ann := statusKey("ann")
	if again := statusKey("ann"); again != ann || statusKey("bob") == ann {
		t.Error("a status has another key than its user's")
	}
}

func TestNamespace_DropsNothingThatHasAnOffset(t *testing.T) {
	for _, class := range []Class{DeliverLatest, DeliverDrop} {
		cfg := testConfig()
		cfg.Namespaces["log"] = Namespace{
			Join: AllowAny, Publish: AllowAny, Delivery: Delivery{class, time.Second}, History: History{Size: 10, TTL: time.Minute},
		}
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s is allowed in a room with history", class)
		}
	}
}
