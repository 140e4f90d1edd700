package presence

import (
	"fmt"
	"slices"
	"testing"
)

// corrects has a node look at what it has guessed.
func (n *testNode) corrects() {
	n.w.t.Helper()
	if err := n.correctGuesses(n.w.t.Context()); err != nil {
		n.w.t.Fatalf("correctGuesses: %v", err)
	}
}

// Whom clients believe to be offline because their node could not ask is told to them
// when it can, once, if it is online elsewhere.
func TestGuessed_IsCorrected(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		hook := &noAnswer{command: "hvals"}
		w.client.AddHook(hook)
		w.node("a", Policy{}).set("u1", true, "r")
		b, told := w.gone("b", Config{})
		b.states["u3"] = State{Here: true, Name: "Three"} // came since
		b.Guessed([]string{"u1", "u2", "u3"})
		if err := b.correctGuesses(t.Context()); err == nil {
			t.Error("correctGuesses does not say that Redis did not answer")
		}
		hook.command = ""
		b.corrects()
		if got, want := told(), []string{"u1 online watchers r", "u3 online watchers"}; !slices.Equal(got, want) {
			t.Errorf("it tells %q, want %q", got, want)
		}
		b.corrects()
		if got := told(); len(got) > 0 || len(b.guessed) > 0 {
			t.Errorf("afterwards it tells %q, want nothing, and keeps %v in mind, want nobody", got, b.guessed)
		}
	})
}

// Who looks offline while others may not have been written again is asked about later.
func TestGuessed_IsAskedAboutUntilItIsCertain(t *testing.T) {
	for name, doubt := range map[string]func(b *testNode, yes bool){
		"Redis has failed over": func(b *testNode, yes bool) {
			b.changed.Store(0)
			if yes {
				b.servers.Store(-1) // another number than is counted
			}
		},
		"others may not be back": func(b *testNode, yes bool) { b.fresh.Store(yes) },
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, w *world) {
				b, told := w.gone("b", Config{})
				b.Guessed([]string{"u1"})
				doubt(b, true)
				b.corrects()
				w.node("a", Policy{}).set("u1", true)
				doubt(b, false)
				b.corrects()
				if got, want := told(), []string{"u1 online watchers"}; !slices.Equal(got, want) {
					t.Errorf("it tells %q, want %q", got, want)
				}
			})
		})
	}
}

// As long as it is not certain, who looks offline is asked about only now and then.
func TestGuessed_IsAskedAboutNowAndThen(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		b, told := w.gone("b", Config{})
		b.fresh.Store(true)
		b.Guessed([]string{"u1"})
		b.corrects()
		w.node("a", Policy{}).set("u1", true)
		for look := 1; look < askAgain; look++ {
			if b.corrects(); b.looks%askAgain == 0 {
				break
			}
			if got := told(); len(got) > 0 {
				t.Errorf("at look %d it tells %q, want nothing yet", b.looks, got)
			}
		}
		if got, want := told(), []string{"u1 online watchers"}; !slices.Equal(got, want) {
			t.Errorf("then it tells %q, want %q", got, want)
		}
	})
}

// In a Cluster a master that does not answer keeps no others from being corrected.
func TestGuessed_OneMasterIsAway(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.node("a", Policy{})
		a.set("u1", true)
		a.set("u2", true)
		b, told := w.gone("b", Config{})
		w.client.Set(t.Context(), "t:presence:{u1}", "no hash", 0) // HVALS is refused
		b.Guessed([]string{"u1", "u2"})
		if err := b.correctGuesses(t.Context()); err == nil {
			t.Error("correctGuesses does not say that u1 could not be asked about")
		}
		if got, want := told(), []string{"u2 online watchers"}; !slices.Equal(got, want) {
			t.Errorf("it tells %q, want %q", got, want)
		}
		if _, kept := b.guessed["u1"]; !kept || len(b.guessed) != 1 {
			t.Errorf("it keeps %v in mind, want u1", b.guessed)
		}
	})
}

// A guess that was made while Redis was asked is kept.
func TestGuessed_AGuessSinceIsKept(t *testing.T) {
	t.Parallel()
	p := &Presence{guessed: map[string]uint64{}}
	p.Guessed([]string{"u1", "u2"})
	upTo := p.guesses
	p.Guessed([]string{"u1"})
	p.forgetGuesses([]Edge{{User: "u1"}, {User: "u2"}}, upTo)
	if _, kept := p.guessed["u1"]; !kept || len(p.guessed) != 1 {
		t.Errorf("it keeps %v in mind, want u1", p.guessed)
	}
}

// What is kept in mind is bounded: with more, everything is told as it is.
func TestGuessed_IsBounded(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		b, _ := w.gone("b", Config{})
		users := make([]string, maxGuessed+1)
		for i := range users {
			users[i] = fmt.Sprint("u", i)
		}
		b.Guessed(users[:maxGuessed])
		b.Guessed(users[:1]) // known
		if b.guessedMore {
			t.Error("as many as it may keep are too many")
		}
		b.Guessed(users[maxGuessed:])
		if len(b.guessed) != maxGuessed || !b.guessedMore {
			t.Errorf("it keeps %d in mind, and knows of more: %v, want %d, true", len(b.guessed), b.guessedMore, maxGuessed)
		}
	})
}
