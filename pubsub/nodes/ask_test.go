package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// echo answers with its node and its argument.
func echo(n *testNode) {
	n.Handle("echo", func(_ context.Context, args json.RawMessage) (any, error) {
		var text string
		if err := json.Unmarshal(args, &text); err != nil {
			return nil, err
		}
		if text == "fail" {
			return nil, errors.New("as asked")
		}
		return n.ID() + " " + text, nil
	})
}

func TestRegistry_AskAll(t *testing.T) {
	onEach(t, func(t *testing.T, addr string) {
		nodes := []*testNode{start(t, addr, "a", echo), start(t, addr, "b", echo), start(t, addr, "c", echo)}
		nodes[0].sees(t, "b", "c")
		got, err := nodes[0].AskAll(t.Context(), "echo", "hi")
		if err != nil {
			t.Fatalf("AskAll: %v", err)
		}
		var texts []string
		for _, a := range got.Answers {
			texts = append(texts, string(a.Data))
		}
		slices.Sort(texts)
		if want := []string{`"a hi"`, `"b hi"`, `"c hi"`}; !slices.Equal(texts, want) || len(got.Missing) > 0 {
			t.Errorf("answers %q, missing %q; want %q and none", texts, got.Missing, want)
		}
		nodes[0].sees(t, "b", "c") // who renews late is not there for a moment
		if data, err := nodes[0].Ask(t.Context(), "b", "echo", "you"); err != nil || string(data) != `"b you"` {
			t.Errorf("Ask(b) = %s, %v", data, err)
		}
		nodes[0].sees(t, "b", "c")
		if _, err := nodes[0].Ask(t.Context(), "b", "echo", "fail"); err == nil || err.Error() != "as asked" {
			t.Errorf("Ask(b) of what fails = %v, want b's own words", err)
		}
		if _, err := nodes[0].Ask(t.Context(), "x", "echo", ""); !errors.Is(err, ErrNoNode) {
			t.Errorf("Ask(x) = %v, want ErrNoNode", err)
		}
		nodes[0].sees(t, "b", "c")
		if _, err := nodes[0].Ask(t.Context(), "b", "nonsense", ""); err == nil || !strings.Contains(err.Error(), ErrUnknownOp.Error()) {
			t.Errorf("Ask for nonsense = %v, want unknown operation", err)
		}
	})
}

// Who does not answer is named, and the others' answers are there in time.
func TestRegistry_SilentNodeIsMissing(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t).Addr()
	a := start(t, addr, "a", func(n *testNode) {
		n.cfg.AnswerTimeout = 2 * time.Second
		echo(n)
	})
	release := make(chan struct{})
	start(t, addr, "b", func(n *testNode) {
		n.Handle("echo", func(ctx context.Context, _ json.RawMessage) (any, error) {
			<-release
			return nil, ctx.Err()
		})
	})
	defer close(release)
	a.sees(t, "b")
	began := time.Now()
	got, err := a.AskAll(t.Context(), "echo", "hi")
	if err != nil || len(got.Answers) != 1 || !slices.Equal(got.Missing, []string{"b"}) {
		t.Errorf("AskAll = %+v, %v; want a's answer, and b missing", got, err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("AskAll took %v", took)
	}
}

func TestRegistry_TellAll(t *testing.T) {
	onEach(t, func(t *testing.T, addr string) {
		told := make(chan string, 10)
		hear := func(n *testNode) {
			n.Handle("note", func(context.Context, json.RawMessage) (any, error) {
				told <- n.ID()
				return nil, nil
			})
		}
		a := start(t, addr, "a", hear)
		b := start(t, addr, "b", hear)
		if err := a.TellAll(t.Context(), "note", 1); err != nil {
			t.Fatalf("TellAll: %v", err)
		}
		got := []string{<-told, <-told}
		if slices.Sort(got); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("told were %q, want each node once", got)
		}
		if err := b.Tell(t.Context(), "a", "note", 1); err != nil || <-told != "a" {
			t.Errorf("Tell(a) = %v", err)
		}
	})
}
