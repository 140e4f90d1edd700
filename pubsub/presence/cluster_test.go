package presence

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// cluster is that of TestInACluster while it runs.
var cluster atomic.Pointer[redistest.Cluster]

// TestInACluster runs tests again on a Redis Cluster of three masters, one after the
// other: users' keys are in many slots there, and a script's call has one user.
func TestInACluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	cluster.Store(c)
	for name, test := range map[string]func(*testing.T){
		"two nodes one edge":   TestPresence_TwoNodesOneEdge,
		"online anywhere":      TestPresence_OnlineAnywhere,
		"rooms are told":       TestPresence_RoomsAreTold,
		"names":                TestPresence_NamesArriveAsTheyAre,
		"dead node":            TestPresence_DeadNode,
		"undertaker":           TestEdges_OfADeadNodeAndItsUndertakerDiffer,
		"missed":               TestMissed_ANodeThatIsBackLearnsHowThingsAre,
		"missed too much":      TestMissed_TellsEverythingWhenTheStreamIsTooShort,
		"admit":                TestAdmit,
		"admit concurrently":   TestAdmit_ConcurrentNeverExceeds,
		"places become free":   TestAdmit_PlacesBecomeFree,
		"replaced and leaving": TestAdmit_ReplacedDeviceOnItsWayOut,
		"new life":             TestAdmit_NewLife,
	} {
		t.Run(name, test)
	}
	servedByAll(t, c)
}

// servedByAll checks that all masters have run scripts, or less was tested than should be.
func servedByAll(t *testing.T, c *redistest.Cluster) {
	for _, p := range c.Primaries {
		client := redis.NewClient(&redis.Options{Addr: p.Addr()})
		stats, err := client.InfoMap(t.Context(), "commandstats").Result()
		_ = client.Close()
		if err != nil || stats["Commandstats"]["cmdstat_evalsha"] == "" {
			t.Errorf("%s has run no script: %v", p.Addr(), err)
		}
	}
}

// newClusterWorld is a world on an empty Cluster.
func newClusterWorld(t *testing.T, c *redistest.Cluster) *world {
	t.Helper()
	var addrs []string
	for _, n := range c.Nodes() {
		n.CLI("FLUSHALL")
		addrs = append(addrs, n.Addr())
	}
	return newWorldOf(t, redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, Protocol: 2}))
}

// keys are all keys of the world, in all masters.
func (w *world) keys(ctx context.Context) (all []string, err error) {
	c, clustered := w.client.(*redis.ClusterClient)
	if !clustered {
		return w.client.Keys(ctx, "t:*").Result()
	}
	var mu sync.Mutex // of all
	err = c.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		keys, err := master.Keys(ctx, "t:*").Result()
		mu.Lock()
		defer mu.Unlock()
		all = append(all, keys...)
		return err
	})
	return all, err
}
