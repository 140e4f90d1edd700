package intake

import (
	"context"
	"errors"
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

// historyOf returns the replication history of a system's server.
func historyOf(t *testing.T, s *system) string {
	t.Helper()
	own := regexp.MustCompile(`master_replid:(\w+)`).FindStringSubmatch(s.redis.Info(t.Context(), "replication").Val())
	if own == nil {
		t.Fatal("the server does not say its history")
	}
	return own[1]
}

// TestIntake_ForgetsWhereItHasAppended: a server that has not taken the append does
// not forget the entry.
func TestIntake_ForgetsWhereItHasAppended(t *testing.T) {
	t.Parallel()
	s := newSystem(t, redistest.Start(t).Addr())
	ctx := t.Context()
	own := historyOf(t, s)
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
	if err := i.do(ctx, entries); err == nil || !strings.Contains(err.Error(), own) {
		t.Errorf("do at another server = %v, want an error that names %s", err, own)
	}
	want("before", 2)
	logs.history = own
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

// TestIntake_PublishesWhereNodesHear: what has no log waits until the nodes are at the
// server that commands go to.
func TestIntake_PublishesWhereNodesHear(t *testing.T) {
	t.Parallel()
	s := newSystem(t, redistest.Start(t).Addr())
	ctx := t.Context()
	at, settled := "of-another", true
	cfg := Config{
		Node: "n", Prefix: "websocket:", Resolve: resolve,
		Settled: func() (string, bool) { return at, settled },
	}
	i, err := New(cfg, s.redis, nil, s.store, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	live := s.redis.Subscribe(ctx, "websocket:broadcast")
	defer live.Close()
	if _, err := live.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	do := func(what string, done bool) {
		t.Helper()
		entries := s.redis.XRange(ctx, "websocket:publish", "-", "+").Val()
		err := i.do(ctx, entries)
		if left := s.redis.XLen(ctx, "websocket:publish").Val(); (err == nil) != done || (left == 0) != done || len(entries) == 0 {
			t.Errorf("%s: do = %v, and %d of %d entries are left", what, err, left, len(entries))
		}
		if !done && !errors.Is(err, stream.ErrSettling) {
			t.Errorf("%s: do = %v, want ErrSettling", what, err)
		}
	}
	s.add("channel", "room:chat:1", "message", "a")
	do("a log, which its Appender looks after", true)
	s.add("channel", "broadcast", "message", "b")
	do("nodes are elsewhere", false)
	at, settled = historyOf(t, s), false
	do("some nodes may be", false)
	settled = true
	do("nodes are here", true)
	at = ""
	s.add("channel", "broadcast", "message", "c")
	do("who can say", true)
	for _, text := range []string{"b", "c"} {
		if m, err := live.ReceiveMessage(ctx); err != nil || m.Payload != text {
			t.Errorf("broadcast %v, %v, want %q", m, err, text)
		}
	}
	if got, want := i.Stats(), (Stats{Taken: 3}); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
}

// late sends what is published to another server, as a failover does that comes just
// before.
type late struct{ to *redis.Client }

func (late) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (late) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h late) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		pipe := h.to.Pipeline()
		for _, cmd := range cmds {
			_ = pipe.Process(ctx, cmd) // only puts it into the pipeline
		}
		_, err := pipe.Exec(ctx)
		return err
	}
}

// TestIntake_PublishesWhereItHasAsked: the server after a failover does not take for
// done what it would have published when nobody was there.
func TestIntake_PublishesWhereItHasAsked(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	before, after := newSystem(t, redistest.Start(t).Addr()), newSystem(t, redistest.Start(t).Addr())
	if err := onceScript.Load(ctx, after.redis).Err(); err != nil {
		t.Fatal(err)
	}
	commands := before.client()
	commands.AddHook(late{after.redis})
	i, err := New(Config{Node: "n", Prefix: "websocket:", Resolve: resolve}, commands, nil, before.store, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	before.add("channel", "broadcast", "message", "b")
	entries := before.redis.XRange(ctx, "websocket:publish", "-", "+").Val()
	if err := i.do(ctx, entries); err == nil || !strings.Contains(err.Error(), "SETTLING") {
		t.Errorf("do over a failover = %v, want an error", err)
	}
	if keys := after.redis.Keys(ctx, "*").Val(); len(keys) > 0 {
		t.Errorf("the server after it has %q, want nothing", keys)
	}
	if n := before.redis.XLen(ctx, "websocket:publish").Val(); n != 1 {
		t.Errorf("%d entries are left, want 1", n)
	}
}
