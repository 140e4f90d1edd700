package pubsub

import (
	"context"
	"errors"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/redistest"
	"github.com/ginforge/gateway/pubsub/stream"
)

// hook is what calls of a go-redis client go through; nil changes nothing.
type hook struct {
	process  func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error
	pipeline func(ctx context.Context, cmds []redis.Cmder, next redis.ProcessPipelineHook) error
}

func (h hook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	if h.process == nil {
		return next
	}
	return func(ctx context.Context, cmd redis.Cmder) error { return h.process(ctx, cmd, next) }
}

func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	if h.pipeline == nil {
		return next
	}
	return func(ctx context.Context, cmds []redis.Cmder) error { return h.pipeline(ctx, cmds, next) }
}

// ownMaster gives a log a master of its own, which nobody has looked at.
func ownMaster(b *Bus, k stream.Key, addr string) *shard {
	s := &shard{all: b.shards, addr: addr, interest: newInterest()}
	b.shards.masters[addr] = s
	b.shards.owners[b.shards.slot(topic{LogKind(k.Kind), k.Name})] = s
	return s
}

// masters are plain servers that a Bus, which does not run, takes for the masters of
// a Cluster, one for each log. None of them says its history.
type masters struct {
	*Bus
	shards []*shard
	logs   []stream.Key
}

func startMasters(tb testing.TB, n int) masters {
	tb.Helper()
	b := open(tb, testConfig("redis+cluster://127.0.0.1:1"), nil)
	tb.Cleanup(func() { _ = b.Close() })
	m := masters{Bus: b.Bus}
	for i := range n {
		addr, k := redistest.Start(tb).Addr(), stream.Key{Name: "r" + strconv.Itoa(i)}
		s := ownMaster(b.Bus, k, addr)
		m.shards, m.logs = append(m.shards, s), append(m.logs, k)
		s.settling.note("", time.Hour, nil)
		m.link(tb, i)
	}
	return m
}

// link has a new link to a master.
func (m masters) link(tb testing.TB, i int) *redis.Client {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: m.shards[i].addr, MaxRetries: -1, Protocol: 2})
	tb.Cleanup(func() { _ = client.Close() })
	m.shards[i].linked(client)
	return client
}

// TestAppender_NothingOvertakesWhatWaits: a server has settled between two messages of
// its log, in the time that another takes to know the scripts.
func TestAppender_NothingOvertakesWhatWaits(t *testing.T) {
	t.Parallel()
	m := startMasters(t, 2)
	m.shards[0].settling.begin(time.Hour)
	m.link(t, 1).AddHook(hook{pipeline: func(ctx context.Context, cmds []redis.Cmder, next redis.ProcessPipelineHook) error {
		m.shards[0].settling.begin(0)
		return next(ctx, cmds)
	}})
	a, waits, other := m.Appender(), m.logs[0], m.logs[1]
	r := a.Append(t.Context(), append(append(ordered(waits, 1), ordered(other, 1)...), ordered(waits, 2)...))
	if !errors.Is(r[0].Err, stream.ErrSettling) || !errors.Is(r[2].Err, stream.ErrSettling) {
		t.Errorf("of a log that waits = %+v, then %+v, want ErrSettling twice", r[0], r[2])
	}
	if r[1].Err != nil {
		t.Errorf("of another = %v", r[1].Err)
	}
	for i, r := range a.Append(t.Context(), append(ordered(waits, 1), ordered(waits, 2)...)) {
		if r.Err != nil || r.Duplicate || r.Offset != uint64(i+1) {
			t.Errorf("message %d afterwards = %+v, want a new one", i+1, r)
		}
	}
}

