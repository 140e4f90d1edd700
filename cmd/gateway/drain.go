package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// drain is the way in which a node takes leave of its clients, at the end of the
// process or because an operator wants it empty. It happens once.
type drain struct {
	once  *sync.Once
	begun *atomic.Bool  // the node is no longer ready
	done  chan struct{} // closed when its clients have gone, or have been given up
}

func newDrain() drain { return drain{new(sync.Once), new(atomic.Bool), make(chan struct{})} }

// startDrain begins the drain, if it has not begun, and returns; it goes on in the
// values of ctx but does not end with it.
//
//	not ready ─ shutdown.lb_delay ─ no new connections ─ clients are asked to go ─ closed
//	                                └──────────── shutdown.timeout ────────────┘
//
// The load balancer has shutdown.lb_delay to notice /readyz; until then, whom it
// sends is served.
func (n *node) startDrain(ctx context.Context) {
	n.leaving.once.Do(func() {
		n.leaving.begun.Store(true)
		n.together.cluster.Refresh() // nobody should count on this node
		go func() {                  // ends within lb_delay and timeout; stop waits for it
			defer close(n.leaving.done)
			n.drain(context.WithoutCancel(ctx))
		}()
	})
}

func (n *node) drain(ctx context.Context) {
	started := time.Now()
	n.log.Info().Int64("connections", n.engine.Stats().WebSockets).Dur("lb_delay", n.cfg.Shutdown.LBDelay).
		Dur("timeout", n.cfg.Shutdown.Timeout).Bool("elsewhere", n.elsewhere()).Msg("draining: not ready any more")
	time.Sleep(n.cfg.Shutdown.LBDelay)

	ctx, cancel := context.WithTimeout(ctx, n.cfg.Shutdown.Timeout)
	defer cancel()
	n.engine.StopAccepting()
	if err := n.sessions.Drain(ctx, n.elsewhere()); err != nil {
		n.log.Warn().Int64("connections", n.engine.Stats().WebSockets).Msg("shutdown.timeout has passed: cutting the rest")
		return
	}
	n.flush(ctx)
	n.log.Info().Dur("took", time.Since(started)).Msg("drained")
}

// elsewhere reports whether there may be another node that takes the clients: not
// with a Redis of our own.
func (n *node) elsewhere() bool { return n.cfg.Redis.URL != embeddedURL }
