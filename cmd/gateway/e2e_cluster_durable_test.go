package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/redistest"
	"github.com/ginforge/gateway/pubsub/sequencer"
)

// TestServe_ClusterTakesBothWays: in a Redis Cluster too, what is published
// plainly, at any of its nodes, and by XADD gets one place in the log, also when
// the node that does it ends.
func TestServe_ClusterTakesBothWays(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	first := launch(t, cluster.URL(), "node-a", withHistory)
	second := launch(t, cluster.URL(), "node-b", withHistory)
	second.standsBy(t)
	c := second.connect(t, "ann")
	c.joinSince("log:1", position{})
	servers := make([]*redis.Client, len(cluster.Primaries))
	for i, p := range cluster.Primaries {
		servers[i] = redis.NewClient(&redis.Options{Addr: p.Addr()})
		t.Cleanup(func() { _ = servers[i].Close() })
	}
	sent := 0
	round := func() {
		for _, server := range servers { // messages of one server have an order
			for range 20 {
				sent++
				message := fmt.Sprintf(`{"type":"room_message","content":{"n":%d}}`, sent)
				if err := server.Publish(context.Background(), "websocket:room:log:1", message).Err(); err != nil {
					t.Fatal(err)
				}
			}
			c.hears("log:1", sent-19, sent)
		}
		for range 20 {
			sent++
			message := fmt.Sprintf(`{"type":"room_message","content":{"n":%d}}`, sent)
			cluster.Primaries[0].CLI("-c", "XADD", "websocket:publish", "*", "channel", "room:log:1", "message", message)
		}
		c.hears("log:1", sent-19, sent)
	}
	round()
	first.stop()
	second.awaitMetric(t, "gateway_sequencer_leading", sequencer.Partitions)
	round()
	c.nothingMore()
	if lost := second.metric(t, `gateway_sequenced_total{result="unidentified"}`); lost != 0 {
		t.Errorf("%v messages were given up", lost)
	}
}
