package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/redistest"
)

func TestStore_AppendNumbersKeepsAndPublishes(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		live := w.listen(t, room)
		first := w.append(t, Append{Key: room, Rules: rules, Payload: []byte(`{"a":1} x`)})
		want(t, "the first offset", first.Offset, 1)
		if first.Epoch == "" {
			t.Error("no epoch")
		}
		want(t, "live", live.next(t), Live{first.Position, "", `{"a":1} x`})
		second := w.append(t, Append{Key: room, Rules: rules, Payload: []byte("b"), Dedupe: "id-1"})
		want(t, "the second position", second.Position, Position{first.Epoch, 2})
		want(t, "live", live.next(t), Live{second.Position, "id-1", "b"})

		p := w.read(t, room, 0, 100)
		want(t, "the page", p, Page{second.Position, 1, []Entry{{1, "", `{"a":1} x`}, {2, "id-1", "b"}}})
		want(t, "the position", w.position(t, room), second.Position)
	})
}

func TestStore_AppendBatchKeepsOrderAndLogsApart(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		var batch []Append
		for i := range 100 {
			k := []Key{room, {User, "chat:1"}, {Room, "other"}}[i%3]
			batch = append(batch, Append{Key: k, Rules: Rules{100, time.Minute}, Payload: fmt.Append(nil, i)})
		}
		batch[50].Size = 0
		for i, r := range w.Append(context.Background(), batch) {
			if i == 50 {
				if !errors.Is(r.Err, ErrRules) {
					t.Errorf("without a size: %v", r.Err)
				}
				continue
			}
			offset := uint64(i/3 + 1)
			if i > 50 && i%3 == 2 {
				offset--
			}
			if r.Err != nil || r.Offset != offset {
				t.Errorf("message %d has %d, %v, want %d", i, r.Offset, r.Err, offset)
			}
		}
		want(t, "the last of room", texts(w.read(t, room, 32, 100).Entries), "[33:96 34:99]")
		want(t, "the last of user", texts(w.read(t, Key{User, "chat:1"}, 32, 100).Entries), "[33:97]")
	})
}

func TestStore_DuplicatesWithinTheWindow(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		redistest.InTime(t, 2*time.Second, func(t *redistest.Attempt, window time.Duration) {
			room := Key{Room, "chat:" + window.String()}
			live := w.listen(t, room)
			t.By(time.Now().Add(window))
			a := Append{Key: room, Rules: rules, Payload: []byte("x"), Dedupe: "odd key {}\n" + strings.Repeat("y", 100), DedupeWindow: window}
			first := w.append(t, a)
			again := w.append(t, a)
			want(t, "the answer to a duplicate", again, Appended{Position: first.Position, Duplicate: true})
			t.InTime()
			both := w.Append(context.Background(), []Append{
				{Key: room, Rules: rules, Payload: []byte("y"), Dedupe: "y"}, {Key: room, Rules: rules, Payload: []byte("y"), Dedupe: "y"},
			})
			want(t, "a duplicate in its own batch", both[1].Appended, Appended{Position: both[0].Position, Duplicate: true})
			want(t, "what is kept", texts(w.read(t, room, 0, 10).Entries), "[1:x 2:y]")
			want(t, "live", live.next(t).Offset, 1)
			want(t, "live", live.next(t).Offset, 2)
			live.silent(t)

			other := a
			other.Name = "elsewhere:" + window.String()
			want(t, "the same key in another log", w.append(t, other).Duplicate, false)
			w.pass(a.DedupeWindow)
			want(t, "after the window", w.append(t, a).Duplicate, false)
		})
	})
}

func TestStore_KeepsSizeMessages(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for i := range 25 {
			w.add(t, room, rules, fmt.Sprint(i))
		}
		p := w.read(t, room, 0, 100)
		want(t, "first and last", []uint64{p.First, p.Offset}, "[16 25]")
		want(t, "entries", len(p.Entries), 10)
		want(t, "a part", texts(w.read(t, room, 17, 3).Entries), "[18:17 19:18 20:19]")
		want(t, "beyond the end", len(w.read(t, room, 26, 3).Entries), 0)
	})
}

