package pubsub

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// lonely is for how long a server whose replicas did not answer is not asked to
// wait for them, where nobody has configured that it must.
const lonely = 10 * time.Second

// Appender appends to logs for those who wait for the answers, and repeat what
// has none: see stream.Order. An append that is repeated must not reach a new
// master before the nodes have put back what that lacks (Restore): the message may
// be among it, and would be taken twice; and one that is new would take an offset
// of theirs. So an append names the server that it is meant for, which is one that
// this node is connected to, and where appends need not wait (settle.go). Any
// other refuses it, however the connection came to be there, and the link ends, to be
// followed by one to that other.
//
// In a Cluster that is so for each master: what one of them has to wait for does
// not keep the others.
//
// Its methods may be called from any goroutine.
type Appender struct {
	bus      *Bus
	store    *stream.Store // follows slots that are being moved
	replicas int           // that are to have what is appended
	must     bool          // or else the answer is an error

	mu    sync.Mutex              // guards the fields below
	peers map[*redis.Client]*peer // by the client of a link
}

// peer is what is known of a server for as long as the link to it.
type peer struct {
	loaded bool      // it knows the scripts
	alone  time.Time // until then nobody waits for its replicas, of which none answered
}

// Appender returns an Appender that waits for Config.WaitReplicas, and gives
// stream.ErrReplicas when they do not answer.
func (b *Bus) Appender() *Appender { return b.newAppender(b.cfg.WaitReplicas, true) }

// DurableAppender returns an Appender for messages that somebody was promised
// not to lose. Where Redis may fail over it waits for one replica even if the
// configuration has none, but does without when there is none that answers.
func (b *Bus) DurableAppender() *Appender {
	o := b.target.options
	if b.cfg.WaitReplicas == 0 && (o.IsClusterMode || o.MasterName != "") {
		return b.newAppender(1, false)
	}
	return b.Appender()
}

func (b *Bus) newAppender(replicas int, must bool) *Appender {
	return &Appender{
		bus: b, store: stream.New(b.commands, b.storeOptions()), replicas: replicas, must: must,
		peers: map[*redis.Client]*peer{},
	}
}

func (b *Bus) storeOptions() stream.Options {
	return stream.Options{Prefix: b.cfg.Prefix, Sharded: b.target.options.IsClusterMode}
}

// server is where a log is to be appended to now.
type server struct {
	client   *redis.Client
	settling *settling
	history  string
	err      error // why nothing can be appended there; the other fields are not for use then
}

// Append is stream.Store.Append, but sends nothing a second time by itself. What
// has to wait is answered with stream.ErrSettling, or ErrAway. Of one log either all
// that the batch has is sent or nothing.
func (a *Appender) Append(ctx context.Context, batch []stream.Append) []stream.Result {
	results := make([]stream.Result, len(batch))
	servers := a.serversOf(batch)
	var going []stream.Append
	var places []int
	for i, m := range batch {
		s := servers[m.Key]
		if s.err != nil {
			results[i].Err = s.err
			continue
		}
		m.History = s.history
		going, places = append(going, m), append(places, i)
	}
	if len(going) == 0 {
		return results
	}
	for _, s := range servers {
		if s.err == nil {
			a.prepare(ctx, s.client)
		}
	}
	for i, r := range a.exchange(ctx, servers, going) {
		results[places[i]] = r
	}
	return results
}

// serversOf finds the server of each log of a batch. It asks once for all messages of
// a log, or one might go that is behind one that must wait; the log would take that for
// a duplicate afterwards.
func (a *Appender) serversOf(batch []stream.Append) map[stream.Key]server {
	servers := map[stream.Key]server{}
	for i := range batch {
		k := batch[i].Key
		if _, known := servers[k]; !known {
			servers[k] = a.serverOf(k)
		}
	}
	return servers
}

// serverOf finds the server of a log, or says why there is none.
func (a *Appender) serverOf(k stream.Key) server {
	s := server{settling: a.bus.settlingOf(k)}
	if a.bus.shards != nil {
		s.client = a.bus.shards.ownerOf(topic{LogKind(k.Kind), k.Name}).node.Load()
	} else if to := a.bus.outbox.route(); to != nil {
		s.client = to.node
	}
	if s.client == nil {
		s.err = ErrAway
		return s
	}
	var ok bool
	if s.history, ok = s.settling.settled(time.Now()); !ok {
		s.err = stream.ErrSettling
	}
	return s
}

