package stream

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// BenchmarkStore_Append is the time per message, in batches to as many logs.
func BenchmarkStore_Append(b *testing.B) {
	for _, logs := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("logs=%d", logs), func(b *testing.B) {
			w := newWorld(b, redistest.Start(b).Addr(), nil)
			batch := make([]Append, 256)
			for i := range batch {
				batch[i] = Append{Key: Key{Room, fmt.Sprint(i % logs)}, Rules: Rules{100, time.Minute}, Payload: []byte(strings.Repeat("x", 133))}
			}
			b.ReportAllocs()
			for done := 0; done < b.N; done += len(batch) {
				for _, r := range w.Append(context.Background(), batch[:min(len(batch), b.N-done)]) {
					if r.Err != nil {
						b.Fatal(r.Err)
					}
				}
			}
		})
	}
}

// BenchmarkStore_Read is the time to read a hundred messages.
func BenchmarkStore_Read(b *testing.B) {
	w := newWorld(b, redistest.Start(b).Addr(), nil)
	for range 100 {
		w.add(b, room, Rules{100, time.Minute}, strings.Repeat("x", 133))
	}
	b.ReportAllocs()
	for b.Loop() {
		w.read(b, room, 0, 100)
	}
}

// BenchmarkStore_Positions is the time to check the tails of a hundred logs.
func BenchmarkStore_Positions(b *testing.B) {
	w := newWorld(b, redistest.Start(b).Addr(), nil)
	keys := make([]Key, 100)
	for i := range keys {
		keys[i] = Key{Room, fmt.Sprint(i)}
		w.add(b, keys[i], rules, "x")
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Positions(context.Background(), keys); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseLive(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = ParseLive(`42 k3v9a id-1 {"type":"room_message"}`)
	}
}
