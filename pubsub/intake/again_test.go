package intake

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// TestIntake_ClockBehindAfterAFailover: the stream's new master lacks entries that
// were taken, and gives new ones lesser ids.
func TestIntake_ClockBehindAfterAFailover(t *testing.T) {
	onBoth(t, func(t *testing.T, s *system) {
		ctx := t.Context()
		live := s.redis.Subscribe(ctx, "websocket:broadcast")
		defer live.Close()
		if _, err := live.Receive(ctx); err != nil {
			t.Fatal(err)
		}
		i, err := New(Config{Node: "n", Prefix: "websocket:", Resolve: resolve, DedupeWindow: time.Minute}, s.redis, nil, s.store, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		entry := func(id string, values ...any) redis.XMessage {
			t.Helper()
			id, err := s.redis.XAdd(ctx, &redis.XAddArgs{Stream: "websocket:publish", ID: id, Values: values}).Result()
			if err != nil {
				t.Fatal(err)
			}
			messages := s.redis.XRange(ctx, "websocket:publish", id, id).Val()
			return messages[0]
		}
		do := func(m redis.XMessage) {
			t.Helper()
			if err := i.do(ctx, []redis.XMessage{m}); err != nil {
				t.Errorf("do(%v) = %v", m, err)
			}
		}
		ahead := fmt.Sprint(time.Now().Add(time.Hour).UnixMilli(), "-0")
		first := entry(ahead, "channel", "room:chat:1", "message", "a")
		do(first)
		do(entry("*", "channel", "broadcast", "message", "to all"))
		s.redis.Del(ctx, "websocket:publish") // lost; what comes now is earlier

		again := entry("*", "channel", "room:chat:1", "message", "b")
		toAll := entry("*", "channel", "broadcast", "message", "to all again", "id", "k")
		do(again)
		do(toAll)
		waiting := s.redis.XRange(ctx, "websocket:publish", "-", "+").Val()
		if len(waiting) != 2 {
			t.Fatalf("%v wait, want both with other ids", waiting)
		}
		for _, m := range waiting {
			do(m)
			do(m) // nor is it taken twice by who repeats it
		}
		do(again) // a node that was stopped in between
		do(first)
		s.want("chat:1", "a", "b")
		if n := s.redis.XLen(ctx, "websocket:publish").Val(); n != 0 {
			t.Errorf("%d entries are left, want none", n)
		}
		for _, text := range []string{"to all", "to all again"} {
			if m, err := live.ReceiveMessage(ctx); err != nil || m.Payload != text {
				t.Errorf("broadcast %v, %v, want %q", m, err, text)
			}
		}
		old := entry(fmt.Sprint(time.Now().Add(2*time.Hour).UnixMilli(), "-0"), "channel", "room:chat:1", "message", "c")
		old.ID = fmt.Sprint(time.Now().Add(-time.Hour).UnixMilli(), "-0") // its key may be gone
		do(old)
		s.want("chat:1", "a", "b")
		if got, want := i.Stats(), (Stats{Taken: 4, Duplicates: 5}); got != want {
			t.Errorf("Stats = %+v, want %+v", got, want)
		}
	})
}

// TestIntake_SetsPoisonAsideOnce: a node has died between setting it aside and
// saying so.
func TestIntake_SetsPoisonAsideOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *system) {
		ctx := t.Context()
		i, err := New(Config{Node: "n", Prefix: "websocket:", Resolve: resolve}, s.redis, nil, s.store, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		const all, middle = 3 * poisonPage, poisonPage + 1
		for n := range all {
			s.add("channel", "moon", "message", fmt.Sprint(n))
		}
		entries := s.redis.XRange(ctx, "websocket:publish", "-", "+").Val()
		for _, batch := range [][]redis.XMessage{entries[middle : middle+1], entries, entries[:1], entries} {
			if err := i.do(ctx, batch); err != nil {
				t.Errorf("do = %v", err)
			}
		}
		got := map[any]int{}
		for _, m := range s.redis.XRange(ctx, "websocket:publish:dead", "-", "+").Val() {
			got[m.Values["message"]]++
		}
		for n := range all {
			if count := got[fmt.Sprint(n)]; count != 1 {
				t.Errorf("%d was set aside %d times, want once", n, count)
			}
		}
		if got, want := i.Stats(), (Stats{Poison: all, Duplicates: 1 + 1 + all}); got != want {
			t.Errorf("Stats = %+v, want %+v", got, want)
		}
	})
}