// TestAppender_ServersWithoutAHistory are told apart all the same: one that knows the
// scripts is not taken for another that does not.
func TestAppender_ServersWithoutAHistory(t *testing.T) {
	t.Parallel()
	m := startMasters(t, 2)
	a := m.Appender()
	both := func(n int) {
		t.Helper()
		for i, r := range a.Append(t.Context(), append(ordered(m.logs[0], n), ordered(m.logs[1], n)...)) {
			if r.Err != nil || r.Offset != uint64(n) {
				t.Errorf("message %d to master %d = %+v", n, i, r)
			}
		}
	}
	both(1)
	m.link(t, 0)
	both(2)
	if len(a.peers) != 2 {
		t.Errorf("%d servers are known by their links, want 2", len(a.peers))
	}
}

// redisError is what Redis answers.
type redisError string

func (e redisError) Error() string { return string(e) }
func (redisError) RedisError()     {}

// TestAppender_LostDuringWait: who need not have a replica is content when the server
// says that there is none, not when the server itself may be lost.
func TestAppender_LostDuringWait(t *testing.T) {
	t.Parallel()
	m := startMasters(t, 1)
	waits, lost := 0, error(nil)
	m.link(t, 0).AddHook(hook{pipeline: func(ctx context.Context, cmds []redis.Cmder, next redis.ProcessPipelineHook) error {
		wait, ok := cmds[len(cmds)-1].(*redis.IntCmd)
		if !ok {
			return next(ctx, cmds)
		}
		waits++
		wait.SetVal(1)
		wait.SetErr(lost)
		return next(ctx, cmds[:len(cmds)-1])
	}})
	k, n := m.logs[0], 0
	for err, waived := range map[error]bool{
		io.EOF: false,
		redisError("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"): false,
		redisError("ERR WAIT cannot be used with replica instances."):                                              false,
		redisError("NOPERM this user has no permissions to run the 'wait' command"):                                true,
		redisError("ERR unknown command 'WAIT'"):                                                                   true,
	} {
		a := m.DurableAppender()
		n++
		waits, lost = 0, err
		r := a.Append(t.Context(), ordered(k, n))[0]
		if r.Offset != uint64(n) || (r.Err == nil) != waived || errors.Is(r.Err, ErrReplicas) || stream.Hopeless(r.Err) {
			t.Errorf("WAIT ends with %q: %+v, want success %v, or an error that passes", err, r, waived)
		}
		if passed := publishError(t.Context(), r.Err); !waived && !errors.Is(passed, ErrAway) {
			t.Errorf("WAIT ends with %q: a publisher has %v, want ErrAway", err, passed)
		}
		lost = nil
		if r = a.Append(t.Context(), ordered(k, n))[0]; r.Err != nil || !r.Duplicate {
			t.Errorf("the same again = %+v, want a duplicate", r)
		}
		if again := waits == 2; again == waived {
			t.Errorf("WAIT ends with %q: asked again %v, want %v", err, again, !waived)
		}
	}
	// The replicas of the server that a slot has moved to have not been asked.
	a := m.DurableAppender()
	if r := a.judge(&trip{replicas: 1}, server{}, k, stream.Result{Again: true}); !errors.Is(r.Err, ErrReplicas) {
		t.Errorf("what was sent on = %+v, want ErrReplicas", r)
	}
}

