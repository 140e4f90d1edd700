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
