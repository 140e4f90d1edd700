package redises

import (
	"context"
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
			ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
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
			if err := master.admin.Wait(ctx, 1, 5*time.Second).Err(); err != nil {
				t.Fatalf("WAIT: %v", err)
			}
			master.Kill()
			if topology == Standalone { // nobody else can take over
				if err := master.Start(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if err := poll(ctx, "GET", func() error { return client.Get(ctx, "key").Err() }); err != nil {
				t.Fatal(err)
			}
			if topology != Standalone {
				if err := master.Start(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.WaitHealthy(ctx); err != nil {
				t.Fatal(err)
			}
			if err := s.Failover(ctx, 1); (err == nil) != (topology != Standalone) {
				t.Errorf("Failover = %v", err)
			}
			if err := poll(ctx, "SET", func() error { return client.Set(ctx, "key", "other", 0).Err() }); err != nil {
				t.Error(err)
			}
			if calls, err := s.Commands(ctx); err != nil || calls["ping"] == 0 {
				t.Errorf("Commands = %v, %v, want some pings", calls, err)
			}
		})
	}
}
