package pubsub

import (
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// commandConnections is how many calls may be on their way to one server at a
// time; more wait for each other.
const commandConnections = 8

// Commands returns the client for everything that is neither subscribed nor
// published by the Bus itself: scripts, leases, streams. It is one for the life
// of the Bus, which closes it; it connects when it is first used, and anew after
// Redis was away. Its calls wait for the network, at most ioTimeout for each
// answer, so they are for goroutines of their own and never for a poller or a
// shard's worker. It retries nothing: what a caller sends is carried out once or
// not at all, or the error does not say which.
func (b *Bus) Commands() redis.UniversalClient { return b.commands }

// Prefix begins the name of every channel and key: Config.Prefix.
func (b *Bus) Prefix() string { return b.cfg.Prefix }

// newCommands returns the client of Commands.
func newCommands(t target) redis.UniversalClient {
	o := t.options // a copy
	o.Dialer = dialer(o.TLSConfig)
	o.Protocol = 2
	o.MaxRetries, o.DialerRetries = -1, 1
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	o.ConnMaxLifetime = t.lifetime()
	o.PoolSize, o.PipelinePoolSize = commandConnections, -1
	o.ReadBufferSize, o.WriteBufferSize = clientBuffer, clientBuffer
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return newUniversal(o)
}
