package chaos

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/ginforge/gateway/bench/chaos/ledger"
	"github.com/ginforge/gateway/bench/chaos/player"
	"github.com/ginforge/gateway/bench/chaos/proxy"
	"github.com/ginforge/gateway/bench/chaos/redises"
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
	h.presence.Died()
	pause(ctx, f.For)
	return n.up(ctx)
}

func (h *hand) rolling(ctx context.Context, _ Fault) error {
	for _, n := range h.world.nodes {
		if err := n.stop(); err != nil {
			return err
		}
		h.presence.Died()
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
	h.isolated(ctx, f.For)
	return n.signal(syscall.SIGCONT)
}

// isolated waits for as long as a node is cut off from Redis. When that may be
// longer than its lease lasts, its users may be taken for gone.
func (h *hand) isolated(ctx context.Context, d time.Duration) {
	if d < lease/2 {
		pause(ctx, d)
		return
	}
	h.presence.Unsettle()
	pause(ctx, d)
	h.presence.Settle()
}

// master is the one of Redis's masters that a fault picks.
func (h *hand) master(ctx context.Context, f Fault) (*redises.Server, error) {
	masters := h.world.redis.Masters(ctx)
	if len(masters) == 0 {
		return nil, errors.New("chaos: Redis has no master")
	}
	return masters[f.Pick%len(masters)], nil
}

// risky carries out a fault that hits Redis as a whole, and keeps the books about
// it until all nodes are connected again and have had time to listen.
func (h *hand) risky(ctx context.Context, fault func() error) error {
	h.book.Risk()
	h.presence.Unsettle()
	err := fault()
	err = errors.Join(err, h.world.redis.WaitHealthy(ctx))
	_ = h.world.calm(ctx) // do says it again
	h.presence.Settle()
	pause(ctx, sequencerPause)
	h.book.Safe()
	return err
}

func (h *hand) redisKill(ctx context.Context, f Fault) error {
	server, err := h.master(ctx, f)
	if err != nil {
		return err
	}
	return h.risky(ctx, func() error {
		server.Kill()
		pause(ctx, f.For)
		return server.Start(ctx)
	})
}

func (h *hand) redisStop(ctx context.Context, f Fault) error {
	server, err := h.master(ctx, f)
	if err != nil {
		return err
	}
	return h.risky(ctx, func() error {
		if err := server.Pause(); err != nil {
			return err
		}
		pause(ctx, f.For)
		return server.Resume()
	})
}

func (h *hand) failover(ctx context.Context, f Fault) error {
	return h.risky(ctx, func() error {
		err := h.world.redis.Failover(ctx, f.Pick)
		pause(ctx, time.Second) // until Sentinels and servers have noticed
		return err
	})
}

func (h *hand) cutRedis(_ context.Context, f Fault) error {
	match, err := h.world.ofNode(h.world.nodes[f.Node])
	if err == nil {
		h.world.cutRedis(match)
	}
	return err
}

func (h *hand) cutAllRedis(ctx context.Context, _ Fault) error {
	return h.risky(ctx, func() error {
		h.world.cutRedis(h.world.ofNodes())
		return nil
	})
}

func (h *hand) stallRedis(ctx context.Context, f Fault) error {
	match, err := h.world.ofNode(h.world.nodes[f.Node])
	if err != nil {
		return err
	}
	for _, s := range h.world.redis.Servers {
		s.Front.Stall(match)
	}
	h.isolated(ctx, f.For)
	for _, s := range h.world.redis.Servers {
		s.Front.Resume()
	}
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
	h.world.balancer.Stall(func(c proxy.Conn) bool { return c.Tag == f.Node })
	pause(ctx, f.For)
	h.world.balancer.Resume()
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
