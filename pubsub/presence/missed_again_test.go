package presence

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// noAnswer is a hook that leaves pipelines that begin with a command without an answer.
type noAnswer struct{ command string } // "": all are answered

func (h *noAnswer) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *noAnswer) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h *noAnswer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		if len(commands) > 0 && commands[0].Name() == h.command {
			err := errors.New("no answer")
			for _, c := range commands {
				c.SetErr(err)
			}
			return err
		}
		return next(ctx, commands)
	}
}

// What was read from the stream is read again when Redis did not say how things are now.
func TestMissed_IsReadAgainAfterAFailure(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.entry("1-1")
		a := w.node("a", Policy{})
		a.set("u1", true)
		hook := &noAnswer{}
		w.client.AddHook(hook)
		b, told := w.gone("b", Config{})
		hook.command = "exists"
		if err := b.catchUp(t.Context()); err == nil {
			t.Fatal("catchUp does not say that Redis did not answer")
		}
		hook.command = ""
		b.rounds()
		if got, want := told(), []string{"u1 online watchers"}; !slices.Equal(got, want) {
			t.Errorf("it tells %q, want %q", got, want)
		}
	})
}

// Whoever reads the mark of an edge that was too big has everything told.
func TestMissed_ABigEdgeIsCompared(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.entry("1-1")
		a := w.stillNode("a", Config{Prefix: "t:"})
		a.note([]string{`{"i":"a/1","u":"u1","n":"` + strings.Repeat("n", entryBytes) + `","w":true}`})
		if err := a.keepEdges(t.Context()); err != nil {
			t.Fatal(err)
		}
		b, told := w.gone("b", Config{})
		b.watched = []string{"u1"}
		b.rounds()
		b.round()
		if got, want := told(), []string{"u1 offline watchers"}; !slices.Equal(got, want) {
			t.Errorf("it tells %q, want %q", got, want)
		}
	})
}

// The edge behind one that was told late may have come on its channel before that: then
// it is told again, as if it were new.
func TestGap_CorrectsWhatWasToldLate(t *testing.T) {
	t.Parallel()
	var g gap
	on, off := Edge{ID: "1", User: "u", Online: true}, Edge{ID: "2", User: "u"}
	if got := g.correct([]Edge{on, {ID: "3", User: "v"}}); got[0].ID != "1" || got[1].ID != "3" {
		t.Errorf("the first round tells %+v, want it as it is", got)
	}
	if got := g.correct([]Edge{off})[0]; got.ID != "" || got.Online {
		t.Errorf("the next round tells %+v, want it as a new one", got)
	}
	if got := g.correct([]Edge{off})[0]; got.ID != "2" {
		t.Errorf("the same once more is %+v, want it as it is", got)
	}
}
