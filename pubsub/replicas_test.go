package pubsub

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/ginforge/gateway/pubsub/redistest"
	"github.com/ginforge/gateway/pubsub/stream"
)

// TestBus_AppendWaitsForReplicas: what is acknowledged is at the replica. What
// is not may be appended again under its key, until it is.
func TestBus_AppendWaitsForReplicas(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.StartReplica(t, master)
	cfg := testConfig(master.URL())
	cfg.WaitReplicas = 1
	b := connected(t, cfg, nil)
	m := stream.Append{Key: stream.Key{Name: "r"}, Rules: logRules, Payload: []byte("x"), Dedupe: "first"}
	if _, err := b.append(t, m); err != nil && !errors.Is(err, ErrReplicas) { // the script was new to Redis
		t.Fatal(err)
	}
	for i := range 20 {
		m.Dedupe = strconv.Itoa(i)
		taken, err := b.append(t, m)
		if err != nil {
			t.Fatal(err)
		}
		if got := replica.CLI("HGET", "websocket:log:{room:r}:meta", "o"); got != fmt.Sprint(taken.Offset) {
			t.Errorf("message %d is acknowledged, the replica has %s", taken.Offset, got)
		}
	}

	replica.Pause()
	m.Dedupe = "once more"
	unsure, err := b.append(t, m)
	if !errors.Is(err, ErrReplicas) || errors.Is(err, ErrAway) || unsure.Offset == 0 {
		t.Errorf("Append without a replica = %+v, %v, want ErrReplicas", unsure, err)
	}
	if _, err = b.append(t, m); !errors.Is(err, ErrReplicas) {
		t.Errorf("the same again = %v, want ErrReplicas", err)
	}
	if err = b.publish(t, KindRoom, "r", "x"); err != nil {
		t.Errorf("Publish without a replica = %v", err)
	}
	replica.Resume()
	again, err := b.append(t, m)
	if err != nil || !again.Duplicate || again.Position != unsure.Position {
		t.Errorf("with the replica back = %+v, %v, want the duplicate of %+v", again, err, unsure)
	}
}

func TestBus_AppendWaitsForReplicasInACluster(t *testing.T) {
	t.Parallel()
	c, names := redistest.StartCluster(t, 3, 1), logNames(30)
	cfg := clusterConfig(c)
	cfg.WaitReplicas = 1
	b := connected(t, cfg, nil)
	answers := newTally()
	for i := range 10 * len(names) {
		done := answers.done(i)
		m := stream.Append{Key: stream.Key{Name: names[i%len(names)]}, Rules: logRules, Payload: []byte("x")}
		if err := b.Append(m, func(_ stream.Appended, err error) { done(err) }); err != nil {
			t.Fatal(err)
		}
	}
	redistest.Eventually(t, patience, func() error { return answers.onceEach(10 * len(names)) })
	if n := answers.count(""); n != 10*len(names) {
		t.Errorf("%d were acknowledged: %v", n, answers.errs)
	}
	for _, name := range names {
		key := "websocket:log:{room:" + name + "}:meta"
		replica := c.Replicas[c.Primary(key)][0]
		if got := replica.CLI("CLUSTER", "COUNTKEYSINSLOT", strconv.Itoa(c.Slot(key))); got == "0" {
			t.Errorf("the replica has nothing of %s", name)
		}
	}
}
