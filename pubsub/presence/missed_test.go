package presence

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// cutOff is a node that a test cuts off from what others publish.
type cutOff struct {
	*testNode
	connects  atomic.Int64
	connected atomic.Bool

	mu     sync.Mutex
	missed []string // guarded by mu
}

func (w *world) cutOffNode(life string) *cutOff {
	w.t.Helper()
	n := &cutOff{}
	n.connects.Store(1)
	n.connected.Store(true)
	n.testNode = w.nodeOf(life, Config{
		Prefix: "t:", Connects: n.connects.Load, Connected: n.connected.Load,
		Missed: func(edges []Edge) {
			n.mu.Lock()
			defer n.mu.Unlock()
			for _, e := range edges {
				n.missed = append(n.missed, e.String())
			}
		},
	})
	// Its goroutine has noted that all is well.
	n.set("nobody", false)
	return n
}

func (n *cutOff) back() {
	n.connects.Add(1)
	n.connected.Store(true)
}

// hears waits for exactly these edges.
func (n *cutOff) hears(want ...string) {
	n.w.t.Helper()
	redistest.Eventually(n.w.t, patience, func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if !slices.Equal(n.missed, want) {
			return fmt.Errorf("it has read %q, want %q", n.missed, want)
		}
		return nil
	})
}

func TestMissed_ANodeThatIsBackLearnsHowThingsAre(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a, b := w.node("a", Policy{}), w.cutOffNode("b")
		b.connected.Store(false)
		a.set("u1", true)
		a.set("u2", true, "r")
		a.set("u1", false)
		a.set("u3", true)
		w.edges("u1 online watchers", "u2 online watchers r", "u1 offline watchers", "u3 online watchers")
		b.hears()
		b.back()
		b.hears("u2 online watchers r", "u1 offline watchers", "u3 online watchers")
	})
}

// What a node could not keep while it was cut off itself is read when it could.
func TestMissed_WhatIsKeptLate(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a, b := w.node("a", Policy{}), w.cutOffNode("b")
		b.connected.Store(false)
		b.back()
		a.set("u1", true)
		b.hears("u1 online watchers")
	})
}

// Two nodes may keep their edges in another order than they published them in.
func TestMissed_TellsWatchersWhatIs(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a, b := w.node("a", Policy{}), w.cutOffNode("b")
		a.set("u1", true, "r")
		b.connected.Store(false)
		if err := w.client.XAdd(t.Context(), &redis.XAddArgs{
			Stream: "t:edges", Values: []any{"e", `{"i":"x","u":"u1","n":"U","o":false,"w":true,"r":["r"]}` + "\nnonsense"},
		}).Err(); err != nil {
			t.Fatal(err)
		}
		b.back()
		b.hears("u1 online watchers")
	})
}

func TestLatest(t *testing.T) {
	t.Parallel()
	on := func(user string, watchers bool, rooms ...string) Edge {
		return Edge{User: user, Online: true, Watchers: watchers, Rooms: rooms}
	}
	off := func(user string, rooms ...string) Edge { return Edge{User: user, Watchers: true, Rooms: rooms} }
	for name, tt := range map[string]struct {
		edges []Edge
		want  []string
	}{
		"none":                          {nil, nil},
		"the last one counts":           {[]Edge{on("u", true), off("u")}, []string{"u offline watchers"}},
		"users are apart":               {[]Edge{on("u", true), off("v")}, []string{"u online watchers", "v offline watchers"}},
		"rooms are apart from watchers": {[]Edge{on("u", true), on("u", false, "r")}, []string{"u online watchers", "u online r"}},
		"each room by itself":           {[]Edge{on("u", true, "r", "s"), on("u", false, "s")}, []string{"u online watchers r", "u online s"}},
		"the end tells all":             {[]Edge{on("u", true, "r"), on("u", false, "s"), off("u", "r", "s")}, []string{"u offline watchers r,s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, e := range latest(tt.edges) {
				got = append(got, e.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("latest is %q, want %q", got, tt.want)
			}
		})
	}
}

// Whoever compares does not know, when the answer is lost, whether others were told.
func TestCompare_TellsAgainWhenTheAnswerWasLost(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.node("a", Policy{})
		a.set("u1", true, "r")
		a.set("u2", true)
		a.set("u2", false)
		w.edges("u1 online watchers r", "u2 online watchers", "u2 offline watchers")
		again := []change{
			{user: "u1", state: a.State("u1"), news: news{unsure: true}},
			{user: "u2", state: a.State("u2"), news: news{unsure: true}},
		}
		if err := a.compare(t.Context(), "a", again); err != nil {
			t.Fatal(err)
		}
		w.edges("u1 online watchers r", "u2 online watchers", "u2 offline watchers", "u1 online watchers r", "u2 offline watchers")
	})
}

func TestUnkept_IsBounded(t *testing.T) {
	t.Parallel()
	p := &Presence{}
	for i := range maxUnkept + 10 {
		p.note([]string{fmt.Sprint(i)})
	}
	if n := len(p.unkept); n != maxUnkept || p.unkept[0] != "10" {
		t.Errorf("%d edges wait from %s on, want the latest %d", n, p.unkept[0], maxUnkept)
	}
}

// A node that cleans up after another numbers its edges as the dead one has numbered
// its own; they must not be taken for copies of those.
func TestEdges_OfADeadNodeAndItsUndertakerDiffer(t *testing.T) {
	onEach(t, func(_ *testing.T, w *world) {
		a := w.node("a", Policy{})
		a.set("u1", true)
		w.edges("u1 online watchers")
		a.stop()
		b := w.node("b", Policy{})
		if _, err := b.reapLife(w.t.Context(), "a"); err != nil {
			w.t.Fatalf("reapLife: %v", err)
		}
		w.edges("u1 online watchers", "u1 offline watchers")
	})
}
