package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/cluster/trace"
	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/pubsub"
	"github.com/ginforge/gateway/pubsub/revoked"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session"
	"github.com/ginforge/gateway/session/admission"
	"github.com/ginforge/gateway/session/auth"
)

// node is a running gateway: its parts, in the order in which messages travel
// from Redis to browsers.
type node struct {
	cfg     Config
	log     zerolog.Logger
	started time.Time

	bus      *pubsub.Bus
	hub      *room.Hub
	gate     *admission.Gate
	sessions *session.Manager
	engine   *engine.Engine
	public   *http.ServeMux // what the engine serves
	admin    *adminServer
	durable  durable

	together together
	revoked  *revoked.Store
	console  *console
	transit  *transit
	trace    *trace.Recorder

	ready   atomic.Bool // the listener is open
	leaving drain
}

// serve runs a node until ctx ends, and then stops it in order. It writes to out
// where to connect, for the person who started it.
func serve(ctx context.Context, cfg Config, log zerolog.Logger, out io.Writer) error {
	n, err := newNode(cfg, log)
	if err != nil {
		return err
	}
	return n.run(ctx, out)
}

// newNode puts the parts together; nothing runs yet but the embedded Redis.
func newNode(cfg Config, log zerolog.Logger) (*node, error) {
	cfg.Node = nodeName(cfg.Node)
	n := &node{cfg: cfg, log: log.With().Str("node", cfg.Node).Logger(), started: time.Now(), leaving: newDrain()}
	n.trace = trace.New(cfg.Node, time.Now, envelopeID(messageLimits(cfg)))
	n.transit = newTransit()
	verifier, err := auth.NewVerifier(authConfig(cfg))
	if err != nil {
		return nil, err
	}
	n.bus, err = pubsub.Open(busConfig(cfg), n.receive, n.component("pubsub"))
	if err != nil {
		return nil, err
	}
	if err := n.assemble(verifier); err != nil {
		return nil, errors.Join(err, n.bus.Close())
	}
	return n, nil
}

func (n *node) assemble(verifier *auth.Verifier) (err error) {
	sessions := sessionConfig(n.cfg)
	if err = n.makeHub(sessions); err != nil {
		return err
	}
	if n.gate, err = admission.New(admissionConfig(n.cfg)); err != nil {
		return err
	}
	if n.console, err = newConsole(n); err != nil {
		return err
	}
	n.sessions, err = session.NewManager(sessions, verifiers{verifier, n.console}, n.gate, n.hub, busPublisher{n.bus, n}, busLogs{n.bus, sessions.HistoryOf, n}, n.component("session"))
	if err != nil {
		return err
	}
	n.public = http.NewServeMux()
	if n.engine, err = engine.New(engineConfig(n.cfg), n.public, n.component("engine")); err != nil {
		return err
	}
	n.sessions.Watch(n.watch)
	n.bus.OnIdle(n.handOut)
	n.sessions.Serve(n.engine)
	if err := n.joinOthers(); err != nil {
		return err
	}
	n.revoked = revoked.New(n.bus.Commands(), n.bus.Prefix())
	n.publicRoutes(n.public)
	n.admin = newAdminServer(n.cfg.AdminListen, n.metrics(), n.internalAPI(verifier))
	return n.newDurable(&sessions)
}

// makeHub makes the hub, and has it tell of its users' status where that is shared.
func (n *node) makeHub(sessions session.Config) (err error) {
	cfg, bus := hubConfig(n.cfg), room.Subscriber(busSubscriber{n.bus, sessions.HistoryOf})
	cfg.History = n.history(sessions.HistoryOf)
	if n.cfg.sharesPresence() {
		cfg.Changed, cfg.EveryDevice = n.changed, n.cfg.limitsDevices()
		bus = statusSubscriber{bus, n.bus, sessions.Namespaces}
	}
	n.hub, err = room.NewHub(cfg, bus)
	return err
}

func (n *node) component(name string) zerolog.Logger {
	return n.log.With().Str("component", name).Logger()
}

// receive is what the bus calls for every message; see busTargets and logTargets.
func (n *node) receive(d pubsub.Delivery) {
	if n.heard(d) {
		return
	}
	if !d.Resumed { // no message
		n.transit.begin()
	}
	if target, ok := busTargets[d.Kind]; ok {
		n.sessions.Receive(target, d.Name, d.Payload)
	} else if kind, ok := logTargets[d.Kind]; ok {
		n.receiveLog(kind, d)
	}
}

