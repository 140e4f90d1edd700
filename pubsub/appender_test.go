package pubsub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/redistest"
	"github.com/ginforge/gateway/pubsub/stream"
)

// underSentinel are a master and a replica that Sentinel knows.
type underSentinel struct {
	master, replica, sentinel *redistest.Server
}

func startSentinel(tb testing.TB) underSentinel {
	tb.Helper()
	master, replica, sentinel := redistest.StartFailover(tb, "main")
	return underSentinel{master, replica, sentinel}
}

func (s underSentinel) url() string { return "redis+sentinel://" + s.sentinel.Addr() + "/main" }

// cutReplica lets the replica have what there is of a log, and nothing more.
func (s underSentinel) cutReplica(tb testing.TB, k stream.Key, offset uint64) {
	tb.Helper()
	redistest.Eventually(tb, patience, func() error {
		if o := s.replica.CLI("HGET", "websocket:log:{"+k.String()+"}:meta", "o"); o != fmt.Sprint(offset) {
			return fmt.Errorf("the replica has %q", o)
		}
		return nil
	})
	s.replica.CLI("REPLICAOF", "127.0.0.1", "1") // hears no more, and can be promoted all the same
}

// promote has the replica take over. Some node is fast, and has it know the
// scripts.
func (s underSentinel) promote(tb testing.TB) {
	tb.Helper()
	s.replica.CLI("REPLICAOF", "NO", "ONE")
	client := redis.NewClient(&redis.Options{Addr: s.replica.Addr()})
	defer client.Close()
	stream.New(client, stream.Options{}).Load(tb.Context())
	moveSentinel(s.sentinel, s.replica)
}

// ordered is the nth message of a publisher that may repeat itself.
func ordered(k stream.Key, n int) []stream.Append {
	return []stream.Append{{
		Key: k, Rules: logRules, Payload: fmt.Append(nil, "m", n), Dedupe: fmt.Sprint("n.", n),
		Order: stream.Order{Lane: "s", Place: fmt.Sprintf("%04d", n)},
	}}
}

// mustAppend appends the nth message of the lane.
func mustAppend(tb testing.TB, a *Appender, k stream.Key, n int) (last stream.Appended) {
	tb.Helper()
	redistest.Eventually(tb, patience, func() error {
		r := a.Append(context.Background(), ordered(k, n))[0]
		last = r.Appended
		return r.Err
	})
	return last
}

