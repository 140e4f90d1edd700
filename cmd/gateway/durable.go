package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ginforge/gateway/pubsub/intake"
	"github.com/ginforge/gateway/pubsub/sequencer"
	"github.com/ginforge/gateway/pubsub/stream"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session"
)

// durable is how what backends publish comes into the logs of rooms and users:
// plain PUBLISH through the sequencer, XADD through the intake. Each is nil where
// there is nothing for it to do.
type durable struct {
	sequencer *sequencer.Sequencer
	intake    *intake.Intake
}

// newDurable makes the parts that the configuration asks for.
func (n *node) newDurable(rules *session.Config) (err error) {
	if patterns := followed(n.cfg); len(patterns) > 0 {
		n.durable.sequencer, err = sequencer.New(sequencer.Config{
			Node: n.cfg.Node, Prefix: n.cfg.Redis.Prefix, Patterns: patterns,
			Resolve: func(channel string) (stream.Key, bool) {
				c, err := n.channel(channel)
				if err != nil || rules.HistoryOf(c.key).Size == 0 {
					return stream.Key{}, false
				}
				return logKey(c.key), true
			},
			Prepare: func(channel, payload string) (stream.Append, error) { return n.prepare(rules, channel, payload) },
		}, n.bus.Commands(), n.bus.NewClient, tracedAppender{n.bus.Appender(), n}, n.component("sequencer"))
		if err != nil {
			return err
		}
	}
	if n.cfg.Intake.Enabled {
		n.durable.intake, err = intake.New(intake.Config{
			Node: n.cfg.Node, Prefix: n.cfg.Redis.Prefix, DedupeWindow: n.cfg.Intake.DedupeWindow, Settled: n.bus.Settled,
			Resolve: func(channel, text string, at time.Time) (intake.Message, error) {
				return n.resolve(rules, channel, text, at)
			},
		}, n.bus.Commands(), n.bus.NewClient, tracedAppender{n.bus.DurableAppender(), n}, n.component("intake"))
	}
	return err
}

// run runs the parts until ctx ends; ending takes some seconds at most.
func (d durable) run(ctx context.Context) error {
	var done []<-chan error
	if d.sequencer != nil {
		done = append(done, spawn(func() error { return d.sequencer.Run(ctx) }))
	}
	if d.intake != nil {
		done = append(done, spawn(func() error { return d.intake.Run(ctx) }))
	}
	var errs []error
	for _, ended := range done {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// ready reports whether what is published plainly for a log is heard by somebody
// who puts it there.
func (d durable) ready() bool { return d.sequencer == nil || d.sequencer.Ready() }

// followed lists the channels, as patterns of Redis, on which messages for logs
// may be published plainly. No channel matches two of them.
func followed(c Config) (patterns []string) {
	rooms := sequencer.Escape(c.Redis.Prefix + "room:")
	if c.Namespaces[defaultNamespace].History.Size > 0 {
		patterns = append(patterns, rooms+"*")
	} else {
		for _, name := range slices.Sorted(maps.Keys(c.Namespaces)) {
			if c.Namespaces[name].History.Size > 0 {
				patterns = append(patterns, rooms+sequencer.Escape(name+":")+"*")
			}
		}
	}
	if c.Inbox.Size > 0 {
		for _, kind := range []string{"user:", "notification:"} {
			patterns = append(patterns, sequencer.Escape(c.Redis.Prefix+kind)+"*")
		}
	}
	return patterns
}

// channel is what the name of a channel says.
type channel struct {
	target session.Target
	key    room.Key // of the room or user; none for a broadcast
}

// The reasons for which a channel reaches nobody.
var (
	errUnknownChannel = errors.New("its channel is none of broadcast, user:ID, notification:ID, room:ROOM")
	errChannelName    = errors.New("its channel names a user or room that cannot be")
)

// maxUserBytes bounds a user's id.
const maxUserBytes = 128

// channel reads the name of a channel, without the prefix.
func (n *node) channel(name string) (channel, error) {
	if name == "broadcast" {
		return channel{target: session.ToAll}, nil
	}
	kind, rest, _ := strings.Cut(name, ":")
	limit := maxUserBytes
	c := channel{key: room.User(rest)}
	switch kind {
	case "user":
		c.target = session.ToUser
	case "notification":
		c.target = session.ToUserNotification
	case "room":
		c, limit = channel{session.ToRoom, room.Room(rest)}, n.cfg.Limits.RoomNameBytes
	default:
		return channel{}, errUnknownChannel
	}
	if rest == "" || len(rest) > limit || !isPlain(rest) {
		return channel{}, errChannelName
	}
	return c, nil
}

// prepare makes what a log keeps of a message that was published plainly.
func (n *node) prepare(rules *session.Config, name, payload string) (stream.Append, error) {
	c, err := n.channel(name)
	if err != nil {
		return stream.Append{}, err
	}
	n.ingress(viaPublish, logKey(c.key), []byte(payload))
	kept, id, err := n.sessions.ForLog(c.target, c.key.Name, []byte(payload), time.Now())
	if err != nil {
		return stream.Append{}, err
	}
	return stream.Append{
		Key: logKey(c.key), Rules: stream.Rules(rules.HistoryOf(c.key)), Payload: kept,
		Dedupe: id, DedupeWindow: n.cfg.Intake.DedupeWindow,
	}, nil
}

// resolve says what becomes of a message that was published durably, at that
// time.
func (n *node) resolve(rules *session.Config, name, text string, at time.Time) (intake.Message, error) {
	c, err := n.channel(name)
	if err != nil {
		return intake.Message{}, err
	}
	n.ingress(viaXAdd, logKey(c.key), []byte(text))
	kept, id, err := n.sessions.ForLog(c.target, c.key.Name, []byte(text), at)
	if err != nil {
		return intake.Message{}, fmt.Errorf("its message: %w", err)
	}
	m := intake.Message{Payload: []byte(text), ID: id}
	if h := rules.HistoryOf(c.key); c.target != session.ToAll && h.Size > 0 {
		m.Log, m.Rules, m.Payload = logKey(c.key), stream.Rules(h), kept
	}
	return m, nil
}
