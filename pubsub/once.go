package pubsub

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// onceTimeout bounds PublishOnce when ctx does not.
const onceTimeout = 10 * time.Second

// PublishOnce connects to the Redis of cfg, publishes payload on channel, which
// is used as it is, and disconnects. It returns how many subscribers Redis
// counted, in a cluster those of one node only. It is for command lines: a
// program that publishes more than once has a Bus, or package notification.
//
// An embedded Redis belongs to a running gateway; it is looked for at
// cfg.EmbeddedListen.
func PublishOnce(ctx context.Context, cfg Config, channel string, payload []byte) (subscribers int64, err error) {
	err = once(ctx, cfg, func(ctx context.Context, client redis.UniversalClient) error {
		subscribers, err = client.Publish(ctx, channel, payload).Result()
		return err
	})
	return subscribers, err
}

// AddOnce is PublishOnce for a message that waits in Redis until a gateway takes
// it. channel may lack the prefix; id is its dedupe key, "" for none. It returns
// the id of its entry.
func AddOnce(ctx context.Context, cfg Config, channel string, payload []byte, id string) (entry string, err error) {
	values := []any{"channel", channel, "message", payload}
	if id != "" {
		values = append(values, "id", id)
	}
	err = once(ctx, cfg, func(ctx context.Context, client redis.UniversalClient) error {
		entry, err = client.XAdd(ctx, &redis.XAddArgs{Stream: cfg.withDefaults().Prefix + "publish", Values: values}).Result()
		return err
	})
	return entry, err
}

// once connects, calls do, and disconnects.
func once(ctx context.Context, cfg Config, do func(context.Context, redis.UniversalClient) error) error {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return err
	}
	t, err := parseURL(cfg.URL)
	if err != nil {
		return err
	}
	if t.embedded {
		t.options.Addrs = []string{cfg.EmbeddedListen}
	}
	logging.Disable() // as in Open

	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	client := newClient(t)
	defer client.Close()
	if err := do(ctx, client); err != nil {
		return fmt.Errorf("pubsub: publish at %s: %w", t.display, err)
	}
	return nil
}
