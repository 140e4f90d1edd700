package pubsub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

const (
	// maxTopics is how many topics, of at most two channels each, go into one
	// SUBSCRIBE.
	maxTopics = 250
	// gather is the least time between two flushes of changed interest: a
	// lone change is written at once, a burst in few commands.
	gather = time.Millisecond
	// pingHello, pingSync and pingHealth are the payloads that tell our PINGs
	// apart.
	pingHello  = "hello"
	pingSync   = "sync"
	pingHealth = "health"
)

// errSilent is why a link ends when Redis says nothing any more.
var errSilent = errors.New("redis does not answer")

// link is one connection to Redis in its subscribed life, from dialling to its
// first error. Redis answers in order, which makes the rest simple:
//
//	us ► PING hello   SUBSCRIBE a b c ...   SUBSCRIBE d e f ...   PING sync
//	us ◄ pong hello   subscribe a, b, c, ..., d, e, f ...         pong sync: Redis is back
//
// go-redis finds the server, dials it, and sends the first PING and takes its
// answer. From then on it has no part in the connection: its PubSub keeps the
// name of every channel, and makes many allocations for each message.
//
// A link that fails is replaced, never repaired.
type link struct {
	bus      *Bus
	interest *interest // what it subscribes
	shard    *shard    // whose link it is; nil for the Bus's own

	target target                // of client
	client redis.UniversalClient // owns every connection of this link
	node   *redis.Client         // the one server it talks to
	sub    *redis.PubSub         // has made conn, and will close it
	conn   net.Conn              // the subscribed connection; the reader reads, the writer writes
	ctx    context.Context       // ends with the link; its cause says why
	cancel context.CancelCauseFunc

	watcher sync.WaitGroup // it and its looks, which end with ctx

	gathering // owned by the reader

	history atomic.Pointer[string] // of the server, which may be ""; nil before it was asked

	up        atomic.Bool  // the connection stands; no other may be dialled
	idleSince atomic.Int64 // Unix nanoseconds since when the reader waits for Redis, 0 while it does not
}

type linkKey struct{}

// linkOf returns the link on whose behalf ctx is used, nil if none.
func linkOf(ctx context.Context) *link {
	l, _ := ctx.Value(linkKey{}).(*link)
	return l
}

// serveLink has l dial, subscribe and read until something fails, and returns
// what. All its goroutines and connections have ended then.
func (b *Bus) serveLink(ctx context.Context, l *link) error {
	ctx, l.cancel = context.WithCancelCause(ctx)
	l.ctx = context.WithValue(ctx, linkKey{}, l)
	defer l.close()
	if err := l.dial(); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if err := l.noteServer(); err != nil {
		return fmt.Errorf("ask who it is: %w", err)
	}
	l.interest.link()

	var writer sync.WaitGroup
	writer.Go(func() { l.cancel(l.write()) })
	l.watcher.Go(func() { l.watch(ctx) })
	l.cancel(l.read()) // ends the writer, and closes the connection
	writer.Wait()
	return context.Cause(l.ctx)
}

// dial opens the connection and takes it over.
func (l *link) dial() (err error) {
	if l.node, err = oneNode(l.ctx, l.client); err != nil {
		return err
	}
	l.node.AddHook(handover{})
	l.sub = l.node.Subscribe(l.ctx) // no channels, so no connection yet
	ctx := withHandover(l.ctx, &l.conn)
	if err = l.sub.Ping(ctx, pingHello); err != nil { // dials
		return err
	}
	l.up.Store(true)
	// Nothing else is due, so that go-redis has read nothing beyond this.
	if _, err = l.sub.ReceiveTimeout(ctx, ioTimeout); err != nil {
		return err
	}
	l.gathering = gatherOn(l.conn)
	return l.conn.SetDeadline(time.Time{}) // go-redis left its own
}

// close frees what the link holds, and ends the watcher. It comes after the other
// goroutines have ended.
func (l *link) close() {
	if l.shard == nil {
		l.bus.setRoute(nil)
	}
	l.cancel(errOneConnection)
	if l.sub != nil {
		_ = l.sub.Close() // there is nothing left to fail
	}
	_ = l.client.Close()
	l.interest.lost()
	l.watcher.Wait()
}

// read delivers what Redis sends until the connection fails.
func (l *link) read() error {
	in := newPushReader(l, readBufferBytes)
	for {
		p, err := in.read()
		if err != nil {
			if l.shard != nil && l.shard.refused(err) {
				continue
			}
			return fmt.Errorf("read: %w", err)
		}
		switch p.kind {
		case pushMessage:
			l.delivered = true
			l.bus.deliver(p.channel, p.payload)
		case pushSubscribe:
			l.confirm(p.channel)
		case pushUnsubscribe:
			if l.shard != nil {
				l.shard.dropped(p.channel)
			}
		case pushPong:
			l.pong(p.payload)
		}
	}
}

