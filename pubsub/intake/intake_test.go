package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/ginforge/gateway/pubsub/redistest"
	"github.com/ginforge/gateway/pubsub/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// system is nodes that share one Redis.
type system struct {
	t     *testing.T
	addr  string
	redis *redis.Client
	store *stream.Store
	nodes []*Intake
	stops []func()
}

// onBoth runs a test on a real Redis and on the embedded one.
func onBoth(t *testing.T, test func(t *testing.T, s *system)) {
	t.Helper()
	for name, addr := range map[string]func(*testing.T) string{
		"redis-server": func(t *testing.T) string { return redistest.Start(t).Addr() },
		"embedded":     func(t *testing.T) string { return miniredis.RunT(t).Addr() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newSystem(t, addr(t)))
		})
	}
}

func newSystem(t *testing.T, addr string) *system {
	t.Helper()
	s := &system{t: t, addr: addr}
	s.redis = s.client()
	s.store = stream.New(s.redis, stream.Options{Prefix: "websocket:"})
	return s
}

func (s *system) client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1, Protocol: 2, ContextTimeoutEnabled: true})
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// resolve gives rooms logs, publishes broadcasts, and knows nothing else.
func resolve(channel, message string, at time.Time) (Message, error) {
	kind, name, _ := strings.Cut(channel, ":")
	id, text, found := strings.Cut(message, "=")
	if !found {
		id, text = "", message
	}
	switch {
	case message == "bad":
		return Message{}, errors.New("it is bad")
	case kind == "room":
		return Message{
			Log: stream.Key{Kind: stream.Room, Name: name}, Rules: stream.Rules{Size: 100_000, TTL: time.Hour},
			Payload: []byte(text), ID: id,
		}, nil
	case kind == "broadcast":
		return Message{Payload: []byte(text), ID: id}, nil
	}
	return Message{}, errors.New("it has no such channel")
}

// start runs one more node.
func (s *system) start() *Intake {
	s.t.Helper()
	cfg := Config{
		Node: fmt.Sprint("node-", len(s.nodes)), Prefix: "websocket:", Resolve: resolve,
		DedupeWindow: time.Minute, LeaseTTL: 900 * time.Millisecond,
	}
	commands := s.client()
	i, err := New(cfg, commands, func() redis.UniversalClient { return s.client() },
		stream.New(commands, stream.Options{Prefix: "websocket:"}), zerolog.New(zerolog.NewTestWriter(s.t)))
	if err != nil {
		s.t.Fatalf("New: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // ends with stop
		_ = i.Run(ctx)
		close(ended)
	}()
	stop := func() {
		cancel()
		<-ended
	}
	s.nodes, s.stops = append(s.nodes, i), append(s.stops, stop)
	s.t.Cleanup(stop)
	return i
}

func (s *system) add(values ...any) {
	s.t.Helper()
	if err := s.redis.XAdd(context.Background(), &redis.XAddArgs{Stream: "websocket:publish", Values: values}).Err(); err != nil {
		s.t.Fatalf("XADD: %v", err)
	}
}

func (s *system) kept(room string) (texts []string) {
	s.t.Helper()
	for after := uint64(0); ; {
		page, err := s.store.Read(context.Background(), stream.Key{Kind: stream.Room, Name: room}, after, 10_000)
		if err != nil {
			s.t.Fatalf("Read: %v", err)
		}
		if len(page.Entries) == 0 {
			return texts
		}
		for _, e := range page.Entries {
			texts, after = append(texts, e.Payload), e.Offset
		}
	}
}

func (s *system) want(room string, texts ...string) {
	s.t.Helper()
	redistest.Eventually(s.t, patience, func() error {
		if got := s.kept(room); !slices.Equal(got, texts) {
			return fmt.Errorf("%s has %d messages %.200q, want %d", room, len(got), got, len(texts))
		}
		return nil
	})
}

// empty waits until nothing is left in the stream or pending.
func (s *system) empty() {
	s.t.Helper()
	redistest.Eventually(s.t, patience, func() error {
		n, err := s.redis.XLen(context.Background(), "websocket:publish").Result()
		if err != nil || n > 0 {
			return fmt.Errorf("%d entries are left, %w", n, err)
		}
		p, err := s.redis.XPending(context.Background(), "websocket:publish", group).Result()
		if err != nil || p.Count > 0 {
			return fmt.Errorf("%d entries are pending, %w", p.Count, err)
		}
		return nil
	})
}

func (s *system) total() (all Stats) {
	for _, n := range s.nodes {
		st := n.Stats()
		all.Taken, all.Duplicates, all.Reclaimed = all.Taken+st.Taken, all.Duplicates+st.Duplicates, all.Reclaimed+st.Reclaimed
		all.Poison, all.Errors = all.Poison+st.Poison, all.Errors+st.Errors
	}
	return all
}

func TestIntake_TakesEachEntryOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *system) {
		s.add("channel", "room:chat:1", "message", "before anybody runs")
		live := s.redis.Subscribe(t.Context(), "websocket:broadcast")
		defer live.Close()
		if _, err := live.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			s.start()
		}
		s.add("channel", "websocket:room:chat:1", "message", "with the prefix")
		s.add("channel", "room:chat:1", "message", "once", "id", "k1")
		s.add("channel", "room:chat:1", "message", "twice", "id", "k1")
		s.add("channel", "room:chat:1", "message", "k2=own id")
		s.add("channel", "room:chat:1", "message", "k2=own id again")
		s.add("channel", "broadcast", "message", "to all", "id", "b1")
		s.add("channel", "broadcast", "message", "to all again", "id", "b1")
		s.add("channel", "broadcast", "message", "to all later")
		s.want("chat:1", "before anybody runs", "with the prefix", "once", "own id")
		s.empty()
		for _, text := range []string{"to all", "to all later"} {
			if m, err := live.ReceiveMessage(t.Context()); err != nil || m.Payload != text {
				t.Errorf("broadcast %v, %v, want %q", m, err, text)
			}
		}
		if got, want := s.total(), (Stats{Taken: 6, Duplicates: 3}); got != want {
			t.Errorf("Stats = %+v, want %+v", got, want)
		}
	})
}

