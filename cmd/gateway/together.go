package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/ginforge/gateway/cluster"
	"github.com/ginforge/gateway/pubsub"
	"github.com/ginforge/gateway/pubsub/nodes"
	"github.com/ginforge/gateway/pubsub/presence"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session"
)

// together is what makes this node one of several.
type together struct {
	nodes     *nodes.Registry
	cluster   *cluster.Cluster
	questions *cluster.Questions
	presence  *presence.Presence // nil when it is each node's own affair

	edges presence.Edges
}

// Where presence is kept.
const (
	scopeAuto    = "auto"
	scopeCluster = "cluster"
	scopeNode    = "node"
)

// What becomes of one device too many.
const (
	refuseNewest  = "refuse_newest"
	replaceOldest = "replace_oldest"
)

// sharesPresence reports whether presence is kept in Redis for all nodes.
func (c Config) sharesPresence() bool {
	switch c.Presence.Scope {
	case scopeCluster:
		return true
	case scopeNode:
		return false
	default:
		return c.Redis.URL != embeddedURL || c.limitsDevices()
	}
}

func (c Config) limitsDevices() bool { return devicePolicy(c).On() }

func devicePolicy(c Config) presence.Policy {
	return presence.Policy{
		Max:           c.Devices.Max,
		ReplaceOldest: c.Devices.Policy == replaceOldest,
		Unique:        c.Devices.Unique,
	}
}

// answerTimeout is how long other nodes may take to answer; 0 is the default of
// pubsub/nodes. Tests on busy machines set it, before there is a node.
var answerTimeout time.Duration

// joinOthers makes the parts of together. The hub and the sessions are there.
func (n *node) joinOthers() (err error) {
	n.together.nodes, err = nodes.New(nodes.Config{
		ID: nodeID(n.cfg.Node), Name: n.cfg.Node, Version: buildVersion(), Started: n.started,
		Addr: n.addr, Prefix: n.bus.Prefix(), AnswerTimeout: answerTimeout,
	}, n.bus.Commands(), n.load, n.component("nodes"))
	if err != nil {
		return err
	}
	var users cluster.Users = usersHere{n.hub}
	var limit session.DeviceLimit
	if n.cfg.sharesPresence() {
		if err := n.sharePresence(); err != nil {
			return err
		}
		users = n.together.presence
		if n.cfg.limitsDevices() {
			limit = deviceLimit{n.together.presence}
		}
	}
	n.together.questions = cluster.NewQuestions()
	n.together.cluster = cluster.New(n.together.nodes, nodeHere{n.hub, n.sessions}, users, n.component("cluster"))
	n.together.cluster.OnDrain(func() error {
		n.startDrain(context.Background())
		return nil
	})
	n.together.cluster.OnRooms(roomsHere{n})
	n.together.cluster.OnRevoke(n.toldRevoked)
	n.together.nodes.Handle(opKick, n.kicked)
	n.console.watch()
	n.traceTogether()
	n.bus.Subscribe(pubsub.KindControl, "", nil)
	n.bus.Subscribe(pubsub.KindControl, n.together.nodes.ID(), nil)
	n.sessions.Together(sessionNodes{n}, limit)
	return nil
}

func (n *node) sharePresence() (err error) {
	n.together.presence, err = presence.New(presence.Config{
		Prefix: n.bus.Prefix(), Grace: n.cfg.Presence.Grace, Policy: devicePolicy(n.cfg),
		Servers:   func() int64 { return n.bus.Stats().Servers },
		Connects:  func() int64 { return n.bus.Stats().Connects },
		Connected: func() bool { return n.bus.State().Connected },
		Missed:    n.tellMissed,
	}, n.bus.Commands(), presenceHere{n.hub, n.sessions}, n.together.nodes, n.component("presence"))
	if err != nil {
		return err
	}
	n.together.presence.OnKick(n.kick)
	n.together.nodes.OnLife(func(l nodes.Life) { n.together.presence.Again(l.DataLost) })
	return nil
}

// runTogether runs the parts until ctx ends.
func (n *node) runTogether(ctx context.Context) error {
	asked := spawn(func() error { return n.together.questions.Run(ctx) })
	shared := spawn(func() error {
		if n.together.presence == nil {
			return nil
		}
		return n.together.presence.Run(ctx)
	})
	return errors.Join(n.together.nodes.Run(ctx), <-asked, <-shared)
}

