package main

import (
	"fmt"
	"testing"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// In a Cluster a master is killed and its replica takes over, while a client keeps
// sending and sends again what was refused: nothing is lost, and nothing comes
// twice.
func TestServe_HistorySurvivesAFailover(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 1)
	edit := func(c *Config) {
		withHistory(c)
		c.Inbox = HistoryConfig{Size: 100, TTL: defaultInboxTTL}
	}
	a, b := launch(t, cluster.URL(), "node-a", edit), launch(t, cluster.URL(), "node-b", edit)
	ann, bob := a.connect(t, "ann"), b.connect(t, "bob")
	ann.joinSince("log:1", position{})
	bob.joinSince("log:1", position{})
	const messages = 60
	for i := range messages {
		if i == 20 {
			cluster.KillPrimary(cluster.Primary("log:{room:log:1}"))
		}
		ann.insist("log:1", fmt.Sprint("m", i))
	}
	for _, c := range []*client{ann, bob} {
		seen := map[string]bool{}
		for len(seen) < messages {
			f := c.await("message", func(f frame) bool { return f.Type == "room_message" })
			if text := string(f.Content); seen[text] {
				t.Fatalf("%s got %s twice", c.user, f.raw)
			} else {
				seen[text] = true
			}
		}
	}
}

// insist sends a message until it is taken, under one id.
func (c *client) insist(room, id string) {
	c.t.Helper()
	eventually(c.t, func() error {
		c.send(fmt.Sprintf(`{"type":"room_message","id":%q,"room":%q,"content":{"id":%q}}`, id, room, id))
		answer := c.await("answer", func(f frame) bool { return f.ID == id && (f.Type == "ack" || f.Type == "error") })
		if answer.Type == "error" {
			return fmt.Errorf("%s: %s", c.user, answer.raw)
		}
		return nil
	})
}
