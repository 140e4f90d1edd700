package sequencer

import (
	"context"
	"fmt"
	"testing"

	"github.com/ginforge/gateway/pubsub/redistest"
	"github.com/ginforge/gateway/pubsub/stream"
)

// BenchmarkSequencer_OneRoom has a backend publish to one room as fast as Redis
// takes it, while one node leads and another stands by.
func BenchmarkSequencer_OneRoom(b *testing.B) {
	c := newCluster(b, redistest.Start(b).Addr())
	c.start()
	c.start()
	c.roles(1, 1)
	key := stream.Key{Kind: stream.Room, Name: "chat:1"}
	b.ResetTimer()
	for sent := 0; sent < b.N; {
		pipe := c.redis.Pipeline()
		for range min(1000, b.N-sent) {
			pipe.Publish(context.Background(), "websocket:room:chat:1", `{"type":"room_message","content":{"text":"hello to everybody in here"}}`)
			sent++
		}
		if _, err := pipe.Exec(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	c.eventually(func() error {
		p, err := c.store.Positions(context.Background(), []stream.Key{key})
		if err != nil || p[0].Offset != uint64(b.N) {
			return fmt.Errorf("%v of %d, %w; %+v", p, b.N, err, c.nodes[0].Stats())
		}
		return nil
	})
}
