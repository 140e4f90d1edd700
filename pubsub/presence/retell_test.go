package presence

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// gone is a node that was cut off for a minute and is back; its rounds are run by the
// test.
func (w *world) gone(life string, cfg Config) (n *testNode, told func() []string) {
	w.t.Helper()
	var got []string
	cfg.Prefix, cfg.Connects = "t:", func() int64 { return 2 }
	cfg.Missed = func(edges []Edge) {
		for _, e := range edges {
			got = append(got, e.String())
		}
	}
	n = w.stillNode(life, cfg)
	n.gap = gap{connects: 1, heard: time.Now().Add(-time.Minute)}
	return n, func() []string {
		w.t.Helper()
		told := got
		got = nil
		slices.Sort(told)
		return told
	}
}

// rounds runs as many rounds as a node looks for what it has missed.
func (n *testNode) rounds() {
	n.w.t.Helper()
	for range catchUps {
		n.round()
	}
}

func (n *testNode) round() {
	n.w.t.Helper()
	if err := n.catchUp(n.w.t.Context()); err != nil {
		n.w.t.Fatalf("catchUp: %v", err)
	}
}

// entry writes an entry of the stream.
func (w *world) entry(id string, edges ...string) {
	w.t.Helper()
	if err := w.client.XAdd(w.t.Context(), &redis.XAddArgs{
		Stream: "t:edges", ID: id, Values: []any{"e", strings.Join(edges, "\n")},
	}).Err(); err != nil {
		w.t.Fatal(err)
	}
}

// The stream may have been too short for what was missed, or have gone with all other
// data: then watchers are told how things are, and rooms who is in them.
func TestMissed_TellsEverythingWhenTheStreamIsTooShort(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.node("a", Policy{})
		a.set("u1", true, "r", "s")
		a.set("u2", true)
		b, told := w.gone("b", Config{})
		b.watched = []string{"u2", "u3", "u4"}
		b.states["u4"] = State{Here: true, Name: "Four"} // not written yet
		w.client.Del(t.Context(), "t:edges")
		b.rounds()
		if got := told(); len(got) > 0 {
			t.Errorf("as long as others may keep edges it tells %q, want nothing", got)
		}
		b.fresh.Store(true)
		b.round()
		if got := told(); len(got) > 0 {
			t.Errorf("while others may not be back it tells %q, want nothing", got)
		}
		b.fresh.Store(false)
		b.round()
		want := []string{"u1 online watchers r,s", "u2 online watchers", "u3 offline watchers", "u4 online watchers"}
		if got := told(); !slices.Equal(got, want) {
			t.Errorf("it tells %q, want %q", got, want)
		}
		b.round()
		if got := told(); len(got) > 0 {
			t.Errorf("afterwards it tells %q, want nothing", got)
		}
	})
}

// An edge that is older than the gap shows that the stream has all of it.
func TestMissed_TellsNothingElseWhenTheStreamHasAll(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.entry("1-1", `{"i":"old","u":"u1","o":true,"w":true}`)
		a := w.node("a", Policy{})
		a.set("u1", true)
		b, told := w.gone("b", Config{})
		b.watched = []string{"u2", "u3"}
		b.rounds()
		if got, want := told(), []string{"u1 online watchers"}; !slices.Equal(got, want) {
			t.Errorf("it tells %q, want %q", got, want)
		}
		b.round()
		if got := told(); len(got) > 0 {
			t.Errorf("afterwards it tells %q, want nothing", got)
		}
	})
}

// Two minutes of 70 edges a second are kept, and read.
func TestMissed_StreamIsLongEnough(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.entry("1-1")
		a, _ := w.gone("a", Config{})
		const edges = 70 * 115
		for i := range edges {
			a.note([]string{fmt.Sprintf(`{"i":"a/%d","u":"u%d","w":true}`, i, i)})
			if err := a.keepEdges(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		b, told := w.gone("b", Config{})
		b.round()
		if got := told(); len(got) != edges || b.gap.blind {
			t.Errorf("of %d edges it reads %d, and misses some: %v", edges, len(got), b.gap.blind)
		}
	})
}

// More than can be told one by one is compared.
func TestMissed_TooMuchIsCompared(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.entry("1-1")
		var edges []string
		for i := range maxMissed + 1 {
			edges = append(edges, fmt.Sprintf(`{"i":"a/%d","u":"u%d","w":true}`, i, i))
		}
		w.entry("*", edges...)
		b, told := w.gone("b", Config{})
		b.watched = []string{"u3"}
		b.rounds()
		b.round()
		if got, want := told(), []string{"u3 offline watchers"}; !slices.Equal(got, want) {
			t.Errorf("it tells %d edges, such as %q; want %q", len(got), got[:min(len(got), 5)], want)
		}
	})
}