func TestIntake_SetsPoisonAside(t *testing.T) {
	onBoth(t, func(t *testing.T, s *system) {
		s.start()
		s.add("channel", "room:chat:1", "message", "one")
		s.add("channel", "room:chat:1", "message", "bad", "id", "k")
		s.add("channel", "room:chat:1")
		s.add("message", "x")
		s.add("anything", "else")
		s.add("channel", "moon", "message", "x")
		s.add("channel", "room:chat:1", "message", "x", "id", strings.Repeat("k", maxIDBytes+1))
		s.add("channel", "room:chat:1", "message", "two")
		s.want("chat:1", "one", "two")
		s.empty()
		dead, err := s.redis.XRange(t.Context(), "websocket:publish:dead", "-", "+").Result()
		if err != nil {
			t.Fatal(err)
		}
		var reasons []string
		for _, m := range dead {
			reasons = append(reasons, fmt.Sprint(m.Values["reason"]))
			if m.Values["entry"] == "" {
				t.Errorf("%v does not say which entry it was", m)
			}
		}
		want := []string{"it is bad", "it has no message", "it has no channel", "it has no channel", "it has no such channel", errLongID.Error()}
		if !slices.Equal(reasons, want) {
			t.Errorf("the reasons are %q, want %q", reasons, want)
		}
		if first := dead[0].Values; first["channel"] != "room:chat:1" || first["message"] != "bad" || first["id"] != "k" {
			t.Errorf("the first is kept as %v", first)
		}
		if got, want := s.total(), (Stats{Taken: 2, Poison: 6}); got != want {
			t.Errorf("Stats = %+v, want %+v", got, want)
		}
	})
}

// TestIntake_TakesOverFromTheDead: a node has taken entries and died before
// doing any, some, or all but saying so.
func TestIntake_TakesOverFromTheDead(t *testing.T) {
	onBoth(t, func(t *testing.T, s *system) {
		ctx := t.Context()
		if err := s.redis.XGroupCreateMkStream(ctx, "websocket:publish", group, "0").Err(); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for i := range 500 {
			texts = append(texts, fmt.Sprint(i))
			s.add("channel", "room:chat:1", "message", fmt.Sprint(i))
		}
		taken, err := s.redis.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: group, Consumer: "ghost", Streams: []string{"websocket:publish", ">"}, Count: 300,
		}).Result()
		if err != nil {
			t.Fatal(err)
		}
		ghost, err := New(Config{Node: "ghost", Prefix: "websocket:", Resolve: resolve}, s.redis, nil, s.store, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		var appends []stream.Append
		for _, m := range taken[0].Messages[:100] {
			appends = append(appends, ghost.append(ghost.read(m)))
		}
		s.store.Append(ctx, appends)

		s.start()
		s.want("chat:1", texts...)
		s.empty()
		// The ghost was only stopped, and goes on.
		if err := ghost.do(ctx, taken[0].Messages); err != nil {
			t.Errorf("the ghost: %v", err)
		}
		s.want("chat:1", texts...)
		if got, want := s.total(), (Stats{Taken: 400, Duplicates: 100, Reclaimed: 300}); got != want {
			t.Errorf("Stats = %+v, want %+v", got, want)
		}
	})
}

