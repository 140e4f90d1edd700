package lease

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// TestStore_TermsGrowBeyondWhatRedisHasLost: who knows of a term that is in no
// lease, as Redis was emptied and its clock is behind, asks for a later one.
func TestStore_TermsGrowBeyondWhatRedisHasLost(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: redistest.Start(t).Addr()})
	defer client.Close()
	ask := Ask{Name: "x", Owner: "a", TTL: time.Minute, Floor: uint64(time.Now().Add(time.Hour).UnixMilli())} //nolint:gosec // not negative
	g, err := New(client, "t:").Acquire(t.Context(), ask)
	if err != nil || !g.Held || g.Term != ask.Floor {
		t.Errorf("Acquire = %+v, %v, want the term %d", g, err, ask.Floor)
	}
	ask.Floor++
	if g, err = New(client, "t:").Acquire(t.Context(), ask); err != nil || g.Term != ask.Floor-1 {
		t.Errorf("renewed = %+v, %v, want the same term", g, err)
	}
}
