package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ginforge/gateway/api"
	"github.com/ginforge/gateway/cluster"
	"github.com/ginforge/gateway/pubsub"
	"github.com/ginforge/gateway/pubsub/stream"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session"
	"github.com/ginforge/gateway/session/auth"
)

// internalAPI is what the internal listener serves under /api/v1.
func (n *node) internalAPI(verifier *auth.Verifier) *api.Server {
	return api.New(api.Config{
		Keys:     n.cfg.Admin.APIKeys,
		Open:     n.cfg.Development,
		Prefix:   n.cfg.Redis.Prefix,
		Message:  messageLimits(n.cfg),
		RoomName: func(name string) bool { return session.ValidRoomName(name, n.cfg.Limits.RoomNameBytes) },
	}, api.Backend{
		Publisher: apiPublisher{n, n.rules()},
		Cluster:   n.together.cluster,
		History:   apiHistory{n.bus, n.rules()},
		Revoker:   apiRevoker{n, verifier},
		Console:   n.console,
		Tracer:    apiTracer{n},
		Stats:     func() any { return n.stats() },
		Drain:     func() { n.startDrain(context.Background()) },
	}, n.component("api"))
}

// rules says what is kept of the messages of a room or a user.
func (n *node) rules() func(room.Key) session.History {
	cfg := sessionConfig(n.cfg)
	return cfg.HistoryOf
}

// apiPublisher is the bus as the API sees it.
type apiPublisher struct {
	node  *node
	rules func(room.Key) session.History
}

// busKinds are the channels of the API.
var busKinds = map[string]pubsub.Kind{
	api.Broadcast: pubsub.KindBroadcast, api.User: pubsub.KindUser,
	api.Notification: pubsub.KindNotification, api.Room: pubsub.KindRoom,
}

// answer is what the bus has said.
type reply[T any] struct {
	value T
	err   error
}

// await waits for the answer of something that was accepted by the bus.
func await[T any](ctx context.Context, answers <-chan reply[T], accepted error) (value T, err error) {
	if accepted != nil {
		return value, unavailable(accepted)
	}
	select {
	case a := <-answers:
		return a.value, unavailable(a.err)
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

// logged is the key of a channel whose messages are kept.
func (p apiPublisher) logged(to api.Channel) (key room.Key, rules session.History, kept bool) {
	switch to.Kind {
	case api.Room:
		key = room.Room(to.Name)
	case api.User, api.Notification:
		key = room.User(to.Name)
	default:
		return key, rules, false
	}
	rules = p.rules(key)
	return key, rules, rules.Size > 0
}

func (p apiPublisher) Publish(ctx context.Context, to api.Channel, payload []byte, id string) (api.Published, error) {
	p.node.ingress(viaAPI, apiKeyOf(to), payload)
	if key, rules, kept := p.logged(to); kept {
		return p.keep(ctx, to, key, rules, payload, id)
	}
	answers := make(chan reply[struct{}], 1)
	err := p.node.bus.Publish(busKinds[to.Kind], to.Name, payload, func(err error) { answers <- reply[struct{}]{err: err} })
	_, err = await(ctx, answers, err)
	return api.Published{}, err
}

// apiKeyOf is the room or user of a channel, nobody's for a broadcast.
func apiKeyOf(to api.Channel) stream.Key {
	if to.Kind == api.Room {
		return stream.Key{Kind: stream.Room, Name: to.Name}
	}
	return stream.Key{Kind: stream.User, Name: to.Name}
}

// keep appends a message to the log of a room or a user.
func (p apiPublisher) keep(
	ctx context.Context, to api.Channel, key room.Key, rules session.History, payload []byte, id string,
) (api.Published, error) {
	payload, own, err := p.node.sessions.ForLog(busTargets[busKinds[to.Kind]], to.Name, payload, time.Now())
	if err != nil {
		return api.Published{}, err
	}
	answers := make(chan reply[stream.Appended], 1)
	what := stream.Append{
		Key: logKey(key), Rules: stream.Rules{Size: rules.Size, TTL: rules.TTL},
		Payload: payload, Dedupe: cmp.Or(id, own), AtLeast: stream.Position(p.node.hub.LogPosition(key)),
	}
	err = p.node.bus.Append(what, func(a stream.Appended, err error) {
		p.node.appended(what, a, err)
		answers <- reply[stream.Appended]{a, err}
	})
	at, err := await(ctx, answers, err)
	return api.Published{Offset: at.Offset, Epoch: at.Epoch, Duplicate: at.Duplicate}, err
}

// unavailable says of the errors that pass that they do.
func unavailable(err error) error {
	if errors.Is(err, pubsub.ErrAway) || errors.Is(err, pubsub.ErrBusy) || errors.Is(err, pubsub.ErrClosed) {
		return fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	return err
}

// apiHistory is the logs of rooms as the API sees them.
type apiHistory struct {
	bus   *pubsub.Bus
	rules func(room.Key) session.History
}

func (h apiHistory) ReadHistory(ctx context.Context, name string, after uint64, limit int) (api.Log, error) {
	key := room.Room(name)
	if h.rules(key).Size == 0 {
		return api.Log{}, api.ErrNoHistory
	}
	answers := make(chan reply[stream.Page], 1)
	err := h.bus.ReadLog(logKey(key), after, limit, func(page stream.Page, err error) { answers <- reply[stream.Page]{page, err} })
	page, err := await(ctx, answers, err)
	if err != nil {
		return api.Log{}, err
	}
	return logOf(page), nil
}

func logOf(page stream.Page) api.Log {
	log := api.Log{Epoch: page.Epoch, Offset: page.Offset, First: page.First}
	for _, e := range page.Entries {
		if json.Valid([]byte(e.Payload)) { // it may have been put there by hand
			log.Messages = append(log.Messages, api.Kept{Offset: e.Offset, Message: json.RawMessage(e.Payload)})
		}
	}
	return log
}

// apiRevoker is revocation as the API sees it.
type apiRevoker struct {
	node     *node
	verifier *auth.Verifier
}

func (r apiRevoker) Verify(token string) (auth.Identity, error) { return r.verifier.Verify(token) }

func (r apiRevoker) Revoke(ctx context.Context, what auth.Revocation) error {
	if !r.node.bus.State().Connected {
		return api.ErrUnavailable
	}
	return r.node.revoke(ctx, what)
}

// roomsHere is the rooms of this node as package cluster sees them.
type roomsHere struct{ node *node }

func (r roomsHere) Rooms(prefix, after string, limit int) []cluster.RoomCount {
	rooms := r.node.hub.Rooms(prefix, after, limit)
	list := make([]cluster.RoomCount, len(rooms))
	for i, c := range rooms {
		list[i] = cluster.RoomCount{Room: c.Name, Connections: c.Connections}
	}
	return list
}

func (r roomsHere) JoinRoom(user, room string) int  { return r.node.sessions.JoinRoom(user, room) }
func (r roomsHere) LeaveRoom(user, room string) int { return r.node.sessions.LeaveRoom(user, room) }
