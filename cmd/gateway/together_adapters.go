package main

import (
	"context"
	"time"

	"github.com/ginforge/gateway/cluster"
	"github.com/ginforge/gateway/pubsub"
	"github.com/ginforge/gateway/pubsub/presence"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session"
)

// statusSubscriber is a room.Subscriber for a hub whose users' status is shared:
// those who watch a user, and rooms with presence, have channels for that too.
type statusSubscriber struct {
	room.Subscriber
	bus        *pubsub.Bus
	namespaces session.Namespaces
}

func (s statusSubscriber) Subscribe(key room.Key, confirmed func()) {
	if key.Kind == room.KindWatch {
		s.bus.Subscribe(pubsub.KindStatus, key.Name, confirmed)
		return
	}
	// Redis confirms in the order in which it was asked, so that the room's
	// presence is heard when the room is.
	if s.hasPresence(key) {
		s.bus.Subscribe(pubsub.KindHere, key.Name, nil)
	}
	s.Subscriber.Subscribe(key, confirmed)
}

func (s statusSubscriber) Unsubscribe(key room.Key) {
	if key.Kind == room.KindWatch {
		s.bus.Unsubscribe(pubsub.KindStatus, key.Name)
		return
	}
	if s.hasPresence(key) {
		s.bus.Unsubscribe(pubsub.KindHere, key.Name)
	}
	s.Subscriber.Unsubscribe(key)
}

func (s statusSubscriber) hasPresence(key room.Key) bool {
	return key.Kind == room.KindRoom && s.namespaces.HasPresence(key.Name)
}

// presenceHere is this node as package presence sees it.
type presenceHere struct {
	hub      *room.Hub
	sessions *session.Manager
}

func (h presenceHere) State(user string) presence.State { return presence.State(h.hub.Status(user)) }
func (h presenceHere) Users(f func(string))             { h.hub.Users(f) }
func (h presenceHere) Watched(f func(string))           { h.hub.Watched(f) }

func (h presenceHere) Devices(user string) []presence.Device {
	devices := h.sessions.Devices(user, cluster.MaxDevices)
	list := make([]presence.Device, len(devices))
	for i, d := range devices {
		list[i] = presence.Device(d)
	}
	return list
}

// deviceLimit is presence as sessions see it.
type deviceLimit struct{ presence *presence.Presence }

func (l deviceLimit) Admit(user, clientID, deviceID string, done func(bool)) {
	l.presence.Admit(user, presence.Device{ClientID: clientID, DeviceID: deviceID}, func(d presence.Decision) {
		done(d != presence.Refused)
	})
}

func (l deviceLimit) Settled(user, clientID string) { l.presence.Settled(user, clientID) }

// usersHere answers who is online where presence is each node's own affair.
type usersHere struct{ hub *room.Hub }

func (u usersHere) Online(_ context.Context, users []string) ([]bool, error) {
	return u.hub.OnlineEach(users), nil
}

// nodeHere is this node as package cluster sees it.
type nodeHere struct {
	hub      *room.Hub
	sessions *session.Manager
}

func (h nodeHere) Members(name string, limit int) ([]cluster.Present, int) {
	users, connections := h.hub.InRoom(name, limit)
	return presents(users), connections
}

func (h nodeHere) OnlineUsers(after string, limit int) ([]cluster.Present, int64) {
	return presents(h.hub.OnlineUsers(after, limit)), h.hub.Stats().Users
}

func (h nodeHere) Devices(user string, limit int) []cluster.Device {
	devices := h.sessions.Devices(user, limit)
	list := make([]cluster.Device, len(devices))
	for i, d := range devices {
		list[i] = cluster.Device{ClientID: d.ClientID, DeviceID: d.DeviceID}
	}
	return list
}

func (h nodeHere) Disconnect(user string, which cluster.Selector, why cluster.Why) int {
	var clients []string
	if which.ClientID != "" {
		clients = []string{which.ClientID}
	}
	reasons := map[cluster.Why]session.Why{cluster.Replaced: session.Replaced, cluster.LimitReached: session.OverLimit}
	return h.sessions.Disconnect(user, clients, which.DeviceID, reasons[why]) // Disconnected is the zero Why
}

func presents(users []room.Presence) []cluster.Present {
	list := make([]cluster.Present, len(users))
	for i, u := range users {
		list[i] = cluster.Present(u)
	}
	return list
}

func presences(users []cluster.Present) []room.Presence {
	list := make([]room.Presence, len(users))
	for i, u := range users {
		list[i] = room.Presence(u)
	}
	return list
}

// sessionNodes is all nodes as sessions see them. When Redis cannot be asked, the
// answer is what this node knows; watchers are told the rest when it is known.
type sessionNodes struct{ node *node }

func (s sessionNodes) Others() bool { return s.node.together.nodes.Others() > 0 }

func (s sessionNodes) Online(users []string, done func([]bool)) bool {
	n := s.node
	if n.together.presence == nil {
		done(n.hub.OnlineEach(users))
		return true
	}
	return n.together.questions.Ask(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, questionTimeout)
		defer cancel()
		online, err := n.together.cluster.Online(ctx, users)
		if err != nil {
			n.log.Debug().Err(err).Msg("presence of this node only")
			online = n.hub.OnlineEach(users)
		}
		done(online)
		if err != nil {
			n.together.presence.Guessed(offline(users, online))
		}
	})
}

// offline are those of users who are not online.
func offline(users []string, online []bool) []string {
	var list []string
	for i, u := range users {
		if !online[i] {
			list = append(list, u)
		}
	}
	return list
}

func (s sessionNodes) InRoom(name string, limit int, done func([]room.Presence, int)) bool {
	n := s.node
	if !s.Others() {
		done(n.hub.InRoom(name, limit))
		return true
	}
	return n.together.questions.Ask(func(ctx context.Context) {
		members, err := n.together.cluster.Members(ctx, name, limit)
		if err != nil {
			n.log.Debug().Err(err).Msg("members of this node only")
			done(n.hub.InRoom(name, limit))
			return
		}
		done(presences(members.Users), members.Connections)
	})
}

func (s sessionNodes) OnlineUsers(after string, limit int, done func([]room.Presence, int64)) bool {
	n := s.node
	if !s.Others() {
		done(n.hub.OnlineUsers(after, limit), n.hub.Stats().Users)
		return true
	}
	return n.together.questions.Ask(func(ctx context.Context) {
		page, err := n.together.cluster.OnlineUsers(ctx, after, limit)
		if err != nil {
			n.log.Debug().Err(err).Msg("users of this node only")
			done(n.hub.OnlineUsers(after, limit), n.hub.Stats().Users)
			return
		}
		done(presences(page.Users), page.Total)
	})
}

func (s sessionNodes) Window() time.Duration {
	n := s.node
	return n.together.cluster.Window(n.hub.Stats().Members, n.cfg.ReconnectWindow, n.cfg.ReconnectWindowMax)
}

// questionTimeout is how long a client's question may wait for Redis.
const questionTimeout = time.Second
