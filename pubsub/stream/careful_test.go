package stream

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestCareful_RepeatsOnlyWhatNobodyPutsBack: the answer to d is lost with a
// master, whose successor knows neither d nor the scripts. The node that repeats
// it is faster than the one that has heard it and puts it back.
func TestCareful_RepeatsOnlyWhatNobodyPutsBack(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		c := w.Careful(time.Hour)
		d := []Append{{Key: room, Rules: rules, Payload: []byte("d"), Dedupe: "n.4", Order: Order{"s", "4"}}}
		w.add(t, room, rules, "a", "b", "c")
		first := c.Append(ctx, d)[0]
		if first.Err != nil || first.Offset != 4 {
			t.Fatalf("Append() = %+v, want offset 4 without an error: nothing has failed yet", first)
		}
		known := w.read(t, room, 0, 10).Entries
		w.rollBack(t, 3)
		if err := w.client.HDel(ctx, w.names(room).meta(), "q:s").Err(); err != nil {
			t.Fatal(err)
		}
		if err := w.client.ScriptFlush(ctx).Err(); err != nil {
			t.Fatal(err)
		}

		if r := c.Append(ctx, d)[0]; r.Err == nil || Hopeless(r.Err) {
			t.Errorf("Append() at the new master = %+v, want an error that passes", r)
		}
		if r := c.Append(ctx, d)[0]; !errors.Is(r.Err, ErrSettling) {
			t.Errorf("Append() while nodes come back = %+v, want ErrSettling", r)
		}
		want(t, "meanwhile", texts(w.read(t, room, 0, 10).Entries), "[1:a 2:b 3:c]")
		w.restore(t, Restore{Key: room, Rules: rules, Known: first.Position, Entries: known})

		c.mu.Lock()
		c.until = time.Time{}
		c.mu.Unlock()
		r := c.Append(ctx, d)[0]
		want(t, "Append when all are back", r, Result{Appended: Appended{Position: first.Position, Duplicate: true}})
		want(t, "in the end", texts(w.read(t, room, 0, 10).Entries), "[1:a 2:b 3:c 4:d]")
	})
}

func TestCareful_WaitsForAnAnswerAndThenForTheNodes(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const settle = 50 * time.Millisecond
		c := w.Careful(settle)
		a := []Append{{Key: room, Rules: rules, Payload: []byte("a")}}
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		for range 2 { // also when asking fails
			if r := c.Append(gone, a)[0]; r.Err == nil || errors.Is(r.Err, ErrSettling) {
				t.Fatalf("Append() without Redis = %+v, want its error", r)
			}
		}
		start := time.Now()
		tries := 0
		for ; ; tries++ {
			r := c.Append(context.Background(), a)[0]
			if r.Err == nil {
				want(t, "the first", r.Offset, 1)
				break
			}
			if !errors.Is(r.Err, ErrSettling) || time.Since(start) > 10*time.Second {
				t.Fatalf("Append() after %v = %+v, want ErrSettling and then an answer", time.Since(start), r)
			}
		}
		if waited := time.Since(start); waited < settle || tries == 0 {
			t.Errorf("appended %v after Redis answered, in try %d, want %v at least", waited, tries, settle)
		}
	})
}

func TestCareful_GoesOnWhenAMessageIsHopeless(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		c := w.Careful(time.Hour)
		bad := Append{Key: room, Payload: []byte("x")} // no rules
		good := Append{Key: room, Rules: rules, Payload: []byte("y")}
		for range 2 {
			r := c.Append(context.Background(), []Append{bad, good})
			if !errors.Is(r[0].Err, ErrRules) || r[1].Err != nil {
				t.Errorf("Append() = %v and %v, want ErrRules and nil", r[0].Err, r[1].Err)
			}
		}
	})
}
