package stream

import (
	"context"
	"regexp"
	"testing"
)

// TestStore_AppendIsMeantForOneServer: a server with another replication history
// than the append names does not carry it out, and says which is its own.
func TestStore_AppendIsMeantForOneServer(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		info, err := w.client.Info(ctx, "replication").Result()
		found := regexp.MustCompile(`master_replid:(\w+)`).FindStringSubmatch(info)
		if err != nil || found == nil {
			found = []string{"", ""} // the embedded one has none, and takes everything
		}
		a := Append{Key: room, Rules: rules, Payload: []byte("a"), History: found[1]}
		if r := w.Append(ctx, []Append{a})[0]; r.Err != nil || r.Offset != 1 || r.History != found[1] {
			t.Fatalf("Append() = %+v, want offset 1 at %q", r, found[1])
		}
		a.History = "of-another"
		r := w.Append(ctx, []Append{a})[0]
		if found[1] == "" {
			if r.Err != nil {
				t.Errorf("Append() = %v, want none where there is no history", r.Err)
			}
			return
		}
		if own, other := OtherHistory(r.Err); !other || own != found[1] || Hopeless(r.Err) {
			t.Errorf("Append() = %+v, want an error that passes and names %s", r, found[1])
		}
		want(t, "the log", texts(w.read(t, room, 0, 10).Entries), "[1:a]")
	})
}
