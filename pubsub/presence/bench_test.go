package presence

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// BenchmarkConnect is what users cost who come online in a storm, as batches of the
// writer: time of this process and of Redis together as ns/op, and of Redis alone.
func BenchmarkConnect(b *testing.B) {
	for _, rooms := range []int{0, 1} {
		b.Run("rooms="+strconv.Itoa(rooms), func(b *testing.B) {
			client := redis.NewClient(&redis.Options{Addr: redistest.Start(b).Addr(), Protocol: 2})
			defer client.Close()
			n := &testNode{life: "a", states: map[string]State{}}
			p, err := New(Config{Prefix: "t:"}, client, n, n, zerolog.Nop())
			if err != nil {
				b.Fatal(err)
			}
			users := make([]string, b.N)
			for i := range users {
				users[i] = fmt.Sprint("user-", i)
				n.states[users[i]] = State{Here: true, Name: "Name of a user", Rooms: make([]string, rooms)}
				for j := range rooms {
					n.states[users[i]].Rooms[j] = fmt.Sprint("chat:", i%100)
				}
			}
			before := redisMicros(b, client)
			b.ReportAllocs()
			b.ResetTimer()
			for len(users) > 0 { // what has gathered while the batch before was written
				batch := users[:min(maxBatch, len(users))]
				for _, u := range batch {
					p.Changed(u)
				}
				if err := p.flush(b.Context()); err != nil {
					b.Fatal(err)
				}
				users = users[len(batch):]
			}
			b.StopTimer()
			b.ReportMetric(float64(redisMicros(b, client)-before)/float64(b.N), "redis-µs/op")
		})
	}
}

// redisMicros is the CPU time that Redis has used, in microseconds.
func redisMicros(b *testing.B, client *redis.Client) (us int64) {
	b.Helper()
	info, err := client.Info(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user" || name == "used_cpu_sys" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			us += int64(seconds * 1e6)
		}
	}
	return us
}
