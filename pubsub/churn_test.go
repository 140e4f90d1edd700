package pubsub

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// TestBus_ChurnEndsAsWanted has many rooms come and go, while Redis is killed
// and started again, and compares what Redis says with what was wanted last.
func TestBus_ChurnEndsAsWanted(t *testing.T) {
	const workers, rooms, kills = 4, 50, 4
	server := redistest.Start(t)
	cfg := testConfig(server.URL())
	cfg.Linger = time.Millisecond
	b := connected(t, cfg, nil)

	var churn sync.WaitGroup
	var stop atomic.Bool
	finals := make([][]string, workers) // the channels each worker wants in the end
	for w := range workers {
		churn.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 0))
			wanted := map[string]bool{}
			for !stop.Load() {
				room := fmt.Sprintf("%d:%d", w, random.IntN(rooms))
				if wanted[room] = !wanted[room]; wanted[room] {
					b.Subscribe(KindRoom, room, func() {})
				} else {
					b.Unsubscribe(KindRoom, room)
				}
			}
			for room, yes := range wanted {
				if yes {
					finals[w] = append(finals[w], "websocket:room:"+room)
				}
			}
		})
	}
	for range kills {
		server.Restart()
		b.waitConnected(t, true)
	}
	stop.Store(true)
	churn.Wait()

	want := append(slices.Concat(finals...), "websocket:broadcast")
	slices.Sort(want)
	redistest.Eventually(t, patience, func() error {
		got := strings.Fields(server.CLI("PUBSUB", "CHANNELS"))
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("Redis has %d channels %v, wanted are %d %v", len(got), got, len(want), want)
		}
		if s := b.State(); s.Subscriptions != len(want) || s.Wanted != len(want) {
			return fmt.Errorf("State() = %+v, want %d", s, len(want))
		}
		return nil
	})
	in := b.interest
	in.mu.Lock()
	defer in.mu.Unlock()
	if n := in.pending.len() + in.lingering.len() + len(in.join) + len(in.leave); n != 0 {
		t.Errorf("%d entries are left of the churn: %+v", n, in)
	}
}
