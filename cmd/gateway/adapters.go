package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/pubsub"
	"github.com/ginforge/gateway/pubsub/stream"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session"
)

// busTargets says what the kinds of channels mean to sessions.
var busTargets = map[pubsub.Kind]session.Target{
	pubsub.KindBroadcast:    session.ToAll,
	pubsub.KindUser:         session.ToUser,
	pubsub.KindNotification: session.ToUserNotification,
	pubsub.KindRoom:         session.ToRoom,
}

// busSubscriber is the bus as rooms see it.
type busSubscriber struct {
	bus   *pubsub.Bus
	rules func(room.Key) session.History
}

func (b busSubscriber) Subscribe(key room.Key, confirmed func()) {
	b.bus.Subscribe(b.kind(key), key.Name, confirmed)
}

func (b busSubscriber) Unsubscribe(key room.Key) { b.bus.Unsubscribe(b.kind(key), key.Name) }

// kind is the kind of channel of a key; rooms never ask for that of a watcher's
// key, which has none. What is kept comes on channels of its own.
func (b busSubscriber) kind(key room.Key) pubsub.Kind {
	switch kept := b.rules(key).Size > 0; {
	case kept && key.Kind == room.KindUser:
		return pubsub.KindUserLog
	case kept:
		return pubsub.KindRoomLog
	case key.Kind == room.KindUser:
		return pubsub.KindUser
	default:
		return pubsub.KindRoom
	}
}

// busPublisher is the bus as sessions see it.
type busPublisher struct {
	bus  *pubsub.Bus
	node *node
}

func (b busPublisher) PublishRoom(name string, payload []byte, done func(error)) error {
	b.node.ingress(viaFrame, stream.Key{Kind: stream.Room, Name: name}, payload)
	err := b.bus.Publish(pubsub.KindRoom, name, payload, done)
	if errors.Is(err, pubsub.ErrAway) {
		return fmt.Errorf("%w: %w", session.ErrAway, err)
	}
	return err
}

func (b busPublisher) PublishUser(userID string, payload []byte, done func(error)) error {
	b.node.ingress(viaFrame, stream.Key{Kind: stream.User, Name: userID}, payload)
	return b.bus.Publish(pubsub.KindUser, userID, payload, done)
}

// confirmTimeout is how long a join waits for Redis before it is refused.
const confirmTimeout = 5 * time.Second

// hubConfig is what package room needs.
func hubConfig(c Config) room.Config {
	return room.Config{
		MaxRooms:       c.Limits.RoomsPerSession,
		MaxWatched:     c.Limits.WatchedUsers,
		ConfirmTimeout: confirmTimeout,
		Grace:          c.Presence.Grace,
		Status:         session.StatusFrame,
	}
}

// sessionConfig is what package session needs.
func sessionConfig(c Config) session.Config {
	namespaces := session.Namespaces{}
	for name, rules := range c.Namespaces {
		namespaces[name] = session.Namespace{
			Presence:     rules.Presence,
			Join:         session.Policy(rules.Join),
			Publish:      session.Policy(rules.Publish),
			MessageBytes: rules.MessageBytes,
			History:      session.History(rules.History),
			Delivery:     deliveryRule(rules.Delivery),
		}
	}
	return session.Config{
		Node:            c.Node,
		Cookie:          c.JWT.Cookie,
		Subprotocols:    c.Engine.Subprotocols,
		PingInterval:    c.Engine.PingInterval,
		ReconnectWindow: c.ReconnectWindow,
		Move:            session.Move{Rate: c.Drain.Rate, Grace: c.Drain.Grace},
		MaxAge:          c.Session.MaxAge,
		Limits: session.Limits{
			MessageBytes:     c.Limits.MessageBytes,
			WriteBufferBytes: c.Limits.WriteBufferBytes,
			ReplayBytes:      c.Limits.ReplayBytes,
			RoomNameBytes:    c.Limits.RoomNameBytes,
			JSONDepth:        c.Limits.JSONDepth,
			ProtocolErrors:   c.Limits.ProtocolErrors,
			FramesPerSecond:  c.Limits.FramesPerSecond,
			FramesBurst:      c.Limits.FramesBurst,
			BytesPerSecond:   c.Limits.BytesPerSecond,
			BytesBurst:       c.Limits.BytesBurst,
			WatchedUsers:     c.Limits.WatchedUsers,
		},
		Namespaces: namespaces,
		DataUpdate: deliveryRule(c.Delivery.DataUpdate),
		Inbox:      session.History(c.Inbox),
	}
}

// messageLimits are those of single messages.
func messageLimits(c Config) message.Limits {
	return message.Limits{Bytes: c.Limits.MessageBytes, Depth: c.Limits.JSONDepth}
}

func deliveryRule(c DeliveryRuleConfig) session.Delivery {
	return session.Delivery{Class: session.Class(c.Class), MaxAge: c.MaxAge}
}

// engineConfig is what package engine needs. In development any page may
// connect, unless origins are configured.
func engineConfig(c Config) engine.Config {
	origins := c.Engine.Origins
	if c.Development && len(origins) == 0 {
		origins = []string{"*"}
	}
	return engine.Config{
		Addr:             c.Listen,
		Pollers:          c.Engine.Pollers,
		MaxConnections:   c.Engine.MaxConnections,
		HandshakeTimeout: c.Engine.HandshakeTimeout,
		CloseTimeout:     c.Engine.CloseTimeout,
		PingInterval:     c.Engine.PingInterval,
		PongTimeout:      c.Engine.PongTimeout,
		PongMissed:       session.NoPong(c.ReconnectWindow),
		CloseText:        closeText,
		Origins:          origins,
		Compression:      engine.Compression(c.Engine.Compression),
	}
}

// closeText is a close reason as clients expect it, with codes of RFC 6455 too.
func closeText(why string) string {
	return string(append(message.AppendString([]byte(`{"reason":`), why), '}'))
}
