package stream

import (
	"context"
	"fmt"
	"testing"
)

func (w *world) open(tb testing.TB, device string, limit int) Inbox {
	tb.Helper()
	in, err := w.OpenInbox(context.Background(), InboxQuery{User: "ann", Device: device, Limit: limit, Bytes: MaxReadBytes})
	if err != nil {
		tb.Fatalf("OpenInbox = %v", err)
	}
	return in
}

func (w *world) ack(tb testing.TB, device string, offset uint64) uint64 {
	tb.Helper()
	acked, err := w.AckInbox(context.Background(), "ann", device, offset)
	if err != nil {
		tb.Fatalf("AckInbox = %v", err)
	}
	return acked
}

func TestStore_DevicesHavePositionsOfTheirOwn(t *testing.T) {
	inbox := Key{User, "ann"}
	onBoth(t, func(t *testing.T, w *world) {
		empty := w.open(t, "phone", 10)
		want(t, "an empty inbox", fmt.Sprint(empty.Offset, empty.First, empty.Unread, len(empty.Entries)), "0 1 0 0")
		last := w.add(t, inbox, rules, "a", "b", "c")
		want(t, "its epoch", last.Epoch, empty.Epoch)

		want(t, "acked by the phone", w.ack(t, "phone", 2), 2)
		want(t, "an earlier ack", w.ack(t, "phone", 1), 2)
		phone := w.open(t, "phone", 10)
		want(t, "the phone's", fmt.Sprint(texts(phone.Entries), phone.Acked, phone.Unread), "[3:c] 2 1")
		laptop := w.open(t, "laptop", 2)
		want(t, "the laptop's", fmt.Sprint(texts(laptop.Entries), laptop.Acked, laptop.Unread), "[1:a 2:b] 0 3")

		want(t, "an ack beyond the end", w.ack(t, "laptop", 99), 3)
		want(t, "unread", w.open(t, "laptop", 10).Unread, 0)
		for i := range 12 {
			w.add(t, inbox, rules, fmt.Sprint(i))
		}
		phone = w.open(t, "phone", 1)
		want(t, "after the log was trimmed", fmt.Sprint(texts(phone.Entries), phone.First, phone.Unread), "[6:2] 6 10")
	})
}

func TestStore_AckOfAnOlderEpochIsForgotten(t *testing.T) {
	inbox := Key{User, "ann"}
	onBoth(t, func(t *testing.T, w *world) {
		want(t, "an ack without an inbox", w.ack(t, "phone", 5), 0)
		w.add(t, inbox, rules, "a", "b")
		w.ack(t, "phone", 2)
		w.client.Del(context.Background(), w.names(inbox).meta())
		w.add(t, inbox, rules, "c")
		in := w.open(t, "phone", 10)
		want(t, "what waits", fmt.Sprint(texts(in.Entries), in.Acked, in.Unread), "[1:c] 0 1")
	})
}

func TestStore_DevicesAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.add(t, Key{User, "ann"}, rules, "a", "b")
		w.ack(t, "behind", 1)
		for i := range MaxDevices {
			w.ack(t, fmt.Sprint(i), 2)
		}
		n, err := w.client.HLen(context.Background(), w.names(Key{User, "ann"}).devices()).Result()
		want(t, "devices", fmt.Sprint(n, err), fmt.Sprint(MaxDevices, error(nil)))
		want(t, "the one behind", w.open(t, "behind", 1).Acked, 0)
		want(t, "another", w.open(t, "5", 1).Acked, 2)
	})
}

// An inbox can be read part by part, wherever the device's position is meanwhile.
func TestStore_InboxIsReadInParts(t *testing.T) {
	inbox := Key{User, "ann"}
	onBoth(t, func(t *testing.T, w *world) {
		last := w.add(t, inbox, rules, "aaaa", "bbbb", "cccc", "dddd", "eeee")
		w.ack(t, "phone", 1)
		part := func(after Position, limit, bytes int) string {
			t.Helper()
			in, err := w.OpenInbox(context.Background(), InboxQuery{User: "ann", Device: "phone", After: after, Limit: limit, Bytes: bytes})
			if err != nil {
				t.Fatalf("OpenInbox = %v", err)
			}
			return fmt.Sprint(in.After, texts(in.Entries), in.Acked, in.Unread, in.Offset)
		}
		want(t, "the first part, by bytes", part(Position{}, 10, 9), "1 [2:bbbb 3:cccc] 1 4 5")
		want(t, "the first part, by number", part(Position{}, 1, 100), "1 [2:bbbb] 1 4 5")
		want(t, "one at least", part(Position{}, 10, 3), "1 [2:bbbb] 1 4 5")
		want(t, "the next part", part(Position{last.Epoch, 3}, 10, 100), "3 [4:dddd 5:eeee] 1 4 5")
		w.ack(t, "phone", 4)
		want(t, "the same when the device has acknowledged more", part(Position{last.Epoch, 3}, 10, 100), "3 [4:dddd 5:eeee] 4 1 5")
		want(t, "behind the end", part(Position{last.Epoch, 5}, 10, 100), "5 [] 4 1 5")
		want(t, "of another epoch", part(Position{"other", 2}, 10, 100), "4 [5:eeee] 4 1 5")
	})
}
