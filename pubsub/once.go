package pubsub

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// PublishOnce publishes payload on a channel, given with its prefix, and returns
// how many subscribers Redis passed it to. It is for commands: it connects,
// publishes and leaves, and only uses Config.URL, which must not be embedded.
// The error says that the URL is wrong or that Redis could not be reached before
// ctx ended; it never contains a password.
func PublishOnce(ctx context.Context, cfg Config, channel string, payload []byte) (receivers int64, err error) {
	t, err := parseURL(cfg.URL)
	if err != nil {
		return 0, err
	}
	if t.embedded {
		return 0, errors.New("pubsub: an embedded Redis lives in another process: give its address")
	}
	redis.SetLogger(silent{})
	client := newClient(t)
	defer client.Close() //nolint:errcheck // nothing is left to be lost
	receivers, err = client.Publish(ctx, channel, payload).Result()
	if err != nil {
		return 0, fmt.Errorf("pubsub: redis at %s: %w", t.display, err)
	}
	return receivers, nil
}