// handOut is called by the bus when it has brought all that was at hand.
func (n *node) handOut() {
	if began, due := n.transit.due(); due && n.hub.FlushThen(func() { n.transit.end(began, time.Now()) }) {
		return
	}
	n.sessions.Received()
}

// run starts the parts, waits for ctx, and stops them.
//
// They start in the order in which they are needed: the hub, which takes what
// the bus delivers; the bus, so that Redis is there when clients come; the
// internal listener, so that a node that does not become ready can be looked
// at; last the engine, which lets clients in. They stop in the opposite order,
// and each is given what the others have left of shutdown.timeout.
func (n *node) run(ctx context.Context, out io.Writer) error {
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	hubDone := spawn(func() error { return n.hub.Run(background) })
	busDone := spawn(func() error { return n.bus.Run(background) })
	gateDone := spawn(func() error { return n.gate.Run(background) })
	settled := spawn(func() error { return n.settle(background) })
	rebalanced := spawn(func() error { return n.sessions.Rebalance(background) })
	localDone := spawn(func() error { return n.sessions.DeliverLocal(background) })
	revokedDone := spawn(func() error { return n.keepRevoked(background) })
	noticed := spawn(func() error { return n.notify(background) })
	watched := spawn(func() error { return n.console.run(background) })
	togetherDone := spawn(func() error { return n.runTogether(background) })
	taking, stopTaking := context.WithCancel(background)
	defer stopTaking()
	taken := spawn(func() error { return n.durable.run(taking) })

	err := n.start(ctx)
	if err == nil {
		n.hint(out)
		<-ctx.Done()
		n.log.Info().Int64("connections", n.engine.Stats().WebSockets).Msg("stopping")
		err = n.stop(context.WithoutCancel(ctx))
	}
	stopTaking()
	err = errors.Join(err, <-taken) // which still needs the bus
	stopBackground()
	err = errors.Join(err, <-hubDone, <-busDone, <-gateDone, <-settled, <-rebalanced, <-localDone, <-noticed, <-watched, <-revokedDone, <-togetherDone, n.bus.Close())
	n.log.Info().Msg("stopped")
	return err
}

// notify tells clients how Redis is, until ctx ends.
func (n *node) notify(ctx context.Context) error {
	if !n.cfg.Redis.NotifyClients {
		return nil
	}
	return n.sessions.WatchRedis(ctx, func() bool { return n.bus.State().Connected })
}

// start opens the listeners; when one cannot be opened nothing is left open.
func (n *node) start(ctx context.Context) error {
	if err := n.admin.start(ctx); err != nil {
		return err
	}
	if err := n.engine.Start(ctx); err != nil {
		return errors.Join(err, n.admin.stop(ctx))
	}
	n.ready.Store(true)
	n.log.Info().Str("listen", n.engine.Addr().String()).Str("admin_listen", n.admin.addr()).
		Str("redis", n.bus.Addr()).Int("max_connections", n.engine.MaxConnections()).Msg("serving")
	return nil
}

// stop sends the clients elsewhere, unless that has been done, and cuts those that
// have not gone in time.
func (n *node) stop(ctx context.Context) error {
	n.startDrain(ctx)
	<-n.leaving.done
	last, cancel := context.WithTimeout(ctx, lastStop)
	defer cancel()
	n.flush(last)
	return errors.Join(n.engine.Stop(last), n.admin.stop(last))
}

// flush waits until Redis has what clients have published.
func (n *node) flush(ctx context.Context) {
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for n.bus.Stats().QueuedMessages > 0 {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// lastStop is the time for what must end even when the clients did not go.
const lastStop = 5 * time.Second

// spawn runs f on its own goroutine and returns where its error will be.
func spawn(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// hint tells a person what to try; nothing in production.
func (n *node) hint(out io.Writer) {
	if !n.cfg.Development {
		return
	}
	token, err := n.developmentToken("u1", "Ann")
	if err != nil {
		n.log.Warn().Err(err).Msg("no token to show")
		return
	}
	addr := dialable(n.engine.Addr())
	fmt.Fprintf(out, hintText, addr, addr, token, n.bus.Addr(), cliFlags(n.bus.Addr()),
		n.cfg.Redis.Prefix, redisURL(n.bus.Addr()), dialable(n.admin.listener.Addr()))
}
