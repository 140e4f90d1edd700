package intake

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/redistest"
	"github.com/ginforge/gateway/pubsub/stream"
)

// elsewhere is an Appender at a server with some history.
type elsewhere struct {
	*stream.Store
	history string
}

func (a *elsewhere) Append(ctx context.Context, batch []stream.Append) []stream.Result {
	results := a.Store.Append(ctx, batch)
	for i := range results {
		results[i].History = a.history
	}
	return results
}

// TestIntake_ForgetsWhereItHasAppended: a server that has not taken the append does
// not forget the entry.
func TestIntake_ForgetsWhereItHasAppended(t *testing.T) {
	t.Parallel()
	s := newSystem(t, redistest.Start(t).Addr())
	ctx := t.Context()
	own := regexp.MustCompile(`master_replid:(\w+)`).FindStringSubmatch(s.redis.Info(ctx, "replication").Val())
	if own == nil {
		t.Fatal("the server does not say its history")
	}
	logs := &elsewhere{Store: s.store, history: "of-another"}
	i, err := New(Config{Node: "n", Prefix: "websocket:", Resolve: resolve}, s.redis, nil, logs, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	s.add("channel", "room:chat:1", "message", "a")
	s.add("channel", "broadcast", "message", "b")
	if err := s.redis.XGroupCreate(ctx, "websocket:publish", group, "0").Err(); err != nil {
		t.Fatal(err)
	}
	streams, err := s.redis.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: group, Consumer: i.id, Streams: []string{"websocket:publish", ">"},
	}).Result()
	if err != nil {
		t.Fatal(err)
	}
	want := func(what string, n int64) {
		t.Helper()
		if left, pending := s.redis.XLen(ctx, "websocket:publish").Val(), s.redis.XPending(ctx, "websocket:publish", group).Val(); left != n || pending.Count != n {
			t.Errorf("%s %d entries are left and %d pending, want %d", what, left, pending.Count, n)
		}
	}
	entries := streams[0].Messages
	if err := i.do(ctx, entries); err == nil || !strings.Contains(err.Error(), own[1]) {
		t.Errorf("do at another server = %v, want an error that names %s", err, own[1])
	}
	want("before", 2)
	logs.history = own[1]
	if err := i.do(ctx, entries); err != nil {
		t.Errorf("do at the same server = %v", err)
	}
	want("afterwards", 0)
	s.want("chat:1", "a")
	if got, want := i.Stats(), (Stats{Taken: 2, Duplicates: 2}); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
}
