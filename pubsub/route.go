package pubsub

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// route is where a link lets messages and questions go to. It is good for as
// long as the link.
type route struct {
	node   *redis.Client         // publishes on channels: one server, for their order
	client redis.UniversalClient // asks and appends: node itself, or a client of the whole Cluster
	store  *stream.Store
	once   sync.Once // guards the scripts' loading
	leave  func()    // ends the link
}

// newRoute returns the route of a link to node, one of client's servers.
func newRoute(cfg Config, client redis.UniversalClient, node *redis.Client) *route {
	r := &route{node: node, client: node}
	_, cluster := client.(*redis.ClusterClient)
	if cluster {
		r.client = client
	}
	r.store = stream.New(r.client, stream.Options{Prefix: cfg.Prefix, Sharded: cluster})
	return r
}

// prepare loads the scripts before their first use, so that a pipeline need
// not find out, in the middle of a log's messages, that Redis lacks them.
func (r *route) prepare(ctx context.Context) { r.once.Do(func() { r.store.Load(ctx) }) }

// setRoute says where messages and questions go from now on; nil refuses them.
func (b *Bus) setRoute(to *route) {
	b.outbox.setRoute(to)
	b.asks.setRoute(to)
}