// After a failover Redis may lack who is online, until its node has compared.
func TestMissed_NobodyIsOfflineUntilNodesHaveCompared(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.entry("1-1")
		w.entry("*", `{"i":"a/1","u":"u1","o":true,"w":true}`)
		servers := int64(1)
		b, told := w.gone("b", Config{Servers: func() int64 { return servers }})
		b.watched = []string{"u1"}
		b.rounds()
		b.round()
		if got := told(); len(got) > 0 {
			t.Errorf("right after a failover it tells %q, want nothing", got)
		}
		b.changed.Store(0) // some time later
		w.node("a", Policy{}).set("u1", true)
		b.round()
		if got, want := told(), []string{"u1 online watchers"}; !slices.Equal(got, want) {
			t.Errorf("when nodes have compared it tells %q, want %q", got, want)
		}
	})
}

// Nor does anybody clean up until then.
func TestReap_WaitsForTheOthersAfterAFailover(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.node("a", Policy{}).set("u1", true)
		w.edges("u1 online watchers")
		servers := int64(1)
		b := w.stillNode("b", Config{Prefix: "t:", Servers: func() int64 { return servers }})
		w.dead = []string{"a"}
		if err := b.reapEnded(t.Context()); err != nil || b.Stats().Reaped != 0 {
			t.Fatalf("reapEnded right after a failover = %v, %d users; want none", err, b.Stats().Reaped)
		}
		b.changed.Store(0)
		if err := b.reapEnded(t.Context()); err != nil || b.Stats().Reaped != 1 {
			t.Errorf("reapEnded later = %v, %d users; want one", err, b.Stats().Reaped)
		}
		w.edges("u1 online watchers", "u1 offline watchers")
	})
}

// A user comes back at another node, and a failover loses that: the node that it has
// left says nothing until the other one has compared.
func TestPresence_NobodyGoesOfflineUntilNodesHaveCompared(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		servers := atomic.Int64{}
		a := w.nodeOf("a", Config{Prefix: "t:", Servers: servers.Load})
		b := w.node("b", Policy{})
		a.set("u1", true)
		b.set("u1", true)
		w.edges("u1 online watchers")
		w.client.HDel(t.Context(), "t:presence:{u1}", "b") // what the new master lacks
		servers.Add(1)
		a.mu.Lock()
		delete(a.states, "u1")
		a.states["u2"] = State{Here: true, Name: "Two"}
		a.mu.Unlock()
		a.Changed("u1")
		a.Changed("u2") // is written, and u1 would be before it
		w.edges("u1 online watchers", "u2 online watchers")
		b.Changed("u1")
		b.settle()
		a.changed.Store(0) // some time later
		redistest.Eventually(t, patience, func() error {
			if fields := w.client.HKeys(t.Context(), "t:presence:{u1}").Val(); !slices.Equal(fields, []string{"b"}) {
				return fmt.Errorf("u1 is at %q, want b", fields)
			}
			return nil
		})
		w.edges("u1 online watchers", "u2 online watchers")
	})
}

func TestKeepEdges_StreamIsTrimmed(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		for i := range 300 {
			w.entry(fmt.Sprintf("1-%d", i+1), "old")
		}
		a := w.stillNode("a", Config{Prefix: "t:"})
		a.note([]string{"new"})
		for _, step := range []func() error{
			func() error { return a.keepEdges(t.Context()) }, func() error { return a.trimEdges(t.Context()) },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.client.XLen(t.Context(), "t:edges").Val(); n > 101 { // Redis drops a hundred at a time
			t.Errorf("%d entries are left, want the old ones dropped", n)
		}
		if ttl := w.client.PTTL(t.Context(), "t:edges").Val(); ttl < edgesIdle-time.Minute {
			t.Errorf("the stream goes after %v, want %v", ttl, edgesIdle)
		}
	})
}

func TestKeepEdges_EntriesAndStreamAreBounded(t *testing.T) {
	t.Parallel()
	small, big := strings.Repeat("s", 10), strings.Repeat("b", 3*entryBytes)
	for name, tt := range map[string]struct {
		edges []string
		want  int
	}{
		"one":             {[]string{small}, 1},
		"a few":           {[]string{small, small, small}, 3},
		"many":            {slices.Repeat([]string{small}, 100), edgesPerEntry},
		"one that is big": {[]string{big, small}, 1},
		"up to a big one": {[]string{small, small, big}, 2},
	} {
		if got := entrySize(tt.edges); got != tt.want {
			t.Errorf("%s: an entry has %d edges, want %d", name, got, tt.want)
		}
	}
	w := newWorld(t, redistest.Start(t).Addr())
	a := w.stillNode("a", Config{Prefix: "t:"})
	for range 3 {
		for range 4000 {
			a.note([]string{strings.Repeat("x", entryBytes)})
		}
		if err := a.keepEdges(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.client.XLen(t.Context(), "t:edges").Val(); n < keptEntries || n > keptEntries+200 {
		t.Errorf("the stream has %d entries, want about %d", n, keptEntries)
	}
}
