package revoked

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// onEach runs a test on a real Redis, on a Cluster and on the embedded one.
func onEach(t *testing.T, test func(t *testing.T, client redis.UniversalClient)) {
	t.Helper()
	for name, start := range map[string]func() string{
		"redis":    func() string { return redistest.Start(t).Addr() },
		"embedded": func() string { return miniredis.RunT(t).Addr() },
	} {
		t.Run(name, func(t *testing.T) {
			client := redis.NewClient(&redis.Options{Addr: start()})
			t.Cleanup(func() { _ = client.Close() })
			test(t, client)
		})
	}
	t.Run("cluster", func(t *testing.T) {
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{redistest.StartCluster(t, 3, 0).Primaries[0].Addr()}})
		t.Cleanup(func() { _ = client.Close() })
		test(t, client)
	})
}

func texts(t *testing.T, s *Store) (texts []string) {
	t.Helper()
	all, err := s.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		texts = append(texts, e.Text)
	}
	return texts
}

func TestStore(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, client redis.UniversalClient) {
		s := New(client, "websocket:")
		if got := texts(t, s); len(got) > 0 {
			t.Errorf("an empty store has %q", got)
		}
		long := time.Now().Add(time.Hour).Truncate(time.Millisecond)
		for _, e := range []Entry{
			{"over", time.Now().Add(-time.Second)},
			{"short", time.Now().Add(200 * time.Millisecond)},
			{"long", long},
			{"long", time.Now().Add(time.Minute)}, // does not make it shorter
		} {
			if err := s.Add(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		redistest.Eventually(t, time.Minute, func() error {
			if got := texts(t, s); !slices.Equal(got, []string{"long"}) {
				return errors.New("not over yet")
			}
			return nil
		})
		all, err := s.All(t.Context())
		if err != nil || !all[0].Until.Equal(long) {
			t.Errorf("All = %+v, %v, want until %v", all, err, long)
		}
		if n, err := client.ZCard(t.Context(), "websocket:revoked:list").Result(); n > 2 || err != nil {
			t.Errorf("%d entries are kept (%v), want those dropped that were over", n, err)
		}
		ttl, err := client.PTTL(t.Context(), "websocket:revoked:list").Result()
		if err != nil || ttl < 59*time.Minute || ttl > time.Hour {
			t.Errorf("the key lives for %v (%v), want it to end with its last entry", ttl, err)
		}
	})
}
