package notification

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// durableStream is where durable messages wait for the gateways, after the
// prefix.
const durableStream = "publish"

// replicaTimeout is how long replicas have to confirm a message.
const replicaTimeout = time.Second

// ErrUnreplicated is returned when fewer replicas than WithReplicas asks for have
// confirmed a message in time. They may have it later, and the gateways may take
// it: it is to be sent again with the same ID.
var ErrUnreplicated = errors.New("notification: too few replicas have the message")

// WithDurable has messages wait in Redis, in a stream, until a gateway has taken
// them: a message for which there was no error is taken, once, however many
// gateways there are, and when there is none, later. A room or user whose
// messages are kept gets it in any case; where nothing is kept, who is connected
// then.
//
// Who gets an error does not know whether Redis has the message, and may send it
// again with the same ID in the request: within the gateways' dedupe window (2
// minutes unless configured) the second is a duplicate.
//
// The gateways delete what they have taken. Without any the stream grows.
func WithDurable() Option {
	return func(c *Client) { c.durable = true }
}

// WithReplicas is WithDurable for a Redis with replicas that may take over, by
// Sentinel or in a Cluster: there is no error only when n of them have the message
// too, so that it survives the loss of the master.
func WithReplicas(n int) Option {
	return func(c *Client) { c.durable, c.replicas = true, n }
}

// append leaves a message in the stream, and waits for the replicas that must have
// it.
func (c *Client) append(ctx context.Context, channel string, payload []byte, id string) error {
	entry := &redis.XAddArgs{
		Stream: c.prefix + durableStream, Values: []any{"channel", channel, "message", payload, "id", id},
	}
	if c.replicas == 0 {
		return c.redis.XAdd(ctx, entry).Err()
	}
	master, err := c.master(ctx)
	if err != nil {
		return err
	}
	var confirmed *redis.Cmd
	_, err = master.Pipelined(ctx, func(p redis.Pipeliner) error { // WAIT is about its own connection
		p.XAdd(ctx, entry)
		confirmed = p.Do(ctx, "WAIT", c.replicas, replicaTimeout.Milliseconds())
		return nil
	})
	if err != nil {
		return err
	}
	if n, err := confirmed.Int(); err != nil || n < c.replicas {
		return errors.Join(fmt.Errorf("%w: %d of %d", ErrUnreplicated, n, c.replicas), err)
	}
	return nil
}

// master returns a client of the server that has the stream: that of a Cluster
// would send WAIT to any.
func (c *Client) master(ctx context.Context) (redis.UniversalClient, error) {
	cluster, ok := c.redis.(*redis.ClusterClient)
	if !ok {
		return c.redis, nil
	}
	return cluster.MasterForKey(ctx, c.prefix+durableStream)
}
