package chaos

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/bench/chaos/ledger"
	"github.com/ginforge/gateway/bench/chaos/player"
	"github.com/ginforge/gateway/bench/chaos/redises"
	"github.com/ginforge/gateway/pubsub/notification"
)

// sources is everybody who publishes from outside.
type sources struct {
	client     redis.UniversalClient
	publishers []*publisher
	burst      *publisher
	rooms      []target
	failed     atomic.Int64
	running    sync.WaitGroup
}

// perSource is how many publishers there are of each kind.
const perSource = 2

// memberShare is the part of all messages that clients send.
const memberShare = 0.25

// newSources makes publishers for the rest of the rate.
func newSources(o Options, set *redises.Set, book *ledger.Book, rooms []target, crowd *player.Crowd) *sources {
	s := &sources{client: set.Client(), rooms: rooms}
	each := o.Rate * (1 - memberShare) / (3 * perSource)
	targets := func(r *rand.Rand) target {
		if r.IntN(4) > 0 {
			return rooms[r.IntN(len(rooms))]
		}
		u := r.IntN(len(crowd.Inboxes()))
		return target{log: crowd.Inboxes()[u], user: crowd.UserID(u)}
	}
	add := func(source ledger.Source, repeats bool, send send) *publisher {
		n := len(s.publishers) + 1
		p := &publisher{
			book: book, source: source, number: n, rate: each, repeats: repeats, targets: targets, send: send,
			rand: rand.New(rand.NewPCG(o.Seed, uint64(100+n))), failed: &s.failed,
		}
		s.publishers = append(s.publishers, p)
		return p
	}
	for k := range perSource {
		ids := k == 0
		add(ledger.Durable, true, goClient(s.client, o.Topology))
		add(ledger.Stream, true, xadd(s.client, o.Topology))
		add(ledger.Bare, ids, bare(s.client, o.Topology, ids))
	}
	burst := *s.publishers[1]
	burst.number = len(s.publishers) + 1
	s.burst = &burst
	return s
}

// goClient returns a send that uses the backends' client.
func goClient(c redis.UniversalClient, topology redises.Topology) send {
	durable := notification.WithDurable()
	if topology != redises.Standalone {
		durable = notification.WithReplicas(1)
	}
	client := notification.NewClient(c, durable)
	return func(ctx context.Context, t target, s ledger.Stamp, _ int) error {
		content := map[string]any{"chaos": []int{s.Log, s.N}}
		if t.room != "" {
			return client.SendToRoom(ctx, &notification.RoomMessageRequest{ID: messageID(s), Room: t.room, Content: content})
		}
		return client.SendUserMessage(ctx, &notification.UserMessageRequest{ID: messageID(s), To: t.user, Content: content})
	}
}

// start has all publishers work until ctx ends; wait waits until they have ended.
func (s *sources) start(ctx context.Context) {
	for _, p := range s.publishers {
		s.running.Go(func() { p.run(ctx) })
	}
}

func (s *sources) wait() { s.running.Wait() }

// pour publishes a burst into a room.
func (s *sources) pour(ctx context.Context, room, n, pad int) {
	for range n {
		if ctx.Err() != nil {
			return
		}
		s.burst.publish(ctx, s.rooms[room], pad)
	}
}

func (s *sources) close() { _ = s.client.Close() }

func roomName(r int) string { return namespace + ":" + strconv.Itoa(r) }
