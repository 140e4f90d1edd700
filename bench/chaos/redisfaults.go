package chaos

import (
	"context"
	"errors"
	"sync"
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

// fells carries out a fault that kills or demotes a server, and calls fell when it has.
// If it was the one that answers PUBLISH, an answer is no promise until all nodes are
// connected to who takes over and have had time to listen, however long it takes until
// the server itself is back.
func (h *hand) fells(ctx context.Context, s *redises.Server, fault func(fell func()) error) error {
	if !h.takesPublish(ctx, s) {
		return h.redisFault(ctx, func() error { return fault(func() {}) })
	}
	h.book.Risk(ledger.Fell)
	var next sync.WaitGroup
	err := h.redisFault(ctx, func() error {
		return fault(func() { next.Go(func() { h.takenOver(ctx) }) })
	})
	next.Wait()
	h.book.Safe() // if it did not come to that
	return err
}

// takenOver ends the risk when somebody has taken over, and all nodes have had time to
// listen there.
func (h *hand) takenOver(ctx context.Context) {
	if err := h.world.redis.WaitMasters(ctx); err != nil {
		return // the run ends
	}
	_ = h.world.calmSince(ctx, time.Now()) // do says it
	pause(ctx, sequencerPause)
	h.book.Safe()
}

func (h *hand) redisKill(ctx context.Context, f Fault) error {
	server, err := h.master(ctx, f)
	if err != nil {
		return err
	}
	return h.fells(ctx, server, func(fell func()) error {
		server.Kill()
		fell()
		pause(ctx, f.For)
		if err := h.world.redis.Replaced(ctx, server, f.For); err != nil {
			return err
		}
		return server.Start(ctx)
	})
}

// redisStop excuses nothing: the server goes on where it was, with what it was sent
// meanwhile, and nodes that give up their connections must not lose that.
func (h *hand) redisStop(ctx context.Context, f Fault) error {
	server, err := h.master(ctx, f)
	if err != nil {
		return err
	}
	err = h.redisFault(ctx, func() error {
		if err := server.Pause(); err != nil {
			return err
		}
		pause(ctx, f.For)
		return server.Resume()
	})
	pause(ctx, sequencerPause)
	return err
}

func (h *hand) failover(ctx context.Context, f Fault) error {
	server, err := h.master(ctx, f)
	if err != nil {
		return err
	}
	return h.fells(ctx, server, func(fell func()) error {
		err := h.world.redis.Failover(ctx, server)
		pause(ctx, time.Second) // until Sentinels and servers have noticed
		fell()
		return err
	})
}

func (h *hand) cutAllRedis(ctx context.Context, _ Fault) error {
	h.book.Risk(ledger.Deaf)
	err := h.redisFault(ctx, func() error {
		h.world.cutRedis(h.world.ofNodes())
		pause(ctx, 2*probeInterval) // until it has been seen
		return nil
	})
	pause(ctx, sequencerPause)
	h.book.Safe()
	return err
}
