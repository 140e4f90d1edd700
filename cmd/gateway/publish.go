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

// publication is what `gateway publish` is asked for.
type publication struct {
	channel, payload string
	durable          bool
	id               string
}

func newPublishCommand(p process, src *sources) *cobra.Command {
	var what publication
	cmd := &cobra.Command{
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

With --durable the message waits in Redis until a gateway takes it, as with XADD,
and the command prints the id of its entry. With --id, repeating the command within
intake.dedupe_window does nothing more.

With redis.url embedded, it goes to the Redis inside a gateway that runs on this
machine, at redis.embedded_listen.`,
		Example: `  gateway publish broadcast '{"type":"system","content":{"message":"hello","level":"info"}}'
  gateway publish room:chat:lobby '{"type":"room_message","content":{"text":"hello"}}'
  gateway publish --durable --id order-42 user:u1 '{"type":"user_message","content":{"text":"paid"}}'
  gateway publish --redis-url redis://redis:6379 user:u1 - < message.json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			what.channel, what.payload = args[0], args[1]
			return publish(cmd.Context(), p, *src, what)
		},
	}
	cmd.Flags().BoolVar(&what.durable, "durable", false, "have the message wait in Redis until a gateway takes it")
	cmd.Flags().StringVar(&what.id, "id", "", "the dedupe key of a durable message")
	return cmd
}

var errIDNeedsDurable = errors.New("--id needs --durable; without it the message's own id counts")

func publish(ctx context.Context, p process, src sources, what publication) error {
	if what.id != "" && !what.durable {
		return errIDNeedsDurable
	}
	cfg, _, err := src.load()
	if err != nil {
		return err
	}
	if err := cfg.validateRedis(); err != nil {
		return err
	}
	if what.channel, err = fullChannel(cfg.Redis.Prefix, what.channel); err != nil {
		return err
	}
	if what.payload == "-" {
		text, err := io.ReadAll(io.LimitReader(p.in, int64(cfg.Limits.MessageBytes)+1))
		if err != nil {
			return fmt.Errorf("reading the message: %w", err)
		}
		what.payload = string(text)
	}
	limits := message.Limits{Bytes: cfg.Limits.MessageBytes, Depth: cfg.Limits.JSONDepth}
	if err := limits.DecodePayload([]byte(what.payload), new(message.Envelope)); err != nil {
		return fmt.Errorf("the message: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := what.send(ctx, p, publisherConfig(cfg)); err != nil {
		return fmt.Errorf("publishing to %s: %w", what.channel, err)
	}
	return nil
}

// send publishes, and prints what has come of it.
func (w publication) send(ctx context.Context, p process, cfg pubsub.Config) error {
	if w.durable {
		entry, err := pubsub.AddOnce(ctx, cfg, w.channel, []byte(w.payload), w.id)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "waits for a gateway to publish it to %s, entry %s\n", w.channel, entry)
		return nil
	}
	receivers, err := pubsub.PublishOnce(ctx, cfg, w.channel, []byte(w.payload))
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "published to %s, received by %d %s\n", w.channel, receivers, plural(receivers, "gateway"))
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
