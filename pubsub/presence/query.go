package presence

import (
	"context"
	"fmt"
)

// Online reports for each of users whether it is online at any node. It waits for
// Redis, in one round trip. Who is here is online, though it may not have been
// written yet.
func (p *Presence) Online(ctx context.Context, users []string) ([]bool, error) {
	pipe := p.client.Pipeline()
	for _, u := range users {
		pipe.Exists(ctx, p.presenceKey(u))
	}
	online := make([]bool, len(users))
	if len(users) == 0 {
		return online, nil
	}
	commands, err := pipe.Exec(ctx)
	if err != nil {
		return nil, fmt.Errorf("presence: who is online: %w", err)
	}
	for i, c := range commands {
		n, ok := c.(interface{ Val() int64 })
		online[i] = ok && n.Val() > 0 || p.node.State(users[i]).Here
	}
	return online, nil
}
