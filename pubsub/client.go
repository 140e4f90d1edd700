package pubsub

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ioTimeout bounds dialling, one write and one answer. A Redis that takes
// longer counts as away.
const ioTimeout = 3 * time.Second

// dialTimeout bounds dialling together with the question where the server is. It is
// longer than an answer of Sentinel may take: go-redis leaves a Sentinel that does not
// answer only when that was not the end of the dial itself.
const dialTimeout = ioTimeout + time.Second

// nameLifetime is for how long a connection takes further calls when its server is
// known by one address alone. Behind a name or a proxy another server may take its
// place, of which only who dials hears: a connection to the one before, which may live
// on, would be used for ever. Calls that are under way, which may block, go on.
const nameLifetime = 10 * time.Second

// lifetime returns for how long a connection takes further calls, 0 for ever: links
// look after their own, Sentinel and Clusters say who has taken over, and nobody takes
// the place of the embedded Redis.
func (t target) lifetime() time.Duration {
	if t.embedded || t.options.IsClusterMode || t.options.MasterName != "" {
		return 0
	}
	return nameLifetime
}

// errOneConnection ends go-redis's own attempts to repair a subscribed
// connection: links end with their connection, and the Bus starts the next.
var errOneConnection = errors.New("pubsub: the connection of this link is gone")

// newClient returns a client for one link's lifetime. It retries nothing: a
// PUBLISH sent twice is a message delivered twice, and reconnecting is ours.
func newClient(t target) redis.UniversalClient {
	o := t.options // a copy
	if o.Dialer == nil {
		o.Dialer = dialer(o.TLSConfig)
	}
	// Nothing here needs RESP3, with which go-redis looks for push
	// notifications before every read.
	o.Protocol = 2
	o.MaxRetries, o.MaxRedirects, o.DialerRetries = -1, -1, 1
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	o.PoolSize, o.PipelinePoolSize = 4+askWorkers, -1          // one publisher, which retries, the workers, and two Appenders
	o.ConnMaxIdleTime = cmp.Or(o.ConnMaxIdleTime, time.Minute) // before a proxy or Redis itself loses patience
	o.ReadBufferSize, o.WriteBufferSize = cmp.Or(o.ReadBufferSize, clientBuffer), cmp.Or(o.WriteBufferSize, clientBuffer)
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return newUniversal(o)
}

// clientBuffer is what go-redis has to read into and to write from, for each of its
// connections. With its default of 32 KiB, twenty connections took as much memory as
// a thousand users do.
const clientBuffer = 8 << 10

// clusterReload is how old go-redis's idea of a Cluster's shape may be when it
// is used, before it looks again in the background.
const clusterReload = 2 * time.Second

// newUniversal returns the client of o's kind.
func newUniversal(o redis.UniversalOptions) redis.UniversalClient {
	if !o.IsClusterMode {
		return redis.NewUniversalClient(&o)
	}
	cluster := o.Cluster()
	cluster.ClusterStateReloadInterval = clusterReload
	return redis.NewClusterClient(cluster)
}

// oneNode returns the client of the server that a link subscribes and
// publishes at. In a cluster that is any master, as each carries Pub/Sub for
// all; go-redis itself would spread PUBLISHes over the masters in turn, and so
// lose their order.
func oneNode(ctx context.Context, client redis.UniversalClient) (*redis.Client, error) {
	switch c := client.(type) {
	case *redis.Client:
		return c, nil
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, strconv.FormatUint(rand.Uint64(), 36))
	default:
		return nil, fmt.Errorf("unknown kind of client %T", client)
	}
}

// dial opens a connection.
type dial func(ctx context.Context, network, addr string) (net.Conn, error)

// dialer returns the function that opens every connection of a client.
func dialer(config *tls.Config) dial {
	plain := &net.Dialer{Timeout: ioTimeout}
	if config != nil {
		return (&tls.Dialer{NetDialer: plain, Config: config}).DialContext
	}
	return plain.DialContext
}

// dialer is that of the link's own client, those to Sentinel included: connections
// close with the link, whatever call is waiting on them. The subscription, which it
// knows by its context, has one.
func (l *link) dialer(config *tls.Config) dial {
	open := dialer(config)
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if linkOf(ctx) != nil && l.up.Load() {
			return nil, errOneConnection
		}
		conn, err := open(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return tie(l.ctx, conn), nil
	}
}

// handover is the hook by which go-redis hands over the connection that it
// dials for a call with a context of withHandover. The dialer cannot tell:
// with Sentinel, finding the master dials too, with the same context.
type handover struct{}

type handoverKey struct{}

// withHandover returns a context whose call stores the connection it dials.
func withHandover(ctx context.Context, conn *net.Conn) context.Context {
	return context.WithValue(ctx, handoverKey{}, conn)
}

// DialHook is called for each connection to the server itself.
func (handover) DialHook(dial redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if to, ok := ctx.Value(handoverKey{}).(*net.Conn); ok && err == nil {
			*to = conn
		}
		return conn, err
	}
}

// ProcessHook changes nothing.
func (handover) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook changes nothing.
func (handover) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
