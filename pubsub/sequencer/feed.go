package sequencer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// What a feed does when Redis is silent.
const (
	feedCheck   = time.Second // it asks whether Redis is there, so often
	feedChecks  = 3           // in vain until it asks over another connection
	feedGrace   = 2           // more until it gives this one up, when that was answered
	feedMoved   = 5           // in a row find another server in its place until it leaves one that still brings something
	feedConfirm = 3 * time.Second
)

var (
	errSilent = errors.New("redis answers others, but not this connection")
	errMoved  = errors.New("the marks are with another server now")
	errAnew   = errors.New("subscribed anew, and something in between may be missing")
)

// heard is what a feed brings, in the order in which Redis has it. The first of
// a feed has up set, the last err.
type heard struct {
	feed    *feed
	up      bool
	channel string
	payload string
	err     error
}

// feed is one connection that follows the channels: a segment, for the
// machines. It ends with its first error.
type feed struct {
	client   redis.UniversalClient
	clock    func(context.Context) (int64, error) // Redis' time, by which leases end
	markKey  string
	patterns []string
	every    time.Duration // between two checks, and how long others may take to answer
	cancel   context.CancelFunc

	reading atomic.Bool   // the feed waits for Redis, and not for who hears it
	read    atomic.Uint64 // answers and messages

	// Set before up is sent.
	where string // the server and which of its lives; "" when that cannot be told
	since int64  // Redis' time before the first message, Unix ms
}

// start connects on a goroutine of its own, which ends after cancel, or after
// the error that it sends.
func (f *feed) start(ctx context.Context, to chan<- heard) {
	ctx, f.cancel = context.WithCancel(ctx)
	go func() {
		err := f.follow(ctx, to)
		f.send(ctx, to, heard{err: err})
	}()
}

// server names the server for those who want to know whether another has brought
// other messages; "" in a Cluster, whose masters all bring the same.
func (f *feed) server() string {
	if _, shared := f.client.(*redis.ClusterClient); shared {
		return ""
	}
	return f.where
}

// send reports false when nobody wants to know any more.
func (f *feed) send(ctx context.Context, to chan<- heard, h heard) bool {
	h.feed = f
	select {
	case to <- h:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f *feed) follow(ctx context.Context, to chan<- heard) error {
	server, err := serverOf(ctx, f.client, f.markKey)
	if err != nil {
		return err
	}
	if err := f.look(ctx, server); err != nil {
		return err
	}
	sub := server.PSubscribe(ctx, f.patterns...)
	// Nothing is left to lose then; it also ends a read that is waiting.
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })()
	defer func() { _ = sub.Close() }()
	// go-redis would connect anew behind our back after an error: this feed
	// ends with the first. All patterns are subscribed in one step, so that no
	// message comes between their confirmations.
	for range f.patterns {
		message, err := sub.ReceiveTimeout(ctx, feedConfirm)
		if err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		if _, ok := message.(*redis.Subscription); !ok {
			return fmt.Errorf("subscribe: redis says %v", message)
		}
	}
	if !f.send(ctx, to, heard{up: true}) {
		return ctx.Err()
	}
	return f.receive(ctx, server, sub, to)
}

// serverOf returns the one server to follow. In a Cluster each master brings all
// messages, but each in an order of its own, so all nodes follow the same.
func serverOf(ctx context.Context, client redis.UniversalClient, key string) (*redis.Client, error) {
	switch c := client.(type) {
	case *redis.Client:
		return c, nil
	case *redis.ClusterClient:
		server, err := c.MasterForKey(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("find the master of %s: %w", key, err)
		}
		return server, nil
	default:
		return nil, fmt.Errorf("unknown kind of client %T", client)
	}
}

// look asks the server who it is, and what the time is.
func (f *feed) look(ctx context.Context, server *redis.Client) (err error) {
	if f.since, err = f.clock(ctx); err != nil {
		return fmt.Errorf("ask for the time: %w", err)
	}
	f.where, err = runID(ctx, server)
	return err
}

// runID asks which life of which server this is; "" when it does not tell.
func runID(ctx context.Context, server *redis.Client) (string, error) {
	return stream.AskInfo(ctx, server, "server", "run_id")
}

