package pubsub

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
	"github.com/ginforge/gateway/pubsub/stream"
)

func TestSlotOf(t *testing.T) {
	for key, want := range map[string]int{ // as CLUSTER KEYSLOT has them
		"123456789": 12739, "foo": 12182, "{foo}bar": 12182, "a{foo}{bar}": 12182, "{}foo": 9500, "a{foo": 113, "": 0,
	} {
		if got := slotOf(key); got != want {
			t.Errorf("slotOf(%q) = %d, want %d", key, got, want)
		}
	}
}

// logNames returns n names of rooms whose logs are spread over the masters.
func logNames(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("room:", i))
	}
	return names
}

// appendUntilTaken appends to a log, again while its master is being replaced.
func (b *testBus) appendUntilTaken(tb testing.TB, name, payload string) (taken stream.Appended) {
	tb.Helper()
	m := stream.Append{Key: stream.Key{Name: name}, Rules: logRules, Payload: []byte(payload), Dedupe: payload}
	redistest.Eventually(tb, patience, func() (err error) {
		taken, err = b.append(tb, m)
		return err
	})
	return taken
}

// follower keeps the payloads of each log by offset, as a room does.
type follower struct {
	deliveries
}

// logs returns what has come of each log, "!" where it was resumed.
func (f *follower) logs() map[string][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	logs := map[string][]string{}
	for _, d := range f.all {
		if d.Resumed {
			d.Payload = "!"
		}
		logs[d.Name] = append(logs[d.Name], d.Payload)
	}
	return logs
}

// expect waits until the last that came of each name is payload.
func (f *follower) expect(tb testing.TB, names []string, payload func(name string) string) {
	tb.Helper()
	redistest.Eventually(tb, patience, func() error {
		logs := f.logs()
		for _, name := range names {
			got := logs[name]
			if len(got) == 0 || got[len(got)-1] != payload(name) {
				return fmt.Errorf("of %s came %q, want %q at the end", name, got, payload(name))
			}
		}
		return nil
	})
}

func (b *testBus) subscribeLogs(tb testing.TB, names []string) {
	tb.Helper()
	for _, name := range names {
		b.subscribe(tb, KindRoomLog, name)
	}
}

// waitSubscribed waits until all that is wanted is confirmed.
func (b *testBus) waitSubscribed(tb testing.TB) {
	tb.Helper()
	redistest.Eventually(tb, patience, func() error {
		if s := b.State(); s.Subscriptions != s.Wanted {
			return fmt.Errorf("%d of %d channels are confirmed", s.Subscriptions, s.Wanted)
		}
		return nil
	})
}

func clusterConfig(c *redistest.Cluster) Config {
	cfg := testConfig(c.URL())
	cfg.HealthInterval = time.Second
	return cfg
}