// Read reads from the connection and says since when it waits, for the writer
// to look after: a deadline would not know a Redis that is silent from a
// Handler that is busy.
func (l *link) Read(b []byte) (int, error) {
	l.idleSince.Store(time.Now().UnixNano())
	defer l.idleSince.Store(0)
	if l.delivered && l.bus.idle != nil {
		l.bus.serially(l.bus.idle)
	}
	l.coalesce()
	n, err := l.conn.Read(b)
	l.noteRead(n)
	return n, err
}

// deliver gives one message to the Handler.
func (b *Bus) deliver(channel, payload string) {
	kind, name, ok := parseChannel(b.cfg.Prefix, channel)
	if !ok {
		b.counters.unknownMessages.Add(1)
		return
	}
	d := Delivery{Kind: kind, Name: name, Payload: payload}
	if kind.isLog() {
		live, err := stream.ParseLive(payload)
		if err != nil {
			b.counters.malformedMessages.Add(1)
			return
		}
		d.Position, d.Token, d.Payload = live.Position, live.Token, live.Payload
	}
	b.counters.receivedMessages.Add(1)
	b.counters.receivedBytes.Add(int64(len(payload)))
	b.handle(d)
}

// handle calls the Handler.
func (b *Bus) handle(d Delivery) {
	if b.shards != nil {
		b.handling.Lock()
		defer b.handling.Unlock()
	}
	b.handler(d)
}

// serially calls f when no reader is in the Handler.
func (b *Bus) serially(f func()) {
	if b.shards != nil {
		b.handling.Lock()
		defer b.handling.Unlock()
	}
	f()
}

func (l *link) confirm(channel string) {
	kind, name, ok := parseChannel(l.bus.cfg.Prefix, channel)
	if !ok {
		return
	}
	waiters, again := l.interest.confirm(kind, name)
	if again && kind.isLog() {
		l.bus.handle(Delivery{Kind: kind, Name: name, Resumed: true})
	}
	for _, confirmed := range waiters {
		confirmed()
	}
}

// pong opens the bus for publishing when everything that was wanted at the
// start is confirmed, so that no one publishes what this node would miss.
func (l *link) pong(payload string) {
	if payload != pingSync {
		return
	}
	if l.shard != nil {
		l.shard.linked(l.node)
		return
	}
	l.bus.counters.connects.Add(1)
	to := newRoute(l.bus.cfg, l.client, l.node)
	to.leave = func() { l.cancel(errGone) }
	l.bus.setRoute(to)
	channels, _ := l.interest.counts()
	l.bus.status.back(channels)
}

// write tells Redis what is wanted, and asks whether it is there when it has
// been silent, until the connection fails.
func (l *link) write() error {
	if err := l.flush(); err != nil {
		return err
	}
	if err := l.send(appendPing(nil, pingSync)); err != nil {
		return err
	}
	health := time.NewTicker(max(l.bus.cfg.HealthInterval/4, time.Millisecond))
	defer health.Stop()
	var asked int64 // the idleSince of the silence Redis was last asked about
	for {
		var err error
		select {
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		case <-l.interest.wake:
			err = l.flush()
		case now := <-health.C:
			asked, err = l.checkHealth(now, asked)
		}
		if err != nil {
			return err
		}
	}
}

// flush writes the changes of interest there are, and lets those of the next
// moment gather; they have left a token in wake.
func (l *link) flush() error {
	for full := true; full; {
		leave, join := l.interest.next(maxTopics)
		full = len(leave) == maxTopics || len(join) == maxTopics
		if err := l.command("UNSUBSCRIBE", leave, &l.bus.counters.unsubscribes); err != nil {
			return err
		}
		if err := l.command("SUBSCRIBE", join, &l.bus.counters.subscribes); err != nil {
			return err
		}
	}
	pause(l.ctx, gather)
	return nil
}

// command writes one command for topics, or in a Cluster one for each.
func (l *link) command(verb string, topics []topic, count *atomic.Int64) error {
	if len(topics) == 0 {
		return nil
	}
	if l.shard != nil {
		count.Add(int64(len(topics)))
		return l.send(appendSharded(nil, "S"+verb, l.bus.cfg.Prefix, topics))
	}
	count.Add(1)
	return l.send(appendSubscription(nil, verb, l.bus.cfg.Prefix, topics))
}

// send writes to Redis, which has ioTimeout to take it.
func (l *link) send(b []byte) error {
	err := l.conn.SetWriteDeadline(time.Now().Add(ioTimeout))
	if err == nil {
		_, err = l.conn.Write(b)
	}
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// checkHealth pings a Redis that has been silent for one HealthInterval, once,
// and gives it up after two. asked is its state, to be passed in again.
func (l *link) checkHealth(now time.Time, asked int64) (int64, error) {
	since := l.idleSince.Load()
	if since == 0 { // the Handler is busy; what Redis has sent is not read
		return asked, nil
	}
	silent := now.Sub(time.Unix(0, since))
	interval := l.bus.cfg.HealthInterval
	switch {
	case silent >= 2*interval && asked == since:
		return asked, fmt.Errorf("%w for %v", errSilent, silent.Round(time.Millisecond))
	case silent >= interval && asked != since:
		return since, l.send(appendPing(nil, pingHealth))
	}
	return asked, nil
}
