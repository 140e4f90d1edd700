package intake

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// forgetScript has a server forget entries that are done. Where servers follow each
// other under one name, as with Sentinel, one that has never heard of their appends
// may answer by now: it keeps them, and they are done once more.
//
// KEYS[1] the stream; ARGV: group, the replication history of the server that has
// appended them or "", then their ids
// returns how many there were; the error SETTLING names the server's own history
var forgetScript = redis.NewScript(`
if ARGV[2] ~= '' then
  local info = redis.pcall('INFO', 'replication')
  local own = type(info) == 'string' and string.match(info, 'master_replid:(%w+)')
  if own and own ~= ARGV[2] then return redis.error_reply('SETTLING ' .. own) end
end
redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 3))
return redis.call('XDEL', KEYS[1], unpack(ARGV, 3))
`)

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
