package pubsub

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
	"github.com/ginforge/gateway/pubsub/stream"
)

// TestBus_SentinelFailoverLosesNothing has a replica take over that lacks the last
// messages. A publisher is first to come back, and does not take their offsets: the
// node that has them puts them back while it waits.
func TestBus_SentinelFailoverLosesNothing(t *testing.T) {
	for name, end := range map[string]func(master *redistest.Server){
		"the master is killed": (*redistest.Server).Kill,
		"the master hangs":     (*redistest.Server).Pause,
		"the master lives on":  func(*redistest.Server) {}, // cut off from Sentinel, but not from the nodes
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testFailoverLosesNothing(t, end)
		})
	}
}

func testFailoverLosesNothing(t *testing.T, end func(master *redistest.Server)) {
	t.Helper()
	s := startSentinel(t)
	cfg := testConfig(s.url())
	cfg.Settle = 3 * time.Second
	cfg.HealthInterval = time.Hour // nobody waits for a silence
	room := stream.Key{Name: "r"}
	got := new(deliveries)
	follows, publishes := connected(t, cfg, got.handle), connected(t, cfg, nil)
	follows.subscribe(t, KindRoomLog, "r")
	add := func(payload string) stream.Appended { return publishes.appendUntilTaken(t, room.Name, payload) }
	add("a")
	s.cutReplica(t, room, 1)
	add("b")
	last := add("c")
	var known []stream.Entry
	for _, d := range got.waitFor(t, 3) {
		known = append(known, stream.Entry{Offset: d.Position.Offset, Token: d.Token, Payload: d.Payload})
	}

	before := publishes.Stats().Connects
	end(s.master)
	s.promote(t)
	publishes.waitReconnected(t, before)
	answer := make(chan stream.Appended, 1)
	err := publishes.Append(stream.Append{Key: room, Rules: logRules, Payload: []byte("d")}, func(a stream.Appended, err error) {
		if err != nil {
			t.Errorf("Append after the failover = %v", err)
		}
		answer <- a
	})
	if err != nil {
		t.Fatal(err)
	}
	if err = publishes.publish(t, KindRoom, "other", "x"); err != nil {
		t.Errorf("Publish while appends wait = %v", err)
	}
	follows.waitConnected(t, true)
	var restored stream.Restored
	redistest.Eventually(t, patience, func() (err error) { // it may not have noticed yet
		restored, err = reply(t, func(done func(stream.Restored, error)) error {
			return follows.Restore(stream.Restore{Key: room, Rules: logRules, Known: last.Position, Entries: known}, done)
		})
		return err
	})
	if restored.Conflict || restored.Position != last.Position {
		t.Errorf("Restore = %+v, want %v", restored, last.Position)
	}
	if d := wait(t, answer, "answer"); d.Epoch != last.Epoch || d.Offset != 4 {
		t.Errorf("the next message is %+v, want offset 4 after %v", d, last.Position)
	}
	if again := add("c"); !again.Duplicate || again.Position != last.Position {
		t.Errorf("the third once more = %+v, want the duplicate of %v", again, last)
	}
	page := mustReply(t, func(done func(stream.Page, error)) error { return follows.ReadLog(room, 0, 10, done) })
	if texts := payloads(page.Entries); texts != "a b c d" {
		t.Errorf("the log has %q", texts)
	}
}

// moveSentinel has Sentinel take another server for the master.
func moveSentinel(sentinel, to *redistest.Server) {
	sentinel.CLI("SENTINEL", "REMOVE", "main")
	sentinel.CLI("SENTINEL", "MONITOR", "main", "127.0.0.1", strconv.Itoa(to.Port()), "1")
}

func TestSettling_KnowsServersApart(t *testing.T) {
	t.Parallel()
	var s settling
	now := time.Now()
	want := func(what, history string, ok bool) {
		t.Helper()
		if h, settled := s.settled(now); h != history || settled != ok {
			t.Errorf("%s: settled = %q, %v, want %q, %v", what, h, settled, history, ok)
		}
	}
	want("before anybody has looked", "", false)
	s.note("a", time.Hour, nil)
	want("the first server", "a", true)
	s.note("a", time.Hour, nil)
	want("the same", "a", true)
	s.note("b", time.Hour, nil)
	want("another", "b", false)
	if left := s.left(now); left < 59*time.Minute {
		t.Errorf("%v are left of an hour", left)
	}
	now = now.Add(2 * time.Hour)
	want("later", "b", true)
	s.note("", 3*time.Hour, nil)
	want("one that may be another", "b", false)
	now = now.Add(2 * time.Hour)
	s.note("b", 5*time.Hour, nil)
	want("the one before, later", "b", true)

	s, now = settling{}, time.Now()
	s.note("", time.Hour, nil)
	want("the first server, nameless", "", true)
	s.note("", time.Hour, nil)
	want("a second, nameless", "", false)
	now = now.Add(2 * time.Hour)
	s.note("c", 3*time.Hour, nil)
	want("one behind a nameless", "c", false)
}