// changed is told by the hub that a user's status may have changed.
func (n *node) changed(user string) { n.together.presence.Changed(user) }

// addr is where clients reach this node, once it listens.
func (n *node) addr() string {
	if !n.ready.Load() {
		return ""
	}
	return n.engine.Addr().String()
}

// defaultAccepts is what a node can take in a second when nothing limits it.
const defaultAccepts = 10_000

// load is how busy this node is.
func (n *node) load() nodes.Load {
	s, e := n.hub.Stats(), n.engine.Stats()
	accepts := n.cfg.Admission.HandshakesPerSecond
	if accepts == 0 {
		accepts = defaultAccepts
	}
	return nodes.Load{
		Connections: s.Members, MaxConnections: int64(n.engine.MaxConnections()),
		Users: s.Users, Rooms: s.Rooms,
		AcceptPerSecond: accepts,
		Draining:        n.leaving.begun.Load(),
		Accepted:        e.Accepted,
	}
}

// heard takes what the bus brings for the parts of together, and reports whether
// it was for them. Called by the reader of the bus.
func (n *node) heard(d pubsub.Delivery) bool {
	switch d.Kind {
	case pubsub.KindControl:
		if !n.console.heard(d.Payload) {
			n.together.nodes.Receive(d.Payload)
		}
	case pubsub.KindStatus, pubsub.KindHere:
		n.tellEdge(d.Payload)
	default:
		return false
	}
	return true
}

// tellEdge brings the edge of a user's status to those here whom it concerns.
func (n *node) tellEdge(payload string) {
	edge, first, err := n.together.edges.Read(payload)
	if err != nil {
		n.log.Debug().Err(err).Msg("edge dropped")
	}
	if err == nil && first {
		n.tellWhom(edge)
	}
}

// tellMissed does the same with edges that were published while this node was cut
// off from Redis.
func (n *node) tellMissed(edges []presence.Edge) {
	for _, e := range edges {
		if n.together.edges.First(e) {
			n.tellWhom(e)
		}
	}
}

func (n *node) tellWhom(edge presence.Edge) {
	tell, except := roomKeys(edge.Rooms), roomKeys(edge.Except)
	if edge.Watchers {
		tell = append(tell, room.Watch(edge.User))
	} else {
		except = append(except, room.Watch(edge.User))
	}
	if n.hub.Concerns(tell) {
		n.hub.TellStatus(edge.User, session.StatusFrame(edge.User, edge.Name, edge.Online), tell, except)
	}
}

func roomKeys(names []string) []room.Key {
	keys := make([]room.Key, 0, len(names)+1)
	for _, name := range names {
		keys = append(keys, room.Room(name))
	}
	return keys
}

// opKick has a node end connections of a user that are too many.
const opKick = "kick"

type kickArgs struct {
	User    string   `json:"user"`
	Clients []string `json:"clients"`
	Refused bool     `json:"refused"`
}

// kick has the node of a life end connections, and waits until it has.
func (n *node) kick(ctx context.Context, life, user string, clients []string, refused bool) {
	for _, other := range n.together.nodes.Live() {
		if other.Life != life {
			continue
		}
		if _, err := n.together.nodes.Ask(ctx, other.ID, opKick, kickArgs{user, clients, refused}); err != nil {
			n.log.Warn().Err(err).Str("at", other.ID).Str("user", user).Msg("a device that was replaced may still be there")
		}
		return
	}
}

// kicked is what the other node does then.
func (n *node) kicked(_ context.Context, raw json.RawMessage) (any, error) {
	var args kickArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	why := session.Replaced
	if args.Refused {
		why = session.OverLimit
	}
	if len(args.Clients) == 0 {
		return 0, nil
	}
	return n.sessions.Disconnect(args.User, args.Clients, "", why), nil
}

// nodeID is the id of this process: the name with a random end, so that a node and
// its successor of the same name are two.
func nodeID(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r <= ' ' || r == '"' {
			return '-'
		}
		return r
	}, name)
	return plain + "-" + strconv.FormatInt(time.Now().UnixNano()/1000, 36)
}