// TestAppender_TakesOverBehindAFailover: the node that has appended is gone
// with the master, and another, whose appender has never failed, repeats the last
// message at a new master that lacks it. It waits for the node that has heard it.
func TestAppender_TakesOverBehindAFailover(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(underSentinel)
		used bool // the heir has appended something else before
	}{
		// Nobody is told that the master is not the master any more.
		"paused, fresh": {end: func(s underSentinel) { s.master.Pause() }},
		"killed, fresh": {end: func(s underSentinel) { s.master.Kill() }},
		"killed, idle":  {end: func(s underSentinel) { s.master.Kill() }, used: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSentinel(t)
			cfg := testConfig(s.url())
			cfg.Settle = 1500 * time.Millisecond
			cfg.HealthInterval = 500 * time.Millisecond
			k := stream.Key{Name: "r"}
			got := new(deliveries)
			follows, first, second := connected(t, cfg, got.handle), connected(t, cfg, nil), connected(t, cfg, nil)
			follows.subscribe(t, KindRoomLog, k.Name)
			mustAppend(t, first.Appender(), k, 1)
			heir := second.Appender()
			if tt.used {
				mustAppend(t, heir, stream.Key{Name: "other"}, 1)
			}
			s.cutReplica(t, k, 1)
			last := mustAppend(t, first.Appender(), k, 2)
			var known []stream.Entry
			for _, d := range got.waitFor(t, 2) {
				known = append(known, stream.Entry{Offset: d.Position.Offset, Token: d.Token, Payload: d.Payload})
			}
			before := follows.Stats().Connects
			tt.end(s)
			s.promote(t)

			// The heir begins now, before anybody has put back anything.
			result := make(chan stream.Result, 1)
			tries := make(chan error, 1)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			go func() { // ends with the first answer, or with ctx
				for ctx.Err() == nil {
					r := heir.Append(ctx, ordered(k, 2))[0]
					if r.Err == nil {
						result <- r
						return
					}
					select {
					case tries <- r.Err:
					default:
					}
				}
			}()
			follows.waitReconnected(t, before)
			restored := mustReply(t, func(done func(stream.Restored, error)) error {
				return follows.Restore(stream.Restore{Key: k, Rules: logRules, Known: last.Position, Entries: known}, done)
			})
			if restored.Conflict || restored.Position != last.Position {
				t.Errorf("Restore = %+v, want %v", restored, last.Position)
			}
			if r := wait(t, result, "answer"); !r.Duplicate || r.Epoch != last.Epoch || r.Offset != last.Offset {
				t.Errorf("the repeat is %+v, want the duplicate of %+v", r, last)
			}
			if err := wait(t, tries, "refusal"); err == nil || stream.Hopeless(err) {
				t.Errorf("Append before = %v, want an error that passes", err)
			}
			page := mustReply(t, func(done func(stream.Page, error)) error { return follows.ReadLog(k, 0, 10, done) })
			if texts := payloads(page.Entries); texts != "m1 m2" {
				t.Errorf("the log has %q, want m1 m2", texts)
			}
		})
	}
}

func payloads(entries []stream.Entry) string {
	var texts []string
	for _, e := range entries {
		texts = append(texts, e.Payload)
	}
	return strings.Join(texts, " ")
}

// TestAppender_ClusterFailover: of three masters one is lost. Its heir has no
// append before the others have put back what it lacks; the other masters have.
func TestAppender_ClusterFailover(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 1)
	cfg := clusterConfig(c)
	cfg.Settle = time.Hour
	b := connected(t, cfg, nil)
	a := b.Appender()
	names := logNames(30)
	lost := c.Primary("websocket:log:{room:" + names[0] + "}:meta")
	var there, elsewhere []stream.Key
	for _, name := range names {
		k := stream.Key{Name: name}
		if c.Primary("websocket:log:{room:"+name+"}:meta") == lost {
			there = append(there, k)
		} else {
			elsewhere = append(elsewhere, k)
		}
		mustAppend(t, a, k, 1)
	}
	if len(there) == 0 || len(elsewhere) == 0 {
		t.Fatal("all logs are at one master")
	}
	r := a.Append(t.Context(), append(ordered(there[0], 1), ordered(elsewhere[0], 1)...))
	if r[0].Server == "" || r[1].Server == "" || r[0].Server == r[1].Server {
		t.Errorf("logs of two masters are at %q and %q", r[0].Server, r[1].Server)
	}
	replica := c.Replicas[lost][0]
	c.Primaries[lost].Kill()
	replica.CLI("CLUSTER", "FAILOVER", "FORCE")
	redistest.Eventually(t, patience, func() error {
		r := a.Append(t.Context(), ordered(there[0], 2))[0]
		if r.Err == nil {
			t.Fatalf("appended at the new master: %+v", r)
		}
		for i, k := range elsewhere {
			r := a.Append(t.Context(), append(ordered(there[0], 2), ordered(k, 2)...))[1]
			if r.Err != nil && strings.Contains(r.Err.Error(), "CLUSTERDOWN") {
				return r.Err // no master serves before the heir has been elected
			}
			if r.Err != nil {
				t.Fatalf("append %d to a master that is well = %v", i, r.Err)
			}
		}
		if !errors.Is(r.Err, stream.ErrSettling) {
			return r.Err
		}
		return nil
	})
}