// TestSettling_WaitsForTheLink: that time has passed is not enough when nobody is
// subscribed at the server that answers.
func TestSettling_WaitsForTheLink(t *testing.T) {
	t.Parallel()
	var s settling
	now, left := time.Now(), 0
	leave := func() { left++ }
	want := func(what string, wantLeft int, history string, ok bool) {
		t.Helper()
		h, settled := s.settled(now)
		if left != wantLeft || h != history || settled != ok {
			t.Errorf("%s: %d links have ended, settled = %q, %v, want %d, %q, %v", what, left, h, settled, wantLeft, history, ok)
		}
	}
	s.elsewhere("a")
	want("before any link", 0, "", false)
	s.note("a", time.Hour, leave)
	want("the first link", 0, "a", true)
	s.elsewhere("of a link before")
	want("an answer that is late", 0, "a", true)
	s.elsewhere("a")
	s.elsewhere("a")
	now = now.Add(2 * time.Hour)
	want("another answers", 1, "a", false)
	s.note("b", 3*time.Hour, leave)
	want("the next link", 1, "b", false)
	now = now.Add(2 * time.Hour)
	want("later", 1, "b", true)
	s.elsewhere("b")
	s.note("b", time.Hour, leave)
	want("no other, after all", 2, "b", true)
}

// TestBus_WaitsWhereNoHistoryIsSaid: this user may not ask for it, so that any new
// link may be to another server.
func TestBus_WaitsWhereNoHistoryIsSaid(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.CLI("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-info")
	cfg := testConfig("redis://limited:secret@" + server.Addr())
	cfg.Settle = time.Hour
	b, k := connected(t, cfg, nil), stream.Key{Name: "r"}
	a := b.Appender()
	if r := a.Append(t.Context(), ordered(k, 1))[0]; r.Err != nil {
		t.Errorf("by the first link = %v", r.Err)
	}
	for range 2 {
		before := b.Stats().Connects
		server.CLI("CLIENT", "KILL", "USER", "limited")
		b.waitReconnected(t, before)
		if r := a.Append(t.Context(), ordered(k, 2))[0]; !errors.Is(r.Err, stream.ErrSettling) {
			t.Errorf("by another link = %+v, want ErrSettling", r)
		}
	}
	if lines := b.logs.lines("does not say its replication history"); len(lines) != 1 {
		t.Errorf("%d lines about it, want one: %q", len(lines), lines)
	}
}

// TestWaiting_EachServerHasItsTime: what waits for one server does not go when another
// has settled, nor when its own has begun to settle anew.
func TestWaiting_EachServerHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Bus{cfg: Config{Prefix: "websocket:"}}
		b.shards = newShards(b)
		late, soon := stream.Key{Name: "late"}, stream.Key{Name: "soon"}
		ownMaster(b, late, "a").settling.begin(3 * time.Second)
		ownMaster(b, soon, "b").settling.begin(500 * time.Millisecond)
		start := time.Now()
		var held waiting
		payloads := func(messages []outgoing) (texts []string) {
			for _, m := range messages {
				texts = append(texts, string(m.payload))
			}
			return texts
		}
		hold := func(k stream.Key, payload string) {
			t.Helper()
			m := outgoing{payload: []byte(payload), log: &logMessage{append: stream.Append{Key: k}}}
			if going := held.split(b, []outgoing{m}); len(going) != 0 {
				t.Errorf("%s went at %v", payload, time.Since(start))
			}
		}
		wantAt := func(at time.Duration, want ...string) {
			t.Helper()
			<-held.due()
			if now := time.Since(start); now != at {
				t.Errorf("due at %v, want %v", now, at)
			}
			if got := payloads(held.ready(b)); !slices.Equal(got, want) {
				t.Errorf("%q went at %v, want %q", got, at, want)
			}
		}
		hold(late, "a1")
		hold(soon, "b1")
		hold(late, "a2")
		wantAt(500*time.Millisecond, "b1")
		hold(late, "a3")
		b.settlingOf(late).begin(3 * time.Second)
		wantAt(3 * time.Second)
		wantAt(3500*time.Millisecond, "a1", "a2", "a3")
		if held.due() != nil {
			t.Error("something is due when nothing waits")
		}
	})
}

// TestBus_SettledWhereItIsSubscribed, and not while it is subscribed nowhere, or when
// appends wait.
func TestBus_SettledWhereItIsSubscribed(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	own := func() string { return stream.InfoField(server.CLI("INFO", "replication"), "master_replid") }
	b := connected(t, testConfig(server.URL()), nil)
	if history, ok := b.Settled(); !ok || history == "" || history != own() {
		t.Errorf("Settled = %q, %v, want the server's %q", history, ok, own())
	}
	b.settling.begin(time.Hour)
	if _, ok := b.Settled(); ok {
		t.Error("settled while appends wait")
	}
	b.settling.begin(0)
	server.Kill()
	b.waitConnected(t, false)
	if _, ok := b.Settled(); ok {
		t.Error("settled while it is subscribed nowhere")
	}
	server.Restart()
	b.waitConnected(t, true)
	redistest.Eventually(t, patience, func() error {
		if history, ok := b.Settled(); !ok || history != own() {
			return fmt.Errorf("Settled = %q, %v, want the new server's %q", history, ok, own())
		}
		return nil
	})
}
