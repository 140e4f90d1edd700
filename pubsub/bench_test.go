package pubsub

import (
	"fmt"
	"io"
	"net"
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

// BenchmarkBus_Deliver is the time per message from Redis to the Handler, when
// all come on one channel and when each comes on another than the one before.
// What is allocated is the Bus's: the backend writes what was prepared.
func BenchmarkBus_Deliver(b *testing.B) {
	for _, rooms := range []int{1, 100} {
		b.Run(fmt.Sprintf("rooms=%d", rooms), func(b *testing.B) {
			const batch = 1000
			server := redistest.Start(b)
			var delivered sync.WaitGroup
			cfg := testConfig(server.URL())
			cfg.Coalesce = 0 // else the time is that of waiting
			bus := connected(b, cfg, func(Delivery) { delivered.Done() })
			for room := range rooms {
				bus.subscribe(b, KindRoom, fmt.Sprintf("%03d", room))
			}
			backend, err := net.Dial("tcp", server.Addr())
			if err != nil {
				b.Fatal(err)
			}
			defer backend.Close()
			commands := publishes(batch, rooms)
			answers := make([]byte, batch*len(":1\r\n"))
			b.ReportAllocs()
			b.ResetTimer()
			for sent := 0; sent < b.N; sent += batch {
				n := min(batch, b.N-sent)
				delivered.Add(n)
				if _, err := backend.Write(commands[:len(commands)/batch*n]); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(backend, answers[:len(answers)/batch*n]); err != nil {
					b.Fatal(err)
				}
				delivered.Wait()
			}
		})
	}
}

// publishes returns n commands of equal length, to one room after the other.
func publishes(n, rooms int) (commands []byte) {
	for i := range n {
		commands = fmt.Appendf(commands, "*3\r\n$7\r\nPUBLISH\r\n$18\r\nwebsocket:room:%03d\r\n$%d\r\n%s\r\n",
			i%rooms, len(payload), payload)
	}
	return commands
}
