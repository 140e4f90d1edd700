package pubsub

import (
	"context"
	"fmt"
	"time"

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
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return 0, err
	}
	t, err := parseURL(cfg.URL)
	if err != nil {
		return 0, err
	}
	if t.embedded {
		t.options.Addrs = []string{cfg.EmbeddedListen}
	}
	logging.Disable() // as in Open

	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	client := newClient(t)
	defer client.Close()
	subscribers, err = client.Publish(ctx, channel, payload).Result()
	if err != nil {
		return 0, fmt.Errorf("pubsub: publish at %s: %w", t.display, err)
	}
	return subscribers, nil
}