// prepare has a server know the scripts.
func (a *Appender) prepare(ctx context.Context, c *redis.Client) {
	a.mu.Lock()
	p := a.peerLocked(c)
	loaded := p.loaded
	p.loaded = true // else NOSCRIPT says so
	a.mu.Unlock()
	if !loaded {
		a.forget()
		stream.New(c, a.bus.storeOptions()).Load(ctx)
	}
}

// peerLocked returns what is known of a server.
func (a *Appender) peerLocked(c *redis.Client) *peer {
	p := a.peers[c]
	if p == nil {
		p = new(peer)
		a.peers[c] = p
	}
	return p
}

// forget lets go of the servers whose link is no more.
func (a *Appender) forget() {
	linked := a.bus.linked()
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.peers, func(c *redis.Client, _ *peer) bool { return !linked[c] })
}

// linked returns the clients of the links to servers that have logs.
func (b *Bus) linked() map[*redis.Client]bool {
	clients := map[*redis.Client]bool{}
	if b.shards != nil {
		b.shards.each(func(s *shard) { clients[s.node.Load()] = true })
	} else if to := b.outbox.route(); to != nil {
		clients[to.node] = true
	}
	return clients
}

// exchange makes one round trip to each server.
func (a *Appender) exchange(ctx context.Context, servers map[stream.Key]server, batch []stream.Append) []stream.Result {
	t := &trip{ctx: ctx, replicas: a.replicas, home: func(k stream.Key) redis.UniversalClient { return servers[k].client }}
	queued := a.store.Queue(ctx, t.log, batch)
	if !a.must {
		a.spare(t, servers)
	}
	t.exec()
	results := queued.Answers()
	a.follow(ctx, batch, results)
	for i := range results {
		k := batch[i].Key
		s := servers[k]
		results[i] = a.judge(t, s, k, results[i])
		results[i].Server = s.client.Options().Addr
	}
	return results
}

// follow sends on what was refused since the slot is on its way from its server, which
// lives, to another. Messages of one log stay together, in one run of the script: none
// is taken unless those before it are.
func (a *Appender) follow(ctx context.Context, batch []stream.Append, results []stream.Result) {
	var moving []stream.Append
	var places []int
	for i, r := range results {
		if redis.HasErrorPrefix(r.Err, "ASK") || redis.HasErrorPrefix(r.Err, "TRYAGAIN") {
			m := batch[i] // a copy
			m.History = ""
			moving, places = append(moving, m), append(places, i)
		}
	}
	if len(moving) == 0 {
		return
	}
	for i, r := range a.store.Append(ctx, moving) {
		r.Again = true
		results[places[i]] = r
	}
}

// judge looks at one answer.
func (a *Appender) judge(t *trip, s server, k stream.Key, r stream.Result) stream.Result {
	switch _, other := stream.OtherHistory(r.Err); {
	case other:
		s.settling.elsewhere(s.history)
		r.Err = stream.ErrSettling
	case redis.HasErrorPrefix(r.Err, "NOSCRIPT"):
		a.mu.Lock()
		a.peerLocked(s.client).loaded = false
		a.mu.Unlock()
	case r.Err != nil && !stream.Hopeless(r.Err):
		a.bus.shards.reload() // it may be elsewhere now
	}
	// What was sent on is not waived: its new server has not been asked yet, and is
	// when it comes again.
	if r = t.check(k, r); errors.Is(r.Err, stream.ErrReplicas) && !a.must && !r.Again {
		r.Err = nil
		a.mu.Lock()
		a.peerLocked(s.client).alone = time.Now().Add(lonely)
		a.mu.Unlock()
	}
	return r
}

// spare has a trip not wait for the replicas of servers that had none a moment
// ago.
func (a *Appender) spare(t *trip, servers map[stream.Key]server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range servers {
		if s.err == nil && time.Now().Before(a.peerLocked(s.client).alone) {
			t.leg(s.client).alone = true
		}
	}
}
