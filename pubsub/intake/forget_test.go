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

// switched sends forgetting to another server, as a failover does that comes just
// before.
type switched struct{ to *redis.Client }

func (switched) DialHook(next redis.DialHook) redis.DialHook { return next }

func (switched) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h switched) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); cmd.Name() == "evalsha" && args[1] == forgetScript.Hash() {
			return h.to.Process(ctx, cmd)
		}
		return next(ctx, cmd)
	}
}

// TestIntake_ForgetsWhereItHasPublished: neither does a server forget what another has
// published or set aside.
func TestIntake_ForgetsWhereItHasPublished(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	before, after := newSystem(t, redistest.Start(t).Addr()), newSystem(t, redistest.Start(t).Addr())
	if err := forgetScript.Load(ctx, after.redis).Err(); err != nil {
		t.Fatal(err)
	}
	for name, values := range map[string][]any{
		"a plain one": {"channel", "broadcast", "message", "b"},
		"poison":      {"channel", "moon", "message", "c"},
	} {
		commands := before.client()
		commands.AddHook(switched{after.redis})
		i, err := New(Config{Node: "n", Prefix: "websocket:", Resolve: resolve}, commands, nil, before.store, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		before.add(values...)
		entries := before.redis.XRange(ctx, "websocket:publish", "-", "+").Val()
		for _, m := range entries { // the new master has them, and nothing that was done about them
			add := &redis.XAddArgs{Stream: "websocket:publish", ID: m.ID, Values: m.Values}
			if err := after.redis.XAdd(ctx, add).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := i.do(ctx, entries); err == nil || !strings.Contains(err.Error(), "SETTLING") {
			t.Errorf("do of %s over a failover = %v, want an error", name, err)
		}
		if n := after.redis.XLen(ctx, "websocket:publish").Val(); n != 1 {
			t.Errorf("of %s %d entries are left, want 1", name, n)
		}
		for _, s := range []*system{before, after} {
			s.redis.Del(ctx, "websocket:publish")
		}
	}
}
