package intake

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// onceScript publishes a message that has no log, unless it was before.
//
// KEYS: the place of the last entry that was published, a dedupe key
// ARGV: place, how long that is kept (ms), window (ms) or "0" without a dedupe
// key, channel, payload
// returns "1" when it was published
var onceScript = redis.NewScript(`
if ARGV[1] <= (redis.call('GET', KEYS[1]) or '') then return '0' end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[3] ~= '0' then
  if redis.call('EXISTS', KEYS[2]) == 1 then return '0' end
  redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return '1'
`)

// lastKept is how long the place of the last published entry is kept.
const lastKept = 30 * 24 * time.Hour

// publish publishes entries without a log, in their order, in one round trip.
// It reports for each whether it was new.
func (i *Intake) publish(ctx context.Context, entries []entry) (published []bool, err error) {
	if len(entries) == 0 {
		return nil, nil
	}
	if err := onceScript.Load(ctx, i.redis).Err(); err != nil {
		return nil, fmt.Errorf("intake: load script: %w", err)
	}
	pipe := i.redis.Pipeline()
	answers := make([]*redis.Cmd, len(entries))
	for n, e := range entries {
		keys := []string{i.cfg.Prefix + "publish:{once}:last", i.cfg.Prefix + "publish:{once}:none"}
		window := int64(0)
		if e.dedupe != "" {
			keys[1] = i.cfg.Prefix + "publish:{once}:seen:" + e.channel + ":" + stream.Token(e.dedupe)
			window = i.cfg.DedupeWindow.Milliseconds()
		}
		answers[n] = onceScript.EvalSha(ctx, pipe, keys, e.place, lastKept.Milliseconds(), window, i.cfg.Prefix+e.channel, e.message.Payload)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("intake: publish: %w", err)
	}
	published = make([]bool, len(entries))
	for n, a := range answers {
		text, err := a.Text()
		if err != nil {
			return nil, fmt.Errorf("intake: publish: %w", err)
		}
		published[n] = text == "1"
	}
	return published, nil
}