func TestStore_MessagesAgeAndTheEpochStays(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		redistest.InTime(t, 2*time.Second, func(t *redistest.Attempt, ttl time.Duration) {
			room, short := Key{Room, "chat:" + ttl.String()}, Rules{Size: 100, TTL: ttl}
			t.By(time.Now().Add(ttl))
			first := w.add(t, room, short, "a", "b")
			w.pass(ttl * 5 / 8)
			added := time.Now()
			w.add(t, room, short, "c") // keeps the stream alive, and not a and b
			t.InTime()
			t.By(added.Add(ttl))
			w.pass(ttl * 5 / 8)
			want(t, "the young", texts(w.read(t, room, 0, 100).Entries), "[3:c]")
			t.InTime()
			w.pass(ttl)
			p := w.read(t, room, 0, 100)
			want(t, "all aged out", p, Page{Position{first.Epoch, 3}, 4, []Entry{}})
			want(t, "the next", w.add(t, room, short, "d"), Position{first.Epoch, 4})
		})
	})
}

func TestStore_AnEmptiedRedisBeginsANewEpoch(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		old := w.add(t, room, rules, "a", "b")
		if err := w.client.FlushAll(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		want(t, "the position of what is gone", w.position(t, room), Position{})
		p := w.read(t, room, 2, 10)
		if p.Epoch == old.Epoch || p.Offset != 0 || p.First != 1 {
			t.Errorf("after a flush: %+v, before %v", p, old)
		}
		want(t, "the next", w.add(t, room, rules, "c"), Position{p.Epoch, 1})
	})
}

func TestStore_LoadedScriptsAreFound(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.Load(context.Background())
		pipe := w.client.Pipeline()
		queued := w.Queue(context.Background(), func(Key) redis.Pipeliner { return pipe }, []Append{{Key: room, Rules: rules, Payload: []byte("x")}})
		if _, err := pipe.Exec(context.Background()); err != nil {
			t.Errorf("an append after Load = %v", err)
		}
		want(t, "its offset", queued.Results(context.Background())[0].Offset, 1)
	})
}

// TestStore_ForgottenScriptsAreLoadedAgain: SCRIPT FLUSH, or a replica that
// took over, must not cost a message or its order.
func TestStore_ForgottenScriptsAreLoadedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.Load(ctx)
		for i := range 5 {
			if err := w.client.ScriptFlush(ctx).Err(); err != nil {
				t.Fatal(err)
			}
			batch := make([]Append, 10)
			for j := range batch {
				batch[j] = Append{Key: room, Rules: Rules{100, time.Minute}, Payload: fmt.Append(nil, i*10+j)}
			}
			for _, r := range w.Append(ctx, batch) {
				if r.Err != nil {
					t.Fatal(r.Err)
				}
			}
		}
		for i, e := range w.read(t, room, 0, 100).Entries {
			if e.Payload != fmt.Sprint(i) {
				t.Fatalf("offset %d has message %s", e.Offset, e.Payload)
			}
		}
	})
}

func TestStore_ConcurrentAppendsHaveOneOrder(t *testing.T) {
	const writers, each = 8, 100
	onBoth(t, func(t *testing.T, w *world) {
		live := w.listen(t, room)
		var writing sync.WaitGroup
		for n := range writers {
			writing.Go(func() {
				for i := range each {
					// Every message is appended twice.
					a := Append{Key: room, Rules: Rules{writers * each, time.Minute}, Payload: fmt.Appendf(nil, "%d %d", n, i), Dedupe: fmt.Sprintf("%d-%d", n, i)}
					if r := w.Append(context.Background(), []Append{a, a}); r[0].Err != nil || !r[1].Duplicate {
						t.Errorf("Append = %+v", r)
					}
				}
			})
		}
		next := map[int]int{}
		for offset := uint64(1); offset <= writers*each; offset++ {
			m := live.next(t)
			var n, i int
			if _, err := fmt.Sscan(m.Payload, &n, &i); err != nil || m.Offset != offset || i != next[n] {
				t.Fatalf("%+v at %d: want message %d of its writer; %v", m, offset, next[n], err)
			}
			next[n]++
		}
		writing.Wait()
		want(t, "kept", len(w.read(t, room, 0, writers*each).Entries), writers*each)
	})
}
