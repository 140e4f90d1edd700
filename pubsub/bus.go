package pubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/stream"
)

// ErrAway is returned when Redis is not there: by Publish at once, and to done
// for a message that was accepted before that was known. Whether such a
// message was delivered is not known.
var ErrAway = errors.New("pubsub: redis is away")

// ErrBusy is returned by Publish, Append and the questions when as many
// messages, bytes or questions as the configuration allows wait for Redis.
var ErrBusy = errors.New("pubsub: queue is full")

// ErrReplicas is given to done of Append when the log took the message but not
// as many replicas as Config.WaitReplicas have it yet. Its position is given too.
// The caller may append it again under its dedupe key, until they have.
var ErrReplicas = stream.ErrReplicas

// ErrClosed is returned by Publish once Run has ended or Close was called, and
// to done for messages still queued then. Those that were on their way may have
// been delivered.
var ErrClosed = errors.New("pubsub: bus is closed")

// Delivery is one message that Redis delivered.
type Delivery struct {
	Kind    Kind
	Name    string // a user id, a room, a node; "" for a broadcast
	Payload string // byte for byte as it was published or appended

	// Position is where the message stands in its log, for KindRoomLog and
	// KindUserLog. Without a Payload it is announced as the current one: a
	// history was put back, or begins anew. Its Epoch shares the memory of
	// Payload: clone it before keeping it for long.
	Position stream.Position
	// Token is the dedupe token of a log's message, "" for none; for Restore.
	Token string
	// Resumed says that there is no message: the live channel of a log is
	// subscribed again after the connection was lost, and what was published
	// between was not heard.
	Resumed bool
}

// Handler takes what Redis delivered.
//
// It runs on a reader goroutine, of which a Cluster has several, one delivery at
// a time, those of one channel in order of arrival. It may block, and then nothing more is read from Redis
// until it returns; it must not wait for anything that needs this Bus to read
// on, such as a confirmed or done callback. It may keep the strings.
type Handler func(Delivery)

// Bus is one node's connection to Redis. All its methods may be called from
// any goroutine.
type Bus struct {
	// Fixed by Open.
	cfg      Config
	target   target
	handler  Handler
	log      zerolog.Logger
	embedded *embedded // nil when Redis is elsewhere

	idle     func() // set by OnIdle, before Run; may be nil
	commands redis.UniversalClient

	// Each guards itself.
	interest *interest // in all but what shards has
	shards   *shards   // in the live channels of logs, in a Cluster; else nil
	outbox   *outbox
	asks     *asks
	status   *status
	counters *counters

	closing context.Context // ended by Close; ends Run
	stop    context.CancelFunc
	ended   chan struct{} // closed when Run has returned

	settling settling  // of the one server, outside a Cluster
	nameless sync.Once // for the line that a server does not say its history

	// handling has the readers of a Cluster call Handler and idle one by one.
	handling sync.Mutex

	mu      sync.Mutex // guards the fields below
	started bool       // Run was called
	closed  bool       // Close was called
}

// Open checks cfg and prepares a Bus that will call h for every message. With
// the embedded Redis it starts that; a real one need not be up, now or later.
// Nothing is connected before Run. The caller ends a Bus with Close.
func Open(cfg Config, h Handler, log zerolog.Logger) (*Bus, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	// go-redis prints its own account of lost connections to standard error.
	// Every error that matters comes back to us and is logged once.
	logging.Disable()

	t, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	b := &Bus{cfg: cfg, target: t, handler: h, log: log, counters: new(counters), ended: make(chan struct{})}
	if t.embedded {
		if b.embedded, err = startEmbedded(cfg.EmbeddedListen, log); err != nil {
			return nil, err
		}
		b.target.options.Addrs = []string{b.embedded.addr()}
	}
	b.commands = newCommands(b.target)
	b.interest = newInterest(broadcast)
	if t.options.IsClusterMode {
		b.shards = newShards(b)
	}
	b.outbox = newOutbox(cfg.QueueMessages, cfg.QueueBytes, b.counters)
	b.asks = newAsks(cfg.QueueAsks, b.shards, b.counters)
	b.status = &status{log: log, since: time.Now()}
	b.closing, b.stop = context.WithCancel(context.Background())
	return b, nil
}

// OnIdle sets what is called, on the reader goroutine, when the Handler has had
// all the messages that were read, before more are read or waited for. It must be
// called before Run.
func (b *Bus) OnIdle(f func()) { b.idle = f }

