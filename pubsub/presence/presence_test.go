package presence

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ginforge/gateway/pubsub/redistest"
)

func TestPresence_TwoNodesOneEdge(t *testing.T) {
	onEach(t, func(_ *testing.T, w *world) {
		a, b := w.node("a", Policy{}), w.node("b", Policy{})
		a.set("u1", true)
		b.set("u1", true)
		a.set("u1", false)
		w.edges("u1 online watchers")
		b.set("u1", false)
		w.edges("u1 online watchers", "u1 offline watchers")
		if n := w.client.Exists(w.t.Context(), "t:presence:{u1}").Val(); n != 0 {
			t.Error("the hash of a user who is offline is still there")
		}
	})
}

func TestPresence_OnlineAnywhere(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a, b := w.node("a", Policy{}), w.node("b", Policy{})
		a.set("u1", true)
		got, err := b.Online(t.Context(), []string{"u0", "u1"})
		if err != nil || !slices.Equal(got, []bool{false, true}) {
			t.Errorf("Online = %v, %v; want u1 alone", got, err)
		}
		if got, err := b.Online(t.Context(), nil); err != nil || len(got) != 0 {
			t.Errorf("Online of nobody = %v, %v", got, err)
		}
	})
}

func TestPresence_RoomsAreTold(t *testing.T) {
	onEach(t, func(_ *testing.T, w *world) {
		a, b := w.node("a", Policy{}), w.node("b", Policy{})
		a.set("u1", true, "r1", "r2")
		w.edges("u1 online watchers r1,r2")
		b.set("u1", true, "r2", "r3") // r2 knows already
		w.edges("u1 online watchers r1,r2", "u1 online r3 except r1,r2")
		b.set("u1", true, "r3", "r2") // the same
		a.set("u1", true, "r2")       // left r1
		a.set("u1", true, "r1", "r2") // and came again
		w.edges("u1 online watchers r1,r2", "u1 online r3 except r1,r2", "u1 online r1 except r2,r3")
		a.set("u1", false)
		b.set("u1", false)
		w.edges("u1 online watchers r1,r2", "u1 online r3 except r1,r2", "u1 online r1 except r2,r3",
			"u1 offline watchers r1,r2,r3")
	})
}

// Names and rooms may hold anything but control characters.
func TestPresence_NamesArriveAsTheyAre(t *testing.T) {
	onEach(t, func(_ *testing.T, w *world) {
		a := w.node("a", Policy{})
		user := `ü{1}"\'`
		a.set(user, true, `r "1"\`, "房间")
		a.set(user, false)
		w.edges(user+` online watchers r "1"\,房间`, user+` offline watchers r "1"\,房间`)
		w.mu.Lock()
		defer w.mu.Unlock()
		if got := w.heard[0].Name; got != "Name of "+user {
			w.t.Errorf("the name is %q", got)
		}
	})
}

// A node dies with 500 users, most come back at another, some do not: only those
// are told of, once.
func TestPresence_DeadNode(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a, b := w.node("a", Policy{}), w.node("b", Policy{})
		users := make([]string, 500)
		a.mu.Lock()
		for i := range users {
			users[i] = fmt.Sprintf("u%03d", i)
			a.states[users[i]] = State{Here: true, Name: "x", Rooms: []string{"r"}}
		}
		a.mu.Unlock()
		a.Again(true) // nobody is told
		a.settle()
		w.edges()
		a.stop()
		b.mu.Lock()
		for _, u := range users[2:] {
			b.states[u] = State{Here: true, Name: "x", Rooms: []string{"r"}}
		}
		b.mu.Unlock()
		b.Again(false)
		b.settle()
		w.edges() // they were online all the time
		w.mu.Lock()
		w.dead = []string{"a"}
		w.mu.Unlock()
		redistest.Eventually(t, patience, func() error {
			if got := b.Stats().Reaped; got != 500 {
				return fmt.Errorf("%d users taken off, want 500", got)
			}
			return nil
		})
		redistest.Eventually(t, patience, func() error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(w.heard) != 2 {
				return fmt.Errorf("%d edges, want 2", len(w.heard))
			}
			return nil
		})
		w.mu.Lock()
		got := []string{w.heard[0].String(), w.heard[1].String()}
		w.mu.Unlock()
		slices.Sort(got)
		if want := []string{"u000 offline watchers r", "u001 offline watchers r"}; !slices.Equal(got, want) {
			t.Errorf("edges %q, want %q", got, want)
		}
		redistest.Eventually(t, patience, func() error {
			keys, err := w.keys(t.Context())
			if err == nil && len(keys) != 500 { // 498 users, the set of b, and the edges
				err = fmt.Errorf("%d keys are left, want 500", len(keys))
			}
			return err
		})
	})
}

// What Redis has forgotten is written again when it is back, and what it should
// have forgotten is removed.
func TestPresence_ComparedAgainWhenRedisIsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redistest.Start(t).Addr())
	a := w.node("a", Policy{})
	a.set("u1", true)
	w.edges("u1 online watchers")
	ctx := t.Context()
	w.client.Del(ctx, "t:presence:{u1}")
	w.client.HSet(ctx, "t:presence:{u2}", "a", "\n\nName of u2")
	w.client.SAdd(ctx, "t:online:a", "u2")
	if err := a.verify(ctx); err != nil {
		t.Fatalf("verify: %v", err)
	}
	a.settle()
	got, err := a.Online(ctx, []string{"u1", "u2"})
	if err != nil || !slices.Equal(got, []bool{true, false}) {
		t.Errorf("Online = %v, %v; want u1 alone", got, err)
	}
}

// While Redis is away changes gather, a user counts once, and then all is written.
func TestPresence_RedisAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	w := newWorld(t, server.Addr())
	a := w.node("a", Policy{})
	a.set("u1", true)
	server.Kill()
	a.mu.Lock()
	a.states["u2"] = State{Here: true, Name: "x"}
	a.mu.Unlock()
	for range 1000 {
		a.Changed("u2")
	}
	redistest.Eventually(t, patience, func() error {
		if s := a.Stats(); s.Failures == 0 || s.Waiting > 1 {
			return fmt.Errorf("%+v: want a failure, and u2 waiting", s)
		}
		return nil
	})
	server.Restart()
	redistest.Eventually(t, patience, func() error {
		got, err := a.Online(t.Context(), []string{"u2"})
		if err == nil && !got[0] {
			err = errors.New("u2 is not online")
		}
		return err
	})
}