// TestAppender_SlotOnItsWay: a log's messages are refused while its slot moves, and
// again until nobody tries any more. Then it has moved, before the second is tried.
func TestAppender_SlotOnItsWay(t *testing.T) {
	t.Parallel()
	const attempts = 4 // of stream.Store at a slot that moves
	c := redistest.StartCluster(t, 3, 0)
	cfg := clusterConfig(c)
	cfg.Settle = time.Hour
	b, k := connected(t, cfg, nil), stream.Key{Name: "r"}
	a := b.Appender()
	mustAppend(t, a, k, 1)
	key := "websocket:log:{room:r}:meta"
	from, slot := c.Primary(key), c.Slot(key)
	to := (from + 1) % 3
	source, target := c.Primaries[from], c.Primaries[to]
	target.CLI("CLUSTER", "SETSLOT", strconv.Itoa(slot), "IMPORTING", source.CLI("CLUSTER", "MYID"))
	source.CLI("CLUSTER", "SETSLOT", strconv.Itoa(slot), "MIGRATING", target.CLI("CLUSTER", "MYID"))

	tries := 0
	b.commands.(*redis.ClusterClient).AddHook(hook{process: func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		err := next(ctx, cmd)
		if cmd.Name() == "eval" {
			if tries++; tries == attempts {
				c.MoveSlot(slot, from, to)
			}
		}
		return err
	}})
	batch := append(ordered(k, 2), ordered(k, 3)...)
	for i, r := range a.Append(t.Context(), batch) {
		if !redis.HasErrorPrefix(r.Err, "TRYAGAIN") {
			t.Errorf("message %d while the slot moves = %+v, want TRYAGAIN", i+2, r)
		}
	}
	if tries < attempts {
		t.Fatalf("%d attempts, want %d", tries, attempts)
	}
	var results []stream.Result
	redistest.Eventually(t, patience, func() error {
		results = a.Append(t.Context(), batch)
		return errors.Join(results[0].Err, results[1].Err)
	})
	for i, r := range results {
		if r.Duplicate || r.Offset != uint64(i+2) {
			t.Errorf("message %d = %+v, want a new one", i+2, r)
		}
	}
}

// TestAppender_AnotherServerEndsTheLink: a master answers by another history than its
// link has noted, and has nothing appended before a link has come to it.
func TestAppender_AnotherServerEndsTheLink(t *testing.T) {
	t.Parallel()
	m := startMasters(t, 1)
	client := m.link(t, 0)
	own := stream.InfoField(client.Info(t.Context(), "replication").Val(), "master_replid")
	if own == "" {
		t.Fatal("the server does not say its history")
	}
	sent, left := 0, 0
	client.AddHook(hook{pipeline: func(ctx context.Context, cmds []redis.Cmder, next redis.ProcessPipelineHook) error {
		if cmds[0].Name() == "evalsha" {
			sent++
		}
		return next(ctx, cmds)
	}})
	s := &m.shards[0].settling
	s.note("of-another", 0, func() { left++ })
	a := m.Appender()
	for range 3 {
		if r := a.Append(t.Context(), ordered(m.logs[0], 1))[0]; !errors.Is(r.Err, stream.ErrSettling) {
			t.Errorf("Append before a link has come = %+v, want ErrSettling", r)
		}
	}
	if sent != 1 || left != 1 {
		t.Errorf("%d batches were sent and the link was ended %d times, want once each", sent, left)
	}
	s.note(own, 0, nil)
	if r := mustAppend(t, a, m.logs[0], 1); r.Offset != 1 || r.Duplicate {
		t.Errorf("Append afterwards = %+v, want a new message", r)
	}
}

// TestBus_PublishesByTheRouteItHasLookedAt: what need not wait at one server is not
// sent to the next, where it may have to.
func TestBus_PublishesByTheRouteItHasLookedAt(t *testing.T) {
	t.Parallel()
	b := open(t, testConfig(redistest.Start(t).URL()), nil)
	defer b.Close()
	client := newPlainClient(t, b.target.options.Addrs[0])
	before, after := newRoute(b.cfg, client, client), newRoute(b.cfg, client, client)
	b.setRoute(before)
	answers := newTally()
	for i, to := range []*route{before, after} {
		b.setRoute(to)
		done := answers.done(i)
		b.sendAll(t.Context(), before, []outgoing{{log: &logMessage{
			append: stream.Append{Key: stream.Key{Name: "r"}, Rules: logRules, Payload: []byte("x")},
			done:   func(_ stream.Appended, err error) { done(err) },
		}}})
	}
	if answers.count("") != 1 || answers.count("away") != 1 {
		t.Errorf("answered %v, want one taken, and ErrAway", answers.errs)
	}
}