// receive brings messages until the connection fails. It reads without a
// deadline, which could pass in the middle of a message, as after a stop of this
// process.
func (f *feed) receive(ctx context.Context, server *redis.Client, sub *redis.PubSub, to chan<- heard) error {
	ctx, give := context.WithCancelCause(ctx)
	checked := make(chan struct{})
	go func() { // ends with ctx
		defer close(checked)
		tick := time.NewTicker(f.every)
		defer tick.Stop()
		give(f.check(ctx, tick.C, server, sub))
		_ = sub.Close() // ends a read that is waiting
	}()
	defer func() {
		give(nil)
		<-checked
	}()
	for {
		f.reading.Store(true)
		message, err := sub.Receive(ctx)
		f.reading.Store(false)
		busy := redis.HasErrorPrefix(err, "BUSY") // with a script, says the answer to a PING
		if err != nil && !busy {
			return fmt.Errorf("receive: %w", cmp.Or(context.Cause(ctx), err))
		}
		f.read.Add(1)
		if busy {
			continue
		}
		if err := f.bring(ctx, to, message); err != nil {
			return err
		}
	}
}

// check asks Redis whether it is there while it says nothing, and returns why it
// gave the connection up, or that ctx has ended. It counts ticks, and looks at no
// clock: a process that was stopped has much to read first.
//
// That Redis is silent is no reason to give up: while it is stopped or busy it
// keeps the subscription, and what it is sent waits in its sockets and is
// published as soon as it goes on, to those who are still there. The connection
// is dead if it stays silent although a new one is answered.
//
// A server that another has taken the place of is left when it brings nothing more,
// and in the end although it does. What it has brought before is read first: who is
// behind does not judge.
func (f *feed) check(ctx context.Context, tick <-chan time.Time, server *redis.Client, sub *redis.PubSub) error {
	last, inVain, answered, elsewhere := uint64(0), 0, 0, 0
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick:
		}
		moved := f.moved(ctx, server)
		now, reading := f.read.Load(), f.reading.Load()
		quiet := reading && now == last
		switch elsewhere++; {
		case !moved, !reading && f.server() != "":
			elsewhere = 0
		case quiet, elsewhere >= feedMoved, f.server() == "":
			return errMoved
		}
		if !quiet {
			last, inVain, answered = now, 0, 0
			continue
		}
		switch inVain++; {
		case inVain <= feedChecks:
			if err := sub.Ping(ctx); err != nil {
				return fmt.Errorf("ping: %w", err)
			}
		case answered >= feedGrace:
			return errSilent
		case answered > 0 || f.answers(ctx):
			answered++
		}
	}
}

// answers reports whether Redis answers over another connection: the server that
// a new feed would follow, which after a failover is another.
func (f *feed) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, f.every)
	defer cancel()
	server, err := serverOf(ctx, f.client, f.markKey)
	return err == nil && server.Ping(ctx).Err() == nil
}

// moved reports whether the marks are with another server than the one that is
// followed, which has lived through that: of a Cluster it says so itself, when it
// was demoted or slots have moved, and would still bring all messages, but nobody
// else would hear them in its order; one that Sentinel has replaced, and that cannot
// hear of it, would bring nothing more, and is not asked about by who is behind.
func (f *feed) moved(ctx context.Context, server *redis.Client) bool {
	if f.where == "" || f.server() != "" && !f.reading.Load() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, f.every)
	defer cancel()
	if f.server() == "" {
		_, moved := redis.IsMovedError(server.Exists(ctx, f.markKey).Err())
		return moved
	}
	where, err := runID(ctx, server) // over another connection
	return err == nil && where != "" && where != f.where
}

// bring hands on a message. It fails when nobody wants it any more, or when the
// segment has a gap: go-redis connects and subscribes anew by itself when it
// cannot write, and the first that it then reads is that it has.
func (f *feed) bring(ctx context.Context, to chan<- heard, message any) error {
	switch m := message.(type) {
	case *redis.Message:
		if !f.send(ctx, to, heard{channel: m.Channel, payload: m.Payload}) {
			return context.Cause(ctx)
		}
	case *redis.Subscription:
		return errAnew
	}
	return nil
}
