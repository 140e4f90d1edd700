package presence

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// askedAtOnce is how many users are asked about in one round trip.
const askedAtOnce = 1024

// Online reports for each of users whether it is online at any node. It waits for
// Redis, as a rule one round trip. Who is here is online, though it may not have been
// written yet.
func (p *Presence) Online(ctx context.Context, users []string) ([]bool, error) {
	online := make([]bool, 0, len(users))
	for part := range slices.Chunk(users, askedAtOnce) {
		pipe := p.client.Pipeline()
		for _, u := range part {
			pipe.Exists(ctx, p.presenceKey(u))
		}
		commands, err := pipe.Exec(ctx)
		if err != nil {
			return nil, fmt.Errorf("presence: who is online: %w", err)
		}
		for i, c := range commands {
			n, ok := c.(*redis.IntCmd)
			online = append(online, ok && n.Val() > 0 || p.node.State(part[i]).Here)
		}
	}
	return online, nil
}