// Run connects to Redis, keeps the connection in the face of failures, and
// publishes, until ctx ends or Close is called. It returns nil after its
// goroutines have ended and the done callback of every accepted message was
// called. A Bus runs once.
func (b *Bus) Run(ctx context.Context) error {
	b.mu.Lock()
	refused := b.started || b.closed
	b.started = b.started || !refused
	b.mu.Unlock()
	if refused {
		return fmt.Errorf("pubsub: run: %w or running already", ErrClosed)
	}
	defer close(b.ended)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.closing, cancel)()

	var workers sync.WaitGroup
	workers.Go(func() { b.publish(ctx) })
	workers.Go(func() { b.sweep(ctx) })
	if b.shards != nil {
		workers.Go(func() { b.shards.run(ctx) })
	}
	for range askWorkers {
		workers.Go(func() { b.asks.work(ctx) })
	}
	b.keepConnected(ctx)
	workers.Wait()
	b.status.stopped()
	return nil
}

// Subscribe wants the channel of kind and name, and calls confirmed once Redis
// has confirmed it: what is published from then on reaches the Handler. A user
// has two channels, KindUser and KindNotification; either kind means both, and
// confirmed waits for both. The broadcast channel is always subscribed.
//
// Interest is a set, not a count: the caller knows its members, subscribes for
// the first and unsubscribes after the last. Another Subscribe for the same
// name is harmless and has its own confirmed.
//
// The Bus keeps name, and its memory, as long as the interest lasts.
//
// Subscribe never waits for Redis. confirmed, which may be nil, is called once:
// before Subscribe returns when Redis has confirmed the channel already, else
// on the reader goroutine, where it must not block. While Redis is away it
// waits for the next connection. It is not called any more when the interest
// was withdrawn and its linger passed first, or when the Bus has ended.
func (b *Bus) Subscribe(kind Kind, name string, confirmed func()) {
	t := topicOf(kind, name)
	var ready bool
	if b.sharded(t) {
		ready = b.shards.want(t, confirmed)
	} else {
		ready = b.interest.want(t, confirmed)
	}
	if ready && confirmed != nil {
		confirmed()
	}
}

// Unsubscribe withdraws the interest in the channel of kind and name. Redis is
// told after Config.Linger, unless Subscribe comes first. Until then messages
// on it still reach the Handler. It never waits for Redis.
func (b *Bus) Unsubscribe(kind Kind, name string) {
	t, due := topicOf(kind, name), time.Now().Add(b.cfg.Linger)
	if b.sharded(t) {
		b.shards.unwant(t, due)
		return
	}
	b.interest.unwant(t, due)
}

// sharded reports whether the channel of t is subscribed at its slot's master.
func (b *Bus) sharded(t topic) bool { return b.shards != nil && t.kind.isLog() }

// Publish hands payload over to be published on the channel of kind and name
// and returns without waiting: with nil when it was accepted, else with
// ErrAway, ErrBusy or ErrClosed, and then done is not called.
//
// For an accepted message done, which may be nil, is called exactly once, on
// the publisher goroutine, where it must not block: with nil when Redis has
// taken the message, else with an error, which wraps ErrAway when Redis could
// not be reached and ErrClosed when the Bus ended first. The caller leaves
// payload unchanged until then.
//
// Messages of one caller reach Redis in the order of its calls.
func (b *Bus) Publish(kind Kind, name string, payload []byte, done func(error)) error {
	return b.outbox.put(outgoing{kind: kind, name: name, payload: payload, done: done})
}

// State returns what is known of the connection.
func (b *Bus) State() State {
	s := b.status.state()
	s.Subscriptions, s.Wanted = b.interest.counts()
	if b.shards != nil {
		confirmed, wanted := b.shards.counts()
		s.Subscriptions, s.Wanted = s.Subscriptions+confirmed, s.Wanted+wanted
	}
	return s
}

// Stats returns the counters.
func (b *Bus) Stats() Stats {
	s := b.counters.snapshot()
	s.QueuedMessages, s.QueuedBytes = b.outbox.pending()
	s.QueuedAsks = len(b.asks.queue)
	return s
}

// Addr says where Redis is, for people: "host:port" of the embedded one, else
// the configured URL without credentials.
func (b *Bus) Addr() string {
	if b.embedded != nil {
		return b.embedded.addr()
	}
	return b.target.display
}

// Close ends Run, waits for it, and stops the embedded Redis. Further calls do
// nothing.
func (b *Bus) Close() error {
	b.mu.Lock()
	started, closed := b.started, b.closed
	b.closed = true
	b.mu.Unlock()
	b.stop()
	if started {
		<-b.ended
	}
	if closed {
		return nil
	}
	b.outbox.close()
	b.asks.close()
	_ = b.commands.Close() // it has no more to say
	if b.embedded != nil {
		b.embedded.stop()
	}
	return nil
}
