package chaos

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/bench/chaos/ledger"
	"github.com/ginforge/gateway/bench/chaos/redises"
)

// master is the one of Redis's masters that a fault picks.
func (h *hand) master(ctx context.Context, f Fault) (*redises.Server, error) {
	masters := h.world.redis.Masters(ctx)
	if len(masters) == 0 {
		return nil, errors.New("chaos: Redis has no master")
	}
	return masters[f.Pick%len(masters)], nil
}

// takesPublish reports whether a master is the one that answers those who PUBLISH: of
// a Cluster that is one of three.
func (h *hand) takesPublish(ctx context.Context, s *redises.Server) bool {
	one, err := masterOf(ctx, h.sources.client, intakeKey)
	if err != nil {
		return false // then it answers nothing
	}
	client, ok := one.(*redis.Client)
	return !ok || h.world.redis.Topology != redises.Cluster || client.Options().Addr == s.Addr()
}

// redisFault carries out a fault that hits Redis as a whole, and waits until all nodes
// are connected again. Nobody hears of what changes meanwhile.
func (h *hand) redisFault(ctx context.Context, fault func() error) error {
	h.presence.RedisAway()
	err := fault()
	err = errors.Join(err, h.world.redis.WaitHealthy(ctx))
	_ = h.world.calm(ctx) // do says it again
	h.presence.RedisBack()
	return err
}

// risky carries out a fault after which an answer to PUBLISH was no promise, until all
// nodes are connected again and have had time to listen.
func (h *hand) risky(ctx context.Context, cause ledger.Cause, fault func() error) error {
	h.book.Risk(cause)
	err := h.redisFault(ctx, fault)
	pause(ctx, sequencerPause)
	h.book.Safe()
	return err
}

// fells carries out a fault that kills or demotes a server.
func (h *hand) fells(ctx context.Context, s *redises.Server, fault func() error) error {
	if h.takesPublish(ctx, s) {
		return h.risky(ctx, ledger.Fell, fault)
	}
	return h.redisFault(ctx, fault)
}

func (h *hand) redisKill(ctx context.Context, f Fault) error {
	server, err := h.master(ctx, f)
	if err != nil {
		return err
	}
	return h.fells(ctx, server, func() error {
		server.Kill()
		pause(ctx, f.For)
		if err := h.world.redis.Replaced(ctx, server, f.For); err != nil {
			return err
		}
		return server.Start(ctx)
	})
}

// redisStop loses nothing by itself: the server goes on where it was, with all its
// connections. But when it lasts, nodes give theirs up, and then a PUBLISH is passed on
// to nobody; that there was a moment in which none was connected is looked for.
func (h *hand) redisStop(ctx context.Context, f Fault) error {
	server, err := h.master(ctx, f)
	if err != nil {
		return err
	}
	h.book.Risk(ledger.Deaf)
	deaf := h.world.unlinked(ctx)
	err = h.redisFault(ctx, func() error {
		if err := server.Pause(); err != nil {
			return err
		}
		pause(ctx, f.For)
		return server.Resume()
	})
	pause(ctx, sequencerPause)
	if deaf() {
		h.book.Safe()
	} else {
		h.book.Withdraw()
	}
	return err
}

func (h *hand) failover(ctx context.Context, f Fault) error {
	server, err := h.master(ctx, f)
	if err != nil {
		return err
	}
	return h.fells(ctx, server, func() error {
		err := h.world.redis.Failover(ctx, server)
		pause(ctx, time.Second) // until Sentinels and servers have noticed
		return err
	})
}

func (h *hand) cutAllRedis(ctx context.Context, _ Fault) error {
	return h.risky(ctx, ledger.Deaf, func() error {
		h.world.cutRedis(h.world.ofNodes())
		pause(ctx, 2*probeInterval) // until it has been seen
		return nil
	})
}
