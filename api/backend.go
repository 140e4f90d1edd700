package api

import (
	"context"
	"encoding/json"

	"github.com/ginforge/gateway/cluster"
	"github.com/ginforge/gateway/pubsub/nodes"
	"github.com/ginforge/gateway/session/auth"
)

// Backend is what the calls are made of. All of it may wait for Redis and other
// nodes, within the context.
type Backend struct {
	Publisher Publisher
	Cluster   Cluster
	History   History
	Revoker   Revoker
	Console   Console
	Tracer    Tracer
	// Stats is the numbers of this node, to be encoded as JSON.
	Stats func() any
	// Drain begins the drain of this node, and returns.
	Drain func()
}

// Publisher publishes; it returns an error that wraps ErrUnavailable when nothing
// was published and it may be tried again.
type Publisher interface {
	// Publish publishes payload on a channel; id, unless empty, is that by which
	// a room or an inbox that keeps history knows a message that comes twice.
	Publish(ctx context.Context, to Channel, payload []byte, id string) (Published, error)
}

// Published is what became of a message.
type Published struct {
	// Offset and Epoch say where a room or an inbox that keeps history has it.
	Offset uint64 `json:"offset,omitempty"`
	Epoch  string `json:"epoch,omitempty"`
	// Duplicate says that its id had come before: nothing was published.
	Duplicate bool `json:"duplicate,omitempty"`
}

// Cluster is all nodes; *cluster.Cluster implements it.
type Cluster interface {
	Members(ctx context.Context, room string, limit int) (cluster.Members, error)
	OnlineUsers(ctx context.Context, after string, limit int) (cluster.Page, error)
	Devices(ctx context.Context, user string) (cluster.Devices, error)
	Disconnect(ctx context.Context, user string, which cluster.Selector, why cluster.Why) (int, []string, error)
	Online(ctx context.Context, users []string) ([]bool, error)
	Rooms(ctx context.Context, prefix, after string, limit int) (cluster.RoomPage, error)
	Join(ctx context.Context, user, room string) (int, []string, error)
	Leave(ctx context.Context, user, room string) (int, []string, error)
	Nodes() []nodes.Node
	Drain(ctx context.Context, node string) error
}

// History reads what a room has kept.
type History interface {
	// ReadHistory returns up to limit messages of a room behind an offset. It
	// returns ErrNoHistory for a room that keeps none.
	ReadHistory(ctx context.Context, room string, after uint64, limit int) (Log, error)
}

// Log is a part of what a room has kept.
type Log struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"` // of the latest message
	First  uint64 `json:"first"`  // of the oldest that is kept
	// Messages are in order, each with its offset.
	Messages []Kept `json:"messages"`
}

// Kept is one message.
type Kept struct {
	Offset  uint64          `json:"offset"`
	Message json.RawMessage `json:"message"`
}

// Revoker makes tokens void.
type Revoker interface {
	// Revoke returns when the revocation is kept and the other nodes have been
	// told.
	Revoke(ctx context.Context, r auth.Revocation) error
	// Verify checks a token that is to be revoked.
	Verify(token string) (auth.Identity, error)
}
