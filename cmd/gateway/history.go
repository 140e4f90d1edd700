package main

import (
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/pubsub"
	"github.com/ginforge/gateway/pubsub/stream"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session"
)

// busLogs is the bus as rooms and sessions see it for what is kept.
type busLogs struct {
	bus   *pubsub.Bus
	rules func(room.Key) session.History
	node  *node
}

var (
	_ room.Store   = busLogs{}
	_ session.Logs = busLogs{}
)

// logKey is a key as the bus knows it; rooms ask only for what has a log.
func logKey(key room.Key) stream.Key {
	if key.Kind == room.KindUser {
		return stream.Key{Kind: stream.User, Name: key.Name}
	}
	return stream.Key{Kind: stream.Room, Name: key.Name}
}

func (b busLogs) rulesOf(key room.Key) stream.Rules {
	h := b.rules(key)
	return stream.Rules{Size: h.Size, TTL: h.TTL}
}

// Append implements session.Logs.
func (b busLogs) Append(m session.LogMessage, done func(room.Position, bool, error)) error {
	what := stream.Append{
		Key:     logKey(m.Key),
		Rules:   stream.Rules{Size: m.Size, TTL: m.TTL},
		Payload: m.Payload,
		Dedupe:  m.Dedupe,
		AtLeast: stream.Position(m.Taken),
	}
	b.node.ingress(viaFrame, what.Key, m.Payload)
	return b.bus.Append(what, func(a stream.Appended, err error) {
		b.node.appended(what, a, err)
		done(room.Position(a.Position), a.Duplicate, err)
	})
}

// ReadInbox implements session.Logs.
func (b busLogs) ReadInbox(userID string, after uint64, limit int, done func([]room.Entry, error)) error {
	return b.bus.ReadLog(logKey(room.User(userID)), after, limit, func(p stream.Page, err error) { done(entries(p.Entries), err) })
}

// AckInbox implements session.Logs.
func (b busLogs) AckInbox(userID, device string, offset uint64, done func(error)) error {
	return b.bus.AckInbox(userID, device, offset, func(acked uint64, err error) {
		if err == nil {
			b.node.acked(userID, device, acked)
		}
		done(err)
	})
}

// Read implements room.Store.
func (b busLogs) Read(key room.Key, after uint64, limit int, done func(room.Page, error)) {
	err := b.bus.ReadLog(logKey(key), after, limit, func(p stream.Page, err error) { done(page(p), err) })
	if err != nil {
		done(room.Page{}, err)
	}
}

// Positions implements room.Store.
func (b busLogs) Positions(keys []room.Key, done func([]room.Position, error)) {
	of := make([]stream.Key, len(keys))
	for i, key := range keys {
		of[i] = logKey(key)
	}
	err := b.bus.Positions(of, func(at []stream.Position, err error) {
		positions := make([]room.Position, len(at))
		for i, p := range at {
			positions[i] = room.Position(p)
		}
		done(positions, err)
	})
	if err != nil {
		done(nil, err)
	}
}

// Restore implements room.Store.
func (b busLogs) Restore(key room.Key, known room.Position, kept []room.Entry, done func(room.Position, error)) {
	lost := make([]stream.Entry, len(kept))
	for i, e := range kept {
		lost[i] = stream.Entry(e)
	}
	r := stream.Restore{Key: logKey(key), Rules: b.rulesOf(key), Known: stream.Position(known), Entries: lost}
	err := b.bus.Restore(r, func(r stream.Restored, err error) { done(room.Position(r.Position), err) })
	if err != nil {
		done(room.Position{}, err)
	}
}

// OpenInbox implements room.Store.
func (b busLogs) OpenInbox(q room.InboxQuery, done func(room.Inbox, error)) {
	of := stream.InboxQuery{User: q.UserID, Device: q.Device, After: stream.Position(q.After), Limit: q.Limit, Bytes: q.Bytes}
	err := b.bus.OpenInbox(of, func(in stream.Inbox, err error) {
		done(room.Inbox{Page: page(in.Page), After: in.After, Unread: in.Unread}, err)
	})
	if err != nil {
		done(room.Inbox{}, err)
	}
}

func page(p stream.Page) room.Page {
	return room.Page{Position: room.Position(p.Position), Entries: entries(p.Entries)}
}

func entries(from []stream.Entry) []room.Entry {
	to := make([]room.Entry, len(from))
	for i, e := range from {
		to[i] = room.Entry(e)
	}
	return to
}

// history is what package room needs for what is kept. The frames are the
// sessions' to make, which exist before anybody is in a room.
func (n *node) history(rules func(room.Key) session.History) room.History {
	return room.History{
		Size:  func(key room.Key) int { return rules(key).Size },
		TTL:   func(key room.Key) time.Duration { return rules(key).TTL },
		Store: busLogs{n.bus, rules, n},
		Frame: func(key room.Key, offset uint64, payload string) *engine.Frame {
			return n.sessions.LogFrame(key, offset, payload)
		},
		Renewed:       func(key room.Key, at room.Position) *engine.Frame { return n.sessions.RenewedFrame(key, at) },
		CheckInterval: n.cfg.History.CheckInterval,
		ReplayBytes:   n.cfg.Limits.ReplayBytes,
	}
}

// logTargets says whose logs the kinds of live channels are.
var logTargets = map[pubsub.Kind]room.Kind{
	pubsub.KindRoomLog: room.KindRoom,
	pubsub.KindUserLog: room.KindUser,
}

// receiveLog brings a message of a log to its members.
func (n *node) receiveLog(kind room.Kind, d pubsub.Delivery) {
	key := room.Key{Kind: kind, Name: d.Name}
	if d.Resumed {
		n.hub.CheckLog(key)
		return
	}
	n.hub.DeliverLog(key, d.Position.Epoch, room.Entry{Offset: d.Position.Offset, Token: d.Token, Payload: d.Payload})
}
