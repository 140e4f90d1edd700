package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/nodes"
)

// The most that one answer holds.
const (
	MaxMembers = 1000 // users of a room, or of a page of those online
	MaxDevices = 1000 // devices of a user
	MaxAsked   = 1000 // users in one question for who is online
)

// ErrTooMany is returned for a question about too many users.
var ErrTooMany = errors.New("cluster: too many users in one question")

// Present is a user that is in a room, or online.
type Present struct {
	UserID   string `json:"user_id"`
	UserName string `json:"user_name"`
	Devices  int    `json:"devices"` // its connections there
}

// Device is one connection of a user.
type Device struct {
	Node     string `json:"node"`      // the node's ID
	ClientID string `json:"client_id"` // as in welcome
	// DeviceID is what the client calls its device, "" when it did not say.
	DeviceID string `json:"device_id,omitempty"`
}

// Members is who is in a room.
type Members struct {
	Users       []Present `json:"users"`       // each once, up to the limit
	Connections int       `json:"connections"` // of all members
	// Missing are the IDs of nodes that did not answer.
	Missing []string `json:"missing_nodes,omitempty"`
}

// Page is a part of the users that are online, in the order of their ids.
type Page struct {
	Users []Present `json:"users"`
	// Total is the sum of what each node counts: a user with devices at two
	// counts twice.
	Total   int64    `json:"total"`
	Missing []string `json:"missing_nodes,omitempty"`
}

// Devices is what a user is connected with.
type Devices struct {
	Devices []Device `json:"devices"`
	Missing []string `json:"missing_nodes,omitempty"`
}

// Selector picks connections of a user: those of one device or with one client
// id, or all of them when both are empty.
type Selector struct {
	DeviceID string `json:"device_id,omitempty"`
	ClientID string `json:"client_id,omitempty"`
}

// Why says why connections are ended.
type Why string

// The reasons why another node may end connections here.
const (
	Replaced     Why = "replaced"     // by a newer device: 4008
	LimitReached Why = "limit"        // the user has too many devices: 4009
	Disconnected Why = "disconnected" // by the backend: 4010
)

// Local is this node. Its methods may be called from any goroutine and wait for
// nothing but short locks.
type Local interface {
	// Members returns up to limit users of a room, and its connections.
	Members(room string, limit int) ([]Present, int)
	// OnlineUsers returns up to limit users whose ids sort behind after.
	OnlineUsers(after string, limit int) ([]Present, int64)
	// Devices returns up to limit connections of a user, without Node.
	Devices(user string, limit int) []Device
	// Disconnect ends those connections of a user and returns how many.
	Disconnect(user string, which Selector, why Why) int
}

// Cluster is all nodes, as one of them sees them. Its methods may be called from
// any goroutine.
type Cluster struct {
	nodes *nodes.Registry
	local Local
	users Users
	drain func() error // set by OnDrain
	log   zerolog.Logger
}

// Users knows who is online anywhere; *presence.Presence implements it.
type Users interface {
	// Online reports for each of users whether it is. It may wait for Redis.
	Online(ctx context.Context, users []string) ([]bool, error)
}

// New makes a cluster of the nodes that r knows, before r runs.
func New(r *nodes.Registry, local Local, users Users, log zerolog.Logger) *Cluster {
	c := &Cluster{nodes: r, local: local, users: users, log: log}
	c.handle()
	return c
}

// OnDrain says how this node is drained: f begins it and returns. Called before
// the registry runs.
func (c *Cluster) OnDrain(f func() error) { c.drain = f }

// Nodes returns the live nodes, this one first. It does not wait.
func (c *Cluster) Nodes() []nodes.Node { return c.nodes.Live() }

// Refresh has this node's lease say at once what has changed.
func (c *Cluster) Refresh() { c.nodes.Refresh() }

// Window is nodes.Registry.Window.
func (c *Cluster) Window(connections int64, least, most time.Duration) time.Duration {
	return c.nodes.Window(connections, least, most)
}

// Online reports for each of users, MaxAsked at most, whether it is online at
// any node. It waits for Redis.
func (c *Cluster) Online(ctx context.Context, users []string) ([]bool, error) {
	if len(users) > MaxAsked {
		return nil, fmt.Errorf("%w: %d, at most %d", ErrTooMany, len(users), MaxAsked)
	}
	return c.users.Online(ctx, users)
}

// Drain has a node, by its ID, send its clients elsewhere and end. It waits until
// the node says that it has begun.
func (c *Cluster) Drain(ctx context.Context, node string) error {
	if _, err := c.nodes.Ask(ctx, node, opDrain, nil); err != nil {
		return fmt.Errorf("cluster: drain: %w", err)
	}
	return nil
}

// Disconnect ends connections of a user at every node and returns how many. It
// waits for the nodes; those that did not answer may still do it.
func (c *Cluster) Disconnect(ctx context.Context, user string, which Selector, why Why) (ended int, missing []string, err error) {
	got, err := c.nodes.AskAll(ctx, opDisconnect, disconnectArgs{User: user, Selector: which, Why: why})
	if err != nil {
		return 0, nil, fmt.Errorf("cluster: disconnect: %w", err)
	}
	err = each(got, func(n int) { ended += n })
	return ended, got.Missing, err
}

// each decodes every node's answer; the first that is an error, or cannot be
// read, is returned in the end.
func each[T any](got nodes.Answers, f func(T)) (first error) {
	for _, a := range got.Answers {
		var v T
		err := a.Err
		if err == nil {
			err = json.Unmarshal(a.Data, &v)
		}
		if err != nil {
			if first == nil {
				first = fmt.Errorf("cluster: answer of %s: %w", a.Node, err)
			}
			continue
		}
		f(v)
	}
	return first
}
