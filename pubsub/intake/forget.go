package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// forgetScript has a server forget entries that are done. Where servers follow each
// other under one name, as with Sentinel, one that has never heard of their appends
// may answer by now: it keeps them, and they are done once more.
//
// KEYS[1] the stream; ARGV: group, the replication history of the server that has
// appended, published or set them aside, or "", then their ids
// returns how many there were; the error SETTLING names the server's own history
var forgetScript = redis.NewScript(stream.LuaElsewhere + `
local other = elsewhere(ARGV[2])
if other then return other end
redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 3))
return redis.call('XDEL', KEYS[1], unpack(ARGV, 3))
`)

// errTwoServers keeps a batch of which one server has appended a part, and another may
// have published the rest: one of the two is not the master any more.
var errTwoServers = errors.New("intake: two servers have taken parts of a batch")

// history returns the replication history of the server that commands go to now, ""
// where there are several or it does not say. What is done behind this question is
// forgotten by a server with the same history, or not at all.
func (i *Intake) history(ctx context.Context) (string, error) {
	if _, cluster := i.redis.(*redis.ClusterClient); cluster {
		return "", nil
	}
	history, err := stream.AskInfo(ctx, i.redis, "replication", "master_replid")
	if err != nil {
		return "", fmt.Errorf("intake: %w", err)
	}
	return history, nil
}

// forget has Redis forget entries that are done, at the server with that history.
// In a Cluster their logs are at other masters than they, each with its own.
func (i *Intake) forget(ctx context.Context, ids []string, history string) error {
	if _, cluster := i.redis.(*redis.ClusterClient); cluster {
		history = ""
	}
	args := []any{group, history}
	for _, id := range ids {
		args = append(args, id)
	}
	if err := forgetScript.Run(ctx, i.redis, []string{i.stream}, args...).Err(); err != nil {
		return fmt.Errorf("intake: acknowledge: %w", err)
	}
	return nil
}