func TestShards_LogsAreHeardAtTheirMasterOnly(t *testing.T) {
	t.Parallel()
	const messages = 50
	c, names := redistest.StartCluster(t, 3, 0), logNames(60)
	var heard [2]follower
	first, second := connected(t, clusterConfig(c), heard[0].handle), connected(t, clusterConfig(c), heard[1].handle)
	first.subscribeLogs(t, names)
	second.subscribeLogs(t, names)
	answers := newTally()
	for i := range messages {
		for j, name := range names {
			done := answers.done(i*len(names) + j)
			m := stream.Append{Key: stream.Key{Name: name}, Rules: logRules, Payload: fmt.Append(nil, i)}
			if err := first.Append(m, func(_ stream.Appended, err error) { done(err) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	var want []string
	for i := range messages {
		want = append(want, fmt.Sprint(i))
	}
	for i := range heard {
		heard[i].expect(t, names, func(string) string { return want[messages-1] })
		for name, got := range heard[i].logs() {
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("bus %d heard of %s %q", i, name, got)
			}
		}
	}
	redistest.Eventually(t, patience, func() error { return answers.onceEach(messages * len(names)) })

	channels := 0
	for _, n := range c.Primaries {
		here := len(strings.Fields(n.CLI("PUBSUB", "SHARDCHANNELS")))
		if here == 0 || here == len(names) {
			t.Errorf("%s has %d of %d channels", n.Addr(), here, len(names))
		}
		channels += here
	}
	if channels != len(names) {
		t.Errorf("the masters have %d channels, want %d", channels, len(names))
	}
	for _, b := range []*testBus{first, second} {
		for _, name := range names {
			b.Unsubscribe(KindRoomLog, name)
		}
	}
	redistest.Eventually(t, patience, func() error {
		for _, n := range c.Primaries {
			if got := n.CLI("PUBSUB", "SHARDCHANNELS"); got != "" {
				return fmt.Errorf("%s still has %q", n.Addr(), got)
			}
		}
		return nil
	})
}

func TestShards_AReplicaTakesOver(t *testing.T) {
	t.Parallel()
	c, names := redistest.StartCluster(t, 3, 1), logNames(30)
	var heard follower
	b := connected(t, clusterConfig(c), heard.handle)
	b.subscribeLogs(t, names)
	for _, name := range names {
		b.appendUntilTaken(t, name, "before")
	}
	heard.expect(t, names, func(string) string { return "before" })
	for i, n := range c.Primaries { // WAIT would only wait for what its own connection has written
		redistest.Eventually(t, patience, func() error {
			if got, want := c.Replicas[i][0].CLI("DBSIZE"), n.CLI("DBSIZE"); got != want {
				return fmt.Errorf("the replica has %s keys, want %s", got, want)
			}
			return nil
		})
	}

	c.KillPrimary(0)
	for _, name := range names {
		if got := b.appendUntilTaken(t, name, "between"); got.Offset != 2 {
			t.Errorf("the second message of %s has offset %d", name, got.Offset)
		}
	}
	b.waitSubscribed(t)
	for _, name := range names {
		b.appendUntilTaken(t, name, "after")
	}
	heard.expect(t, names, func(string) string { return "after" })
	for name, got := range heard.logs() {
		lost := c.Primary("websocket:log:{room:"+name+"}") == 0
		if resumed := strings.Contains(fmt.Sprint(got), "!"); lost && !resumed {
			t.Errorf("of %s came %q, want it resumed: its master was killed", name, got)
		}
	}
	c.SwitchPrimary(1)
	for _, name := range names {
		b.appendUntilTaken(t, name, "at last")
	}
	// Who did not hear it live was told afterwards that something may be missing.
	redistest.Eventually(t, patience, func() error {
		for name, got := range heard.logs() {
			if last := got[len(got)-1]; last != "at last" && last != "!" {
				return fmt.Errorf("of %s came %q", name, got)
			}
		}
		return nil
	})
}

func TestShards_ASlotMoves(t *testing.T) {
	t.Parallel()
	c, names := redistest.StartCluster(t, 3, 0), logNames(10)
	var heard follower
	b := connected(t, clusterConfig(c), heard.handle)
	b.subscribeLogs(t, names)
	first := b.appendUntilTaken(t, names[0], "before")
	channel := "websocket:log:{room:" + names[0] + "}"
	from := c.Primary(channel)
	c.MoveSlot(c.Slot(channel), from, (from+1)%3)
	heard.expect(t, names[:1], func(string) string { return "!" })
	if got := b.appendUntilTaken(t, names[0], "after"); got.Epoch != first.Epoch || got.Offset != 2 {
		t.Errorf("after the move: %v, before %v", got, first)
	}
	heard.expect(t, names[:1], func(string) string { return "after" })
	if got := c.Primaries[(from+1)%3].CLI("PUBSUB", "SHARDCHANNELS", channel); got != channel {
		t.Errorf("the new master has %q", got)
	}
	b.waitSubscribed(t)
}

// TestShards_InterestBeforeTheCluster: what is wanted while no master is known
// is subscribed when one is.
func TestShards_InterestBeforeTheCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	var heard follower
	b := open(t, clusterConfig(c), heard.handle)
	confirmed := make(chan struct{})
	b.Subscribe(KindRoomLog, "r", func() { close(confirmed) })
	b.Subscribe(KindUserLog, "u", nil)
	b.Unsubscribe(KindUserLog, "u")
	if s := b.State(); s.Wanted != 3 || s.Subscriptions != 0 {
		t.Errorf("State = %+v", s)
	}
	b.run(t)
	wait(t, confirmed, "confirmation")
	redistest.Eventually(t, patience, func() error {
		if s := b.State(); s.Wanted != 2 || s.Subscriptions != 2 {
			return fmt.Errorf("State = %+v", s)
		}
		return nil
	})
	if logs := heard.logs(); len(logs) != 0 {
		t.Errorf("delivered %q", logs)
	}
}

// TestShards_TheBusLeavesWhoIsGone: the master that carries plain messages for this
// node hangs, or is cut off, and another has taken over.
func TestShards_TheBusLeavesWhoIsGone(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 1)
	cfg := clusterConfig(c)
	cfg.HealthInterval = time.Hour // nobody waits for a silence
	b := connected(t, cfg, nil)
	at := func() string {
		to := b.outbox.route()
		if to == nil {
			return ""
		}
		return to.node.Options().Addr
	}
	before := at()
	redistest.Eventually(t, patience, func() error { // it has seen the Cluster with it
		b.shards.mu.RLock()
		defer b.shards.mu.RUnlock()
		if b.shards.masters[before] == nil {
			return fmt.Errorf("%s is no master that is known", before)
		}
		return nil
	})
	for _, n := range c.Primaries {
		if n.Addr() == before {
			n.Pause()
			defer n.Resume()
		}
	}
	redistest.Eventually(t, 2*patience, func() error {
		b.shards.reload()
		if now := at(); now == "" || now == before {
			return fmt.Errorf("plain messages come by %q, want another than %q", now, before)
		}
		return nil
	})
	b.subscribe(t, KindRoom, "r")
	redistest.Eventually(t, patience, func() error { return b.publish(t, KindRoom, "r", "x") })
	b.inbox.waitFor(t, 1)
}

func TestShard_KnowsRefusals(t *testing.T) {
	b := open(t, testConfig("redis+cluster://127.0.0.1:1"), nil)
	defer b.Close()
	for text, want := range map[string]bool{
		"MOVED 16383 10.0.0.1:6379": true, "ASK 0 10.0.0.1:6379": true,
		"MOVED 16384 10.0.0.1:6379": false, "MOVED x": false, "MOVED": false, "MOVED -1 a:1": false, "CLUSTERDOWN x": false, "": false,
	} {
		if got := b.shards.nobody.refused(fmt.Errorf("read: %w", refusal(text))); got != want {
			t.Errorf("refused(%q) = %v, want %v", text, got, want)
		}
	}
	if b.shards.nobody.refused(errors.New("MOVED 1 a:1")) {
		t.Error("another error is taken for a refusal")
	}
}
