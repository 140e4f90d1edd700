package stream

import (
	"context"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
)

func TestStore_OrderKeepsOutWhatCameBefore(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		redistest.InTime(t, time.Second, func(t *redistest.Attempt, window time.Duration) {
			room := Key{Room, "chat:" + window.String()}
			in := func(lane, place, dedupe string) Append {
				return Append{
					Key: room, Rules: rules, Payload: []byte(lane + place), Order: Order{lane, place},
					Dedupe: dedupe, DedupeWindow: window,
				}
			}
			first := w.append(t, in("s", "02", ""))
			want(t, "the first of a lane", first.Duplicate, false)
			want(t, "the same again", w.append(t, in("s", "02", "")), Appended{first.Position, true, "02"})
			want(t, "one before it", w.append(t, in("s", "01", "")), Appended{first.Position, true, "02"})
			want(t, "another lane", w.append(t, in("i", "01", "")).Offset, 2)
			t.By(time.Now().Add(window))
			want(t, "one after it", w.append(t, in("s", "03", "id")).Offset, 3)

			// What a dedupe key keeps out has its place in the lane nevertheless.
			want(t, "the same key", w.append(t, in("s", "05", "id")).Duplicate, true)
			t.InTime()
			w.pass(window)
			want(t, "it comes again after the window", w.append(t, in("s", "05", "id")).Last, "05")
			want(t, "one between", w.append(t, in("s", "04", "")).Last, "05")

			batch := []Append{in("s", "06", ""), in("s", "06", ""), in("s", "07", "")}
			for i, r := range w.Append(context.Background(), batch) {
				want(t, "of a batch a duplicate", r.Duplicate, i == 1)
			}
			want(t, "what is kept", texts(w.read(t, room, 0, 10).Entries), "[1:s02 2:i01 3:s03 4:s06 5:s07]")
		})
	})
}