func TestIntake_HandsOver(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	s := newSystem(t, server.Addr())
	var texts []string
	s.start()
	s.start()
	for i := range 2000 {
		texts = append(texts, fmt.Sprint(i))
		s.add("channel", "room:chat:1", "message", fmt.Sprint(i))
		switch i {
		case 500:
			server.Restart()
			redistest.Eventually(t, patience, func() error { return s.redis.Ping(context.Background()).Err() })
		case 1000:
			s.stops[0]()
			s.start()
		case 1500:
			s.stops[1]()
		}
	}
	s.want("chat:1", texts...)
	s.empty()
}

func TestIntake_HopelessAppendsArePoison(t *testing.T) {
	t.Parallel()
	s := newSystem(t, redistest.Start(t).Addr())
	ctx := t.Context()
	s.redis.Set(ctx, "websocket:log:{room:chat:1}:meta", "not a hash", 0)
	s.start()
	s.add("channel", "room:chat:1", "message", "one")
	s.add("channel", "room:chat:2", "message", "two")
	s.want("chat:2", "two")
	s.empty()
	if got := s.total(); got.Poison != 1 {
		t.Errorf("Stats = %+v, want one poison", got)
	}
}

// lacking is an Appender whose replicas do not answer at first.
type lacking struct {
	*stream.Store
	times atomic.Int32
}

func (l *lacking) Append(ctx context.Context, batch []stream.Append) []stream.Result {
	results := l.Store.Append(ctx, batch)
	if l.times.Add(-1) >= 0 {
		for i := range results {
			results[i].Err = stream.ErrReplicas
		}
	}
	return results
}

// TestIntake_KeepsWhatReplicasLack: an entry stays in its stream as long as its
// log's master could lose it, and is then taken once.
func TestIntake_KeepsWhatReplicasLack(t *testing.T) {
	onBoth(t, func(t *testing.T, s *system) {
		ctx := t.Context()
		s.add("channel", "room:chat:1", "message", "a")
		logs := &lacking{Store: s.store}
		logs.times.Store(2)
		i, err := New(Config{Node: "n", Prefix: "websocket:", Resolve: resolve}, s.redis, nil, logs, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		entries, err := s.redis.XRange(ctx, "websocket:publish", "-", "+").Result()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := i.do(ctx, entries); !errors.Is(err, stream.ErrReplicas) {
				t.Errorf("do = %v, want ErrReplicas", err)
			}
			if n := s.redis.XLen(ctx, "websocket:publish").Val(); n != 1 {
				t.Errorf("%d entries are left, want 1", n)
			}
		}
		if err := i.do(ctx, entries); err != nil {
			t.Errorf("do = %v", err)
		}
		if n := s.redis.XLen(ctx, "websocket:publish").Val(); n != 0 {
			t.Errorf("%d entries are left, want none", n)
		}
		s.want("chat:1", "a")
		if got := i.Stats(); got.Taken != 1 {
			t.Errorf("Stats = %+v, want 1 taken", got)
		}
	})
}

// TestIntake_TheSameComesOfTheSame: an entry that is taken again, by whomever,
// has the time of the first.
func TestIntake_TheSameComesOfTheSame(t *testing.T) {
	t.Parallel()
	var at []time.Time
	i := &Intake{cfg: Config{Resolve: func(_, _ string, published time.Time) (Message, error) {
		at = append(at, published)
		return Message{}, nil
	}}}
	i.read(redis.XMessage{ID: "1697356800123-4", Values: map[string]any{"channel": "broadcast", "message": "x"}})
	i.read(redis.XMessage{ID: "7-1", Values: map[string]any{"channel": "broadcast", "message": "x"}})
	if want := time.UnixMilli(1697356800123); !at[0].Equal(want) {
		t.Errorf("an entry was published at %v, want %v", at[0], want)
	}
	if ago := time.Since(at[1]); ago > time.Hour {
		t.Errorf("an entry with an id of its own was published %v ago, want now", ago)
	}
}