// TestAppender_WaitsForReplicas: what was appended without an error is at the
// replica, if that was asked for; what nobody asked for does not fail for it.
func TestAppender_WaitsForReplicas(t *testing.T) {
	t.Parallel()
	s := startSentinel(t)
	cfg := testConfig(s.url())
	durable := connected(t, cfg, nil).DurableAppender()
	cfg.WaitReplicas = 1
	configured := connected(t, cfg, nil)
	k := stream.Key{Name: "r"}
	for n, a := range []*Appender{configured.Appender(), configured.DurableAppender(), durable} {
		last := mustAppend(t, a, k, n)
		if got := s.replica.CLI("HGET", "websocket:log:{room:r}:meta", "o"); got != fmt.Sprint(last.Offset) {
			t.Errorf("message %d was answered, the replica has %s", last.Offset, got)
		}
	}

	s.replica.Pause()
	for _, a := range []*Appender{configured.Appender(), configured.DurableAppender()} {
		if r := a.Append(t.Context(), ordered(k, 3))[0]; !errors.Is(r.Err, stream.ErrReplicas) || stream.Hopeless(r.Err) || r.Offset != 4 {
			t.Errorf("Append without a replica = %+v, want ErrReplicas", r)
		}
	}
	if r := durable.Append(t.Context(), ordered(k, 4))[0]; r.Err != nil || r.Offset != 5 {
		t.Errorf("Append that need not wait = %+v", r)
	}
	waits := func() string { return stream.InfoField(s.master.CLI("INFO", "commandstats"), "cmdstat_wait") }
	before := waits()
	if r := durable.Append(t.Context(), ordered(k, 5))[0]; r.Err != nil || r.Offset != 6 {
		t.Errorf("Append that need not wait = %+v", r)
	}
	if after := waits(); before == "" || after != before {
		t.Errorf("WAIT: %q after %q: the second has waited for a replica that was not there a moment ago", after, before)
	}
	s.replica.Resume()
	if last := mustAppend(t, configured.Appender(), k, 3); !last.Duplicate {
		t.Errorf("the same again = %+v, want a duplicate", last)
	}
}

// TestAppender_WithoutAServer: nothing is sent before it is known where to.
func TestAppender_WithoutAServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b, err := Open(testConfig(server.URL()), func(Delivery) {}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if r := b.Appender().Append(t.Context(), ordered(stream.Key{Name: "r"}, 1))[0]; !errors.Is(r.Err, ErrAway) || stream.Hopeless(r.Err) {
		t.Errorf("Append before Run = %+v, want ErrAway", r)
	}
}

// TestAppender_FollowsARestart: a server that comes up empty is another, and
// does not know the scripts.
func TestAppender_FollowsARestart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	cfg := testConfig(server.URL())
	cfg.Settle = 100 * time.Millisecond
	b := connected(t, cfg, nil)
	a, k := b.Appender(), stream.Key{Name: "r"}
	first := mustAppend(t, a, k, 1)
	server.Restart()
	if again := mustAppend(t, a, k, 1); again.Duplicate || again.Epoch == first.Epoch {
		t.Errorf("at an empty server = %+v after %+v", again, first)
	}
	server.CLI("SCRIPT", "FLUSH")
	if last := mustAppend(t, a, k, 2); last.Offset != 2 {
		t.Errorf("without scripts = %+v, want offset 2", last)
	}
}

// TestAppender_FollowsASlot: slots move between masters that live, with their
// logs.
func TestAppender_FollowsASlot(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	cfg := clusterConfig(c)
	cfg.Settle = time.Hour
	a, k := connected(t, cfg, nil).Appender(), stream.Key{Name: "r"}
	key := "websocket:log:{room:r}:meta"
	from := c.Primary(key)
	for n := range 4 {
		if last := mustAppend(t, a, k, n); last.Offset != uint64(n+1) || last.Duplicate {
			t.Errorf("message %d is %+v", n, last)
		}
		to := (from + 1) % 3
		c.MoveSlot(c.Slot(key), from, to)
		from = to
	}
}
