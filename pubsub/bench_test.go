package pubsub

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// payload is as long as a short chat message in its envelope.
var payload = []byte(strings.Repeat("x", 133))

// BenchmarkBus_Publish is the time per message from Publish to its answer, the
// queue being kept full.
func BenchmarkBus_Publish(b *testing.B) {
	server := redistest.Start(b)
	bus := connected(b, testConfig(server.URL()), nil)
	slots := make(chan struct{}, 1000)
	done := func(err error) {
		if err != nil {
			b.Error(err)
		}
		<-slots
	}
	b.ReportAllocs()
	for b.Loop() {
		slots <- struct{}{}
		if err := bus.Publish(KindRoom, "chat:1", payload, done); err != nil {
			b.Fatal(err)
		}
	}
	for range cap(slots) { // until all are answered
		slots <- struct{}{}
	}
}

// BenchmarkBus_Deliver is the time per message from Redis to the Handler.
func BenchmarkBus_Deliver(b *testing.B) {
	const batch = 1000
	server := redistest.Start(b)
	var delivered sync.WaitGroup
	bus := connected(b, testConfig(server.URL()), func(Kind, string, string) { delivered.Done() })
	bus.subscribe(b, KindRoom, "chat:1")
	backend := newPlainClient(b, server.Addr())
	b.ReportAllocs()
	b.ResetTimer()
	for sent := 0; sent < b.N; sent += batch {
		n := min(batch, b.N-sent)
		delivered.Add(n)
		pipe := backend.Pipeline()
		for range n {
			pipe.Publish(context.Background(), "websocket:room:chat:1", payload)
		}
		if _, err := pipe.Exec(context.Background()); err != nil {
			b.Fatal(err)
		}
		delivered.Wait()
	}
}
