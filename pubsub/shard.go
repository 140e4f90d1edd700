package pubsub

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// shard is one master of the Cluster, and what this node wants to hear there.
// It has a link of its own, with the same life as the Bus's.
type shard struct {
	all      *shards
	addr     string // host:port, as the Cluster gives it
	interest *interest
	settling settling    // begun, too, when it takes over from a master that is gone
	up       atomic.Bool // its link has come up since the last failure

	// node is the client of its link while that is up, else nil.
	node atomic.Pointer[redis.Client]

	cancel context.CancelFunc // ends run; guarded by shards.mu, nil before run was started
}

// run serves one link after the other until ctx ends.
func (s *shard) run(ctx context.Context) {
	b := s.all.bus
	for attempt := 0; ctx.Err() == nil; attempt++ {
		t := b.target // a copy
		t.options.Addrs, t.options.IsClusterMode = []string{s.addr}, false
		err := b.serveLink(ctx, b.newLink(t, s.interest, s))
		s.node.Store(nil)
		if ctx.Err() != nil {
			return
		}
		if s.up.Swap(false) {
			attempt = 0
			b.counters.shardDisconnects.Add(1)
		}
		b.log.Debug().Err(err).Str("master", s.addr).Msg("a master of the cluster is away")
		s.all.reload() // it may have lost its slots to another
		pause(ctx, b.backoff(attempt))
	}
}

// linked notes that the link is up.
func (s *shard) linked(node *redis.Client) {
	s.up.Store(true)
	s.node.Store(node)
	s.all.bus.counters.shardConnects.Add(1)
}

// refused takes what Redis answered to an SSUBSCRIBE. It reports whether the
// link can go on: the slot has another master, or is to get one.
func (s *shard) refused(err error) bool {
	var r refusal
	if !errors.As(err, &r) {
		return false
	}
	word, rest, _ := strings.Cut(string(r), " ")
	switch word {
	case "MOVED", "ASK":
		number, _, _ := strings.Cut(rest, " ")
		slot, err := strconv.Atoi(number)
		if err != nil || slot < 0 || slot >= numSlots {
			return false
		}
		s.all.refused(s, slot)
		return true
	}
	return false
}

// dropped takes the end of a subscription: ours, or because the slot has
// another master now.
func (s *shard) dropped(channel string) {
	kind, name, ok := parseChannel(s.all.bus.cfg.Prefix, channel)
	if ok && s.interest.dropped(topicOf(kind, name)) {
		s.all.refused(s, slotOf(channel))
	}
}
