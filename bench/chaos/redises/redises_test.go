package redises

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A topology that has acknowledged a write keeps it when the server that took it
// is killed, and is whole again when that one is back.
func TestSet_KeepsWhatItAcknowledged(t *testing.T) {
	for _, topology := range Topologies {
		t.Run(string(topology), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
			defer cancel()
			s, err := Start(ctx, topology)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			client := s.Client()
			defer client.Close()
			if err := client.Set(ctx, "key", "value", 0).Err(); err != nil {
				t.Fatalf("SET: %v", err)
			}
			master := s.Masters(ctx)[0]
			var takeovers Takeovers
			watching, end := context.WithCancel(ctx)
			var watch sync.WaitGroup
			watch.Go(func() { takeovers.Watch(watching, s) })
			defer watch.Wait()
			defer end()
			tookOver := func(least, most int) {
				t.Helper()
				err := poll(ctx, "takeovers", func() error {
					if n := takeovers.Count(); n < least || n > most {
						return fmt.Errorf("%d takeovers, want %d to %d", n, least, most)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := master.admin.Wait(ctx, 1, 5*time.Second).Err(); err != nil {
				t.Fatalf("WAIT: %v", err)
			}
			master.Kill()
			if topology == Standalone { // nobody else can take over
				if err := master.Start(ctx); err != nil {
					t.Fatal(err)
				}
			}
			want := 1
			if topology == Cluster {
				want = clusterMasters
			}
			// But for Standalone, the one that was killed is still down.
			if err := s.WaitMasters(ctx); err != nil || len(s.Masters(ctx)) != want {
				t.Fatalf("WaitMasters = %v; there are %d, want %d", err, len(s.Masters(ctx)), want)
			}
			if err := poll(ctx, "GET", func() error { return client.Get(ctx, "key").Err() }); err != nil {
				t.Fatal(err)
			}
			if topology != Standalone {
				tookOver(1, 1)
				if err := s.Replaced(ctx, master, time.Minute); err != nil {
					t.Fatal(err)
				}
				if err := master.Start(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.WaitHealthy(ctx); err != nil {
				t.Fatal(err)
			}
			if err := s.Failover(ctx, s.Masters(ctx)[0]); (err == nil) != (topology != Standalone) {
				t.Errorf("Failover = %v", err)
			}
			switch topology {
			case Sentinel: // it may give a failover up when the replica was a master already
				tookOver(2, math.MaxInt)
			case Cluster:
				tookOver(2, 2)
			}
			if err := poll(ctx, "SET", func() error { return client.Set(ctx, "key", "other", 0).Err() }); err != nil {
				t.Error(err)
			}
			if calls, masters, err := s.Commands(ctx); len(masters) == 0 || err != nil || calls["ping"] == 0 {
				t.Errorf("Commands = %v, %v, want some pings", calls, err)
			}
		})
	}
}

// A replica that becomes a master has taken over; a master that was away has not.
func TestTakeovers(t *testing.T) {
	var takeovers Takeovers
	for i, tt := range []struct {
		server, role string
		want         int
	}{
		{"a", "master", 0},
		{"b", "slave", 0},
		{"b", "master", 1},
		{"a", "master", 1}, // it is back, and not told yet
		{"a", "slave", 1},
		{"a", "master", 2},
	} {
		if takeovers.see(tt.server, tt.role); takeovers.Count() != tt.want {
			t.Errorf("%d: %d takeovers, want %d", i, takeovers.Count(), tt.want)
		}
	}
}
