package chaos

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/ginforge/gateway/bench/chaos/ledger"
	"github.com/ginforge/gateway/bench/chaos/player"
	"github.com/ginforge/gateway/bench/chaos/proxy"
)

// hand carries faults out.
type hand struct {
	world    *world
	crowd    *player.Crowd
	book     *ledger.Book
	presence *ledger.Presence
	sources  *sources
}

// handlers carry out each kind. They return when the fault is over, but for what
// it has set off. An error is not the gateway's: the run cannot go on.
var handlers = map[Kind]func(*hand, context.Context, Fault) error{
	NodeKill:     (*hand).nodeKill,
	Rolling:      (*hand).rolling,
	NodeStop:     (*hand).nodeStop,
	RedisKill:    (*hand).redisKill,
	RedisStop:    (*hand).redisStop,
	Failover:     (*hand).failover,
	CutRedis:     (*hand).cutRedis,
	StallRedis:   (*hand).stallRedis,
	CutAllRedis:  (*hand).cutAllRedis,
	CutClients:   (*hand).cutClients,
	StallClients: (*hand).stallClients,
	SlowReaders:  (*hand).slowReaders,
	ClockJump:    (*hand).clockJump,
	Herd:         (*hand).herd,
}

// do carries out a fault and waits until everything is up again.
func (h *hand) do(ctx context.Context, f Fault) error {
	err := handlers[f.Kind](h, ctx, f)
	return errors.Join(err, h.world.calm(ctx))
}

func (h *hand) nodeKill(ctx context.Context, f Fault) error {
	n := h.world.nodes[f.Node]
	n.kill()
	h.presence.Died(f.Node)
	pause(ctx, f.For)
	return n.up(ctx)
}

func (h *hand) rolling(ctx context.Context, _ Fault) error {
	for i, n := range h.world.nodes {
		if err := n.stop(); err != nil {
			return err
		}
		h.presence.Died(i)
		if err := n.up(ctx); err != nil {
			return err
		}
		if err := h.world.calm(ctx); err != nil {
			return err
		}
		pause(ctx, sequencerPause)
	}
	return nil
}

// sequencerPause is how long a new node needs to stand by for another.
const sequencerPause = 2 * time.Second

func (h *hand) nodeStop(ctx context.Context, f Fault) error {
	n := h.world.nodes[f.Node]
	if err := n.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	h.presence.Cut(f.Node)
	pause(ctx, f.For)
	err := n.signal(syscall.SIGCONT)
	h.mended(ctx, f.Node)
	return err
}

// mended waits until all nodes are ready and connected, of which one was cut off.
func (h *hand) mended(ctx context.Context, node int) {
	_ = h.world.calm(ctx) // do says it again
	h.presence.Mend(node, false)
}

func (h *hand) cutRedis(ctx context.Context, f Fault) error {
	match, err := h.world.ofNode(h.world.nodes[f.Node])
	if err != nil {
		return err
	}
	h.presence.Cut(f.Node)
	h.world.cutRedis(match)
	pause(ctx, 2*probeInterval) // until it has been seen
	h.mended(ctx, f.Node)
	return nil
}

func (h *hand) stallRedis(ctx context.Context, f Fault) error {
	match, err := h.world.ofNode(h.world.nodes[f.Node])
	if err != nil {
		return err
	}
	h.presence.Cut(f.Node)
	for _, s := range h.world.redis.Servers {
		s.Front.Stall(match)
	}
	pause(ctx, f.For)
	for _, s := range h.world.redis.Servers {
		s.Front.Resume()
	}
	h.mended(ctx, f.Node)
	return nil
}

func (h *hand) cutClients(_ context.Context, f Fault) error {
	h.world.balancer.Cut(func(c proxy.Conn) bool {
		// A number that looks random, of the port and the fault.
		mixed := (uint32(c.Client.Port()) + uint32(f.Pick)) * 2654435761
		return float64(mixed>>16)/(1<<16) < f.Share
	})
	return nil
}

func (h *hand) stallClients(ctx context.Context, f Fault) error {
	h.presence.Cut(f.Node)
	h.world.balancer.Stall(func(c proxy.Conn) bool { return c.Tag == f.Node })
	pause(ctx, f.For)
	h.world.balancer.Resume()
	h.presence.Mend(f.Node, true)
	return nil
}

func (h *hand) slowReaders(ctx context.Context, f Fault) error {
	room := f.Pick % len(h.sources.rooms)
	h.crowd.Hush(ctx, room, f.Share, f.For)
	until := time.Now().Add(f.For)
	h.sources.pour(ctx, room, burstSize, burstBytes)
	pause(ctx, time.Until(until))
	return nil
}

func (h *hand) clockJump(ctx context.Context, f Fault) error {
	by := f.For
	if f.Back {
		by = -by
	}
	h.crowd.Jump(ctx, f.Share, by)
	return nil
}

func (h *hand) herd(ctx context.Context, f Fault) error {
	h.crowd.Herd(ctx, 1, f.Reset)
	return nil
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
