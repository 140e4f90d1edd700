package sequencer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// What a feed does when Redis is silent.
const (
	feedCheck   = time.Second // it asks whether Redis is there, so often
	feedChecks  = 3           // in vain until it gives Redis up
	feedConfirm = 3 * time.Second
)

var (
	errSilent = errors.New("redis does not answer")
	errMoved  = errors.New("the marks are with another server now")
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
	cancel   context.CancelFunc

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
	info, err := server.Info(ctx, "server").Result()
	var refusal redis.Error
	if err != nil && !errors.As(err, &refusal) { // the embedded one has no such section
		return fmt.Errorf("ask who it is: %w", err)
	}
	for line := range strings.Lines(info) {
		if id, ok := strings.CutPrefix(line, "run_id:"); ok {
			f.where = strings.TrimSpace(id)
		}
	}
	return nil
}

// receive brings messages until the connection fails. It reads without a
// deadline, which could pass in the middle of a message, as after a stop of this
// process.
func (f *feed) receive(ctx context.Context, server *redis.Client, sub *redis.PubSub, to chan<- heard) error {
	ctx, give := context.WithCancelCause(ctx)
	var read atomic.Uint64
	checked := make(chan struct{})
	go func() { // ends with ctx
		defer close(checked)
		give(f.check(ctx, server, sub, &read))
		_ = sub.Close() // ends a read that is waiting
	}()
	defer func() {
		give(nil)
		<-checked
	}()
	for {
		message, err := sub.Receive(ctx)
		if err != nil {
			return fmt.Errorf("receive: %w", cmp.Or(context.Cause(ctx), err))
		}
		read.Add(1)
		if !f.bring(ctx, to, message) {
			return context.Cause(ctx)
		}
	}
}

// check asks Redis whether it is there while it says nothing, and returns why it
// gave it up, or that ctx has ended. It counts, and looks at no clock: a process
// that was stopped has much to read first.
func (f *feed) check(ctx context.Context, server *redis.Client, sub *redis.PubSub, read *atomic.Uint64) error {
	tick := time.NewTicker(feedCheck)
	defer tick.Stop()
	last, inVain := uint64(0), 0
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		if f.moved(ctx, server) {
			return errMoved
		}
		if now := read.Load(); now != last {
			last, inVain = now, 0
			continue
		}
		if inVain++; inVain > feedChecks {
			return errSilent
		}
		if err := sub.Ping(ctx); err != nil {
			return fmt.Errorf("ping: %w", err)
		}
	}
}

// moved reports whether a server of a Cluster says that the marks are another's,
// as after a failover that it has lived through, or when slots have moved. It
// would still bring all messages, but nobody else would hear them in its order.
func (f *feed) moved(ctx context.Context, server *redis.Client) bool {
	if f.server() != "" || f.where == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, feedCheck)
	defer cancel()
	_, moved := redis.IsMovedError(server.Exists(ctx, f.markKey).Err())
	return moved
}

// bring hands on a message; it reports false when nobody wants it any more.
func (f *feed) bring(ctx context.Context, to chan<- heard, message any) bool {
	m, ok := message.(*redis.Message)
	return !ok || f.send(ctx, to, heard{channel: m.Channel, payload: m.Payload})
}
