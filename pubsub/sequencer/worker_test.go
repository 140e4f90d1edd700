package sequencer

import (
	"errors"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/stream"
)

// TestWorker_WaitsForReplicasForAWhile: what replicas lack is kept in memory, but
// not for ever.
func TestWorker_WaitsForReplicasForAWhile(t *testing.T) {
	t.Parallel()
	confirmed, lacking, away := stream.Result{}, stream.Result{Err: stream.ErrReplicas}, stream.Result{Err: errors.New("away")}
	var w worker
	start := time.Now()
	for _, step := range []struct {
		after   time.Duration
		results []stream.Result
		want    bool
	}{
		{0, []stream.Result{confirmed}, false}, // nobody asks
		{time.Second, []stream.Result{confirmed, lacking}, true},
		{replicaPatience, []stream.Result{lacking}, true},
		{replicaPatience + time.Second, []stream.Result{away, lacking}, false},
		{replicaPatience + 2*time.Second, []stream.Result{away}, false},
		{replicaPatience + 3*time.Second, []stream.Result{lacking}, false},
		{replicaPatience + 4*time.Second, []stream.Result{confirmed}, false},
		{replicaPatience + 5*time.Second, []stream.Result{lacking}, true},
	} {
		if got := w.patient(step.results, start.Add(step.after)); got != step.want {
			t.Errorf("patient after %v = %v, want %v", step.after, got, step.want)
		}
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
