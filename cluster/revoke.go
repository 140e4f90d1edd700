package cluster

import (
	"context"
	"fmt"
	"time"
)

const opRevoke = "revoke"

type revokeArgs struct {
	Text  string `json:"text"`
	Until int64  `json:"until"` // Unix milliseconds
}

// OnRevoke says how this node is told of a revocation, which is a text of package
// session/auth. Called before the registry runs.
func (c *Cluster) OnRevoke(f func(text string, until time.Time) error) {
	c.nodes.Handle(opRevoke, handler(func(a revokeArgs) (bool, error) {
		return true, f(a.Text, time.UnixMilli(a.Until))
	}))
}

// TellRevoked tells every node of a revocation, this one before it returns. It
// waits for Redis, and not for the others.
func (c *Cluster) TellRevoked(ctx context.Context, text string, until time.Time) error {
	if err := c.nodes.TellAll(ctx, opRevoke, revokeArgs{text, until.UnixMilli()}); err != nil {
		return fmt.Errorf("cluster: revoke: %w", err)
	}
	return nil
}
