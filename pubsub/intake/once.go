package intake

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// onceScript publishes a message that has no log, unless it was before, or the server
// is another than the one where nodes hear it.
//
// KEYS: the place of the last entry that was published, a dedupe key
// ARGV: place, how long that is kept (ms), window (ms), channel, payload, the
// replication history of that server, or ""
// returns "1" when it was published, "0" for a duplicate, or the last place when
// that is later; the error SETTLING names the server's own history
var onceScript = redis.NewScript(stream.LuaElsewhere + `
local other = elsewhere(ARGV[6])
if other then return other end
local last = redis.call('GET', KEYS[1]) or ''
if redis.call('EXISTS', KEYS[2]) == 1 or ARGV[1] == last then
  if ARGV[1] > last then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
  return '0'
end
if ARGV[1] < last then return last end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return '1'
`)

// lastKept is how long the place of the last published entry is kept.
const lastKept = 30 * 24 * time.Hour

// heard reports whether nodes hear what is published at the server with that history.
// Where one of the two is not said nobody can tell, and a new link counts as one to
// another server.
func (i *Intake) heard(history string) bool {
	if i.cfg.Settled == nil {
		return true
	}
	at, ok := i.cfg.Settled()
	return ok && (at == history || at == "" || history == "")
}

// publish publishes entries without a log, in their order, in one round trip, at the
// server with that history. It returns those that seem to come too late.
func (i *Intake) publish(ctx context.Context, entries []entry, history string) (late []entry, err error) {
	if len(entries) == 0 {
		return nil, nil
	}
	if err := onceScript.Load(ctx, i.redis).Err(); err != nil {
		return nil, fmt.Errorf("intake: load script: %w", err)
	}
	pipe := i.redis.Pipeline()
	answers := make([]*redis.Cmd, len(entries))
	once := i.cfg.Prefix + "publish:{once}:"
	for n, e := range entries {
		keys := []string{once + "last", once + "seen:" + e.channel + ":" + stream.Token(e.key())}
		answers[n] = onceScript.EvalSha(ctx, pipe, keys, e.place, lastKept.Milliseconds(),
			i.cfg.DedupeWindow.Milliseconds(), i.cfg.Prefix+e.channel, e.message.Payload, history)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("intake: publish: %w", err)
	}
	for n, a := range answers {
		switch text, err := a.Text(); {
		case err != nil:
			return nil, fmt.Errorf("intake: publish: %w", err)
		case len(text) > 1:
			entries[n].behind = text
			late = append(late, entries[n])
		default:
			i.count(text == "0")
		}
	}
	return late, nil
}
