package stream

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// rollBack has Redis forget the messages of room after offset, as a replica
// that had not heard of them when it was promoted.
func (w *world) rollBack(tb testing.TB, offset uint64) {
	tb.Helper()
	ctx, n := context.Background(), w.names(room)
	for _, e := range w.read(tb, room, offset, 1000).Entries {
		if err := w.client.XDel(ctx, n.entries(), fmt.Sprint(e.Offset, "-0")).Err(); err != nil {
			tb.Fatal(err)
		}
		if e.Token != "" {
			w.client.Del(ctx, n.seen(e.Token))
		}
	}
	// The stream of a replica ends where the replica does.
	kept := w.read(tb, room, 0, 1000).Entries
	w.client.Del(ctx, n.entries())
	for _, e := range kept {
		w.client.Do(ctx, "XADD", n.entries(), fmt.Sprint(e.Offset, "-0"), "m", e.Payload, "d", wire(e.Token), "t", time.Now().UnixMilli())
	}
	if err := w.client.HSet(ctx, n.meta(), "o", offset).Err(); err != nil {
		tb.Fatal(err)
	}
}

func TestStore_RestorePutsBackTheTail(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.add(t, room, rules, "a", "b", "c")
		last := w.append(t, Append{Key: room, Rules: rules, Payload: []byte("d"), Dedupe: "id-d"}).Position
		known := w.read(t, room, 1, 10).Entries
		w.rollBack(t, 2)
		live := w.listen(t, room)
		r := Restore{Key: room, Rules: rules, Known: last, Entries: known}
		want(t, "Restore", w.restore(t, r), Restored{last, false})
		want(t, "live", live.next(t), Live{Position: last})
		want(t, "entries", texts(w.read(t, room, 0, 10).Entries), "[1:a 2:b 3:c 4:d]")
		want(t, "a second node's Restore", w.restore(t, r), Restored{last, false})
		live.silent(t)
		want(t, "a repeated publish", w.append(t, Append{Key: room, Rules: rules, Payload: []byte("d"), Dedupe: "id-d"}), Appended{Position: last, Duplicate: true})
		want(t, "the next", w.add(t, room, rules, "e"), Position{last.Epoch, 5})
	})
}

func TestStore_RestoreAfterAnEmptyStart(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		last := w.add(t, room, rules, "a", "b", "c")
		known := w.read(t, room, 1, 10).Entries
		w.client.FlushAll(context.Background())
		want(t, "Restore", w.restore(t, Restore{Key: room, Rules: rules, Known: last, Entries: known}), Restored{last, false})
		p := w.read(t, room, 0, 10)
		want(t, "first", p.First, 2)
		want(t, "entries", texts(p.Entries), "[2:b 3:c]")
	})
}

// TestStore_AtLeastKeepsLostOffsetsFree: a node that knows of lost messages may
// publish before anybody has put them back.
func TestStore_AtLeastKeepsLostOffsetsFree(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		last := w.add(t, room, rules, "a", "b", "c", "d")
		known := w.read(t, room, 2, 10).Entries
		w.rollBack(t, 2)
		next := w.append(t, Append{Key: room, Rules: rules, Payload: []byte("e"), AtLeast: last})
		want(t, "the next", next.Position, Position{last.Epoch, 5})
		want(t, "with a hole", texts(w.read(t, room, 0, 10).Entries), "[1:a 2:b 5:e]")
		want(t, "Restore", w.restore(t, Restore{Key: room, Rules: rules, Known: last, Entries: known}), Restored{next.Position, false})
		want(t, "filled", texts(w.read(t, room, 0, 10).Entries), "[1:a 2:b 3:c 4:d 5:e]")
		want(t, "another epoch's offset", w.append(t, Append{Key: room, Rules: rules, Payload: []byte("f"), AtLeast: Position{"other", 99}}).Offset, 6)
		want(t, "a smaller offset", w.append(t, Append{Key: room, Rules: rules, Payload: []byte("g"), AtLeast: last}).Offset, 7)
	})
}

// TestStore_RestoreWithoutTheMessages keeps the offsets free all the same.
func TestStore_RestoreWithoutTheMessages(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		last := w.add(t, room, rules, "a", "b", "c", "d")
		w.rollBack(t, 2)
		want(t, "Restore", w.restore(t, Restore{Key: room, Rules: rules, Known: last}), Restored{last, false})
		want(t, "the next", w.add(t, room, rules, "e").Offset, 5)
		want(t, "entries", texts(w.read(t, room, 0, 10).Entries), "[1:a 2:b 5:e]")
	})
}

func TestStore_HistoriesThatWentApartEndTheEpoch(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		last := w.add(t, room, rules, "a", "b", "c")
		known := w.read(t, room, 0, 10).Entries
		w.rollBack(t, 2)
		w.add(t, room, rules, "somebody else's c")
		live := w.listen(t, room)
		r := Restore{Key: room, Rules: rules, Known: last, Entries: known}
		got := w.restore(t, r)
		if !got.Conflict || got.Epoch == last.Epoch || got.Offset != 3 {
			t.Errorf("Restore = %+v, want a conflict and another epoch than %s", got, last.Epoch)
		}
		want(t, "live", live.next(t), Live{Position: got.Position})
		want(t, "a second Restore", w.restore(t, r), got)
		live.silent(t)
		want(t, "what is kept", texts(w.read(t, room, 0, 10).Entries), "[1:a 2:b 3:somebody else's c]")
	})
}

// TestStore_RestoreLeavesTrimmedMessagesAlone: a node's memory may reach
// further back than the log.
func TestStore_RestoreLeavesTrimmedMessagesAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		three := Rules{Size: 3, TTL: time.Minute}
		w.add(t, room, three, "a", "b", "c")
		known := w.read(t, room, 0, 10).Entries
		last := w.add(t, room, three, "d", "e")
		want(t, "Restore", w.restore(t, Restore{Key: room, Rules: three, Known: last, Entries: known}), Restored{last, false})
		want(t, "entries", texts(w.read(t, room, 0, 10).Entries), "[3:c 4:d 5:e]")
	})
}
