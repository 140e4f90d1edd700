package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/pubsub"
)

// publishTimeout bounds the whole of `gateway publish`.
const publishTimeout = 10 * time.Second

func newPublishCommand(p process, src *sources) *cobra.Command {
	return &cobra.Command{
		Use:   "publish CHANNEL JSON",
		Short: "Publish a message to the gateways' clients through Redis",
		Long: `Publish a message to the gateways' clients through Redis, as a backend would
with PUBLISH, and print how many gateways took it. The message is checked first:
JSON with a type, within limits.message_bytes. "-" reads it from standard input.

CHANNEL, with or without redis.prefix, is one of

  broadcast              every connection
  user:ID                all devices of a user
  notification:ID        the same, as a notification
  room:ROOM              all members of a room

With redis.url embedded, it goes to the Redis inside a gateway that runs on this
machine, at redis.embedded_listen.`,
		Example: `  gateway publish broadcast '{"type":"system","content":{"message":"hello","level":"info"}}'
  gateway publish room:chat:lobby '{"type":"room_message","content":{"text":"hello"}}'
  gateway publish --redis-url redis://redis:6379 user:u1 - < message.json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return publish(cmd.Context(), p, *src, args[0], args[1])
		},
	}
}

func publish(ctx context.Context, p process, src sources, channel, payload string) error {
	cfg, _, err := src.load()
	if err != nil {
		return err
	}
	if err := cfg.validateRedis(); err != nil {
		return err
	}
	if channel, err = fullChannel(cfg.Redis.Prefix, channel); err != nil {
		return err
	}
	if payload == "-" {
		text, err := io.ReadAll(io.LimitReader(p.in, int64(cfg.Limits.MessageBytes)+1))
		if err != nil {
			return fmt.Errorf("reading the message: %w", err)
		}
		payload = string(text)
	}
	limits := message.Limits{Bytes: cfg.Limits.MessageBytes, Depth: cfg.Limits.JSONDepth}
	if err := limits.DecodePayload([]byte(payload), new(message.Envelope)); err != nil {
		return fmt.Errorf("the message: %w", err)
	}

	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	receivers, err := pubsub.PublishOnce(ctx, publisherConfig(cfg), channel, []byte(payload))
	if err != nil {
		return fmt.Errorf("publishing to %s: %w", channel, err)
	}
	fmt.Fprintf(p.out, "published to %s, received by %d %s\n", channel, receivers, plural(receivers, "gateway"))
	return nil
}

// publisherConfig is busConfig for a process beside the gateway: the embedded
// Redis is inside the gateway, and from here a server like any other.
func publisherConfig(cfg Config) pubsub.Config {
	bus := busConfig(cfg)
	if bus.URL == embeddedURL {
		bus.URL = "redis://" + bus.EmbeddedListen
	}
	return bus
}

var errNoChannel = errors.New("is no channel: want broadcast, user:ID, notification:ID or room:ROOM")

// fullChannel completes a channel with the prefix that it may lack, and refuses
// what no gateway listens to.
func fullChannel(prefix, channel string) (string, error) {
	rest := strings.TrimPrefix(channel, prefix)
	if rest == "broadcast" {
		return prefix + rest, nil
	}
	kind, name, _ := strings.Cut(rest, ":")
	switch kind {
	case "user", "notification", "room":
		if name != "" && isPlain(name) {
			return prefix + rest, nil
		}
	}
	return "", fmt.Errorf("%q %w", channel, errNoChannel)
}

func plural(n int64, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
