package pubsub

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// A link publishes, appends and asks over other connections than the subscribed one,
// and after a failover go-redis has those at the new master at once, also when the old
// one hangs or is cut off from Sentinel and so keeps the subscription. What was said
// then would be heard by nobody, and take the offsets of messages that nodes have yet
// to put back. So a link notes the history of the server over the subscribed connection
// itself, before it subscribes; every other connection of its client is asked too
// before it is used, and every second the link looks whether it would still come to the
// same server. Where the answer is another history the link ends at once.
//
// A server that lives gets another history when its first replica comes, or an hour
// after the last has gone. That ends a link for nothing, which is rare enough.

// watchInterval is how often a link looks whether it would still come to its server.
const watchInterval = time.Second

// watchTimeout bounds one look, which may be long when a Sentinel is dead; the next
// does not wait for it. See dialTimeout.
const watchTimeout = dialTimeout

// lookBuffer is what a look has to read into and to write from: it dials each second,
// and with clientBuffer the garbage of a minute is as much as a thousand users take.
const lookBuffer = 512

// errElsewhere is why a link ends when its client comes to another server.
var errElsewhere = errors.New("another server answers in place of the one subscribed at")

// newLink returns a link to a server of t, for what in wants; s is nil for the Bus's own.
func (b *Bus) newLink(t target, in *interest, s *shard) *link {
	l := &link{bus: b, interest: in, shard: s}
	t.options.OnConnect, t.options.Dialer = l.compare, l.dialer(t.options.TLSConfig)
	l.client = newClient(t)
	l.target = t
	return l
}

// settling returns that of the link's server, nil for the Bus's own link in a Cluster:
// any master will do for that.
func (l *link) settling() *settling {
	switch {
	case l.shard != nil:
		return &l.shard.settling
	case l.bus.shards != nil:
		return nil
	}
	return &l.bus.settling
}

// noteServer takes the history of the server that the link is connected to, before
// anything is subscribed, or appended by it.
func (l *link) noteServer() error {
	s := l.settling()
	if s == nil {
		return nil
	}
	info, err := l.info("replication")
	var refused refusal
	if err != nil && !errors.As(err, &refused) { // the embedded Redis has no such section, others may not allow it
		return err
	}
	history := stream.InfoField(info, "master_replid")
	if history == "" && l.bus.embedded == nil {
		l.bus.nameless.Do(func() {
			l.bus.log.Warn().Err(err).Msg("redis does not say its replication history, which INFO has: " +
				"messages with history wait after each new connection, and may come twice or be lost after a failover")
		})
	}
	l.history.Store(&history)
	s.note(history, l.bus.cfg.Settle, func() { l.cancel(errElsewhere) })
	return nil
}

// info asks for a section of INFO over the link's own connection, on which nothing is
// subscribed yet. An error that is no refusal is the connection's.
func (l *link) info(section string) (string, error) {
	if err := l.conn.SetDeadline(time.Now().Add(ioTimeout)); err != nil {
		return "", err
	}
	if _, err := l.conn.Write(appendInfo(nil, section)); err != nil {
		return "", err
	}
	// Nothing else is due, so that nothing is read beyond this.
	p, err := newPushReader(l.conn, clientBuffer).read()
	if err != nil {
		return "", errors.Join(err, l.conn.SetDeadline(time.Time{}))
	}
	return p.payload, l.conn.SetDeadline(time.Time{})
}

// compare asks the server that a new connection of the link's client has come to for
// its history. If that is not the link's, the link ends, and so does the connection.
func (l *link) compare(ctx context.Context, c *redis.Conn) error {
	own := l.history.Load()
	if own == nil || *own == "" {
		return nil // it is the subscribed one, or there is nothing to tell servers by
	}
	other, err := stream.AskInfo(ctx, c, "replication", "master_replid")
	if err != nil {
		return err
	}
	if other != "" && other != *own { // Sentinel has none
		l.settling().elsewhere(*own)
		return errElsewhere
	}
	return nil
}

// watch compares until ctx ends. In a Cluster a link has one address, and shards look
// who is to be there.
func (l *link) watch(ctx context.Context) {
	if own := l.history.Load(); own == nil || *own == "" || l.shard != nil {
		return
	}
	client := newLookClient(l.target)
	defer client.Close()
	node, err := oneNode(ctx, client)
	if err != nil {
		return // it is a Cluster's
	}
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l.watcher.Go(func() { look(ctx, node) })
	}
}

// newLookClient returns the client for looks at t.
func newLookClient(t target) redis.UniversalClient {
	t.options.ReadBufferSize, t.options.WriteBufferSize = lookBuffer, lookBuffer
	t.options.ConnMaxIdleTime = time.Nanosecond // what one look has not waited for is not for the next
	return newClient(t)
}

// look compares once. It dials, as only then Sentinel, or a name, is asked where the
// server is. One that does not answer is no other server: the subscribed connection
// will tell.
func look(ctx context.Context, node *redis.Client) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	// Not a redis.PubSub, which dials too: its buffers have 64 KiB whatever the options say.
	other := node.EphemeralConn()
	_ = other.Ping(ctx) // dials, and so compares
	_ = other.Close()
}
