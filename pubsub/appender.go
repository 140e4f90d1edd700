package pubsub

import (
	"context"
	"errors"
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
// other refuses it, however the connection came to be there.
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

	mu     sync.Mutex           // guards the fields below
	loaded map[string]bool      // the histories of servers that know the scripts
	alone  map[string]time.Time // of servers without replicas: until when nobody waits for them
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
		loaded: map[string]bool{}, alone: map[string]time.Time{},
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
}

// Append is stream.Store.Append, but sends nothing a second time by itself. What
// has to wait is answered with stream.ErrSettling, or ErrAway.
func (a *Appender) Append(ctx context.Context, batch []stream.Append) []stream.Result {
	results := make([]stream.Result, len(batch))
	servers := map[stream.Key]server{}
	var going []stream.Append
	var places []int
	for i, m := range batch {
		s, known := servers[m.Key]
		if !known {
			s, results[i].Err = a.serverOf(m.Key)
			if results[i].Err != nil {
				continue
			}
			servers[m.Key] = s
			a.prepare(ctx, s)
		}
		m.History = s.history
		going, places = append(going, m), append(places, i)
	}
	if len(going) == 0 {
		return results
	}
	for i, r := range a.exchange(ctx, servers, going) {
		results[places[i]] = r
	}
	return results
}

// serverOf finds the server of a log, and says why there is none.
func (a *Appender) serverOf(k stream.Key) (server, error) {
	s := server{settling: a.bus.settlingOf(k)}
	if a.bus.shards != nil {
		s.client = a.bus.shards.ownerOf(topic{LogKind(k.Kind), k.Name}).node.Load()
	} else if to := a.bus.outbox.route(); to != nil {
		s.client = to.node
	}
	if s.client == nil {
		return s, ErrAway
	}
	var ok bool
	if s.history, ok = s.settling.settled(time.Now()); !ok {
		return s, stream.ErrSettling
	}
	return s, nil
}

// prepare has a server know the scripts.
func (a *Appender) prepare(ctx context.Context, s server) {
	a.mu.Lock()
	loaded := a.loaded[s.history]
	a.loaded[s.history] = true // else NOSCRIPT says so
	a.mu.Unlock()
	if !loaded {
		stream.New(s.client, a.bus.storeOptions()).Load(ctx)
	}
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
	for i := range results {
		results[i] = a.judge(ctx, t, servers[batch[i].Key], batch[i], results[i])
	}
	return results
}

// judge looks at one answer.
func (a *Appender) judge(ctx context.Context, t *trip, s server, m stream.Append, r stream.Result) stream.Result {
	switch history, other := stream.OtherHistory(r.Err); {
	case other:
		s.settling.note(history, a.bus.cfg.Settle)
		r.Err = stream.ErrSettling
	case redis.HasErrorPrefix(r.Err, "NOSCRIPT"):
		a.mu.Lock()
		delete(a.loaded, s.history)
		a.mu.Unlock()
	case redis.HasErrorPrefix(r.Err, "ASK"), redis.HasErrorPrefix(r.Err, "TRYAGAIN"):
		// The slot is on its way from this server, which lives, to another.
		m.History = ""
		r = a.store.Append(ctx, []stream.Append{m})[0]
		r.Again = true
	case r.Err != nil && !stream.Hopeless(r.Err):
		a.bus.shards.reload() // it may be elsewhere now
	}
	if r = t.check(m.Key, r); errors.Is(r.Err, stream.ErrReplicas) && !a.must {
		r.Err = nil
		if !r.Again {
			a.mu.Lock()
			a.alone[s.history] = time.Now().Add(lonely)
			a.mu.Unlock()
		}
	}
	return r
}

// spare has a trip not wait for the replicas of servers that had none a moment
// ago.
func (a *Appender) spare(t *trip, servers map[stream.Key]server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range servers {
		until, alone := a.alone[s.history]
		switch {
		case !alone:
		case time.Now().After(until):
			delete(a.alone, s.history)
		default:
			t.leg(s.client).alone = true
		}
	}
}
