package sequencer

import (
	"errors"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/stream"
)

// TestWorker_WaitsForReplicasForAWhile: what replicas lack is kept in memory, but
// not for ever. A server without any changes nothing for the others.
func TestWorker_WaitsForReplicasForAWhile(t *testing.T) {
	t.Parallel()
	confirmed, lacking, away := stream.Result{Server: "a"}, stream.Result{Server: "a", Err: stream.ErrReplicas}, stream.Result{Server: "a", Err: errors.New("away")}
	other, lonely := stream.Result{Server: "b"}, stream.Result{Server: "b", Err: stream.ErrReplicas}
	w := newWorker(nil)
	start := time.Now()
	for _, step := range []struct {
		after   time.Duration
		results []stream.Result
		a, b    bool // whether their replicas would be waited for
	}{
		{0, []stream.Result{confirmed, lonely}, false, true}, // nobody asks for a's
		{time.Second, []stream.Result{confirmed, lacking}, true, true},
		{replicaPatience, []stream.Result{lacking, lonely}, true, false},
		{replicaPatience + time.Second, []stream.Result{away, lacking}, false, false},
		{replicaPatience + 2*time.Second, []stream.Result{away}, false, false},
		{replicaPatience + 3*time.Second, []stream.Result{lacking, other}, false, false},
		{replicaPatience + 4*time.Second, []stream.Result{confirmed, lonely}, false, true},
		{replicaPatience + 5*time.Second, []stream.Result{lacking}, true, true},
	} {
		now := start.Add(step.after)
		w.confirm(step.results, now)
		if a, b := w.patient("a", now), w.patient("b", now); a != step.a || b != step.b {
			t.Errorf("patient after %v = %v, %v, want %v, %v", step.after, a, b, step.a, step.b)
		}
	}
	w.confirm([]stream.Result{confirmed, other}, start)
	if len(w.unconfirmed) > 0 {
		t.Errorf("keeps %v of servers that are well", w.unconfirmed)
	}
}

// TestWorker_LaterChain: what a log refuses since it has numbers of a later chain
// is given up, and said to be; what it has already is not.
func TestWorker_LaterChain(t *testing.T) {
	t.Parallel()
	s := &Sequencer{}
	w := newWorker(s)
	mine := Item{Number: Number{Chain: 7, Count: 3}}
	var o outcome
	for _, last := range []string{"", Number{7, 9}.String(), Number{6, 9}.String(), Number{8, 1}.String()} {
		w.judge(&o, place{partition: 2}, mine, stream.Result{Appended: stream.Appended{Duplicate: true, Last: last}})
	}
	if o.later[2] != 8 {
		t.Errorf("the later chain is %d, want 8", o.later[2])
	}
	if got := s.Stats(); got.Duplicates != 3 || got.Unidentified != 1 {
		t.Errorf("Stats = %+v, want 3 duplicates and 1 that was given up", got)
	}
}
