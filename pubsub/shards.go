package pubsub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// shapeInterval is how often the shape of the Cluster is looked at when
	// nothing gives reason to.
	shapeInterval = 10 * time.Second
	// shapePause is the least time between two looks: nodes need a moment to
	// agree on a change.
	shapePause = 100 * time.Millisecond
	// shapeTimeout bounds one look at one node.
	shapeTimeout = time.Second
	// maxMasters bounds how many masters are believed to be there. Redis
	// recommends at most 1000 nodes.
	maxMasters = 2000
)

// errGone is why the Bus's own link ends in a Cluster when its server is out of it.
var errGone = errors.New("the cluster does not know the server any more")

// shards is the node's interest in the live channels of logs in a Cluster,
// where each is published at the master of its slot only, and heard there. It
// has a shard, with a connection, for each master.
//
//	want ─► the shard of the slot's master ─► its link ─► SSUBSCRIBE
//	             ▲ moved                        │ MOVED, sunsubscribe, or lost
//	             └──────── run: CLUSTER SLOTS ◄─┘
//
// A topic is in one shard at a time. As long as a slot has no master that is
// known, its topics are with nobody: a shard without a link.
type shards struct {
	bus  *Bus
	wake chan struct{} // holds a token when there is reason to look at the Cluster

	// mu guards the fields below, and keeps a topic from being wanted while
	// it is moved: whoever wants holds it for reading. It comes before the
	// locks of interests.
	mu      sync.RWMutex
	masters map[string]*shard // by address; those that have slots
	owners  [numSlots]*shard  // never nil
	nobody  *shard
	refusal map[refusedSlot]struct{} // what was refused since the last look

	gone map[string]struct{} // masters that the Cluster does not list any more; owned by run
}

// refusedSlot is a slot that a shard would not serve.
type refusedSlot struct {
	shard *shard
	slot  int
}

func newShards(b *Bus) *shards {
	a := &shards{
		bus: b, wake: make(chan struct{}, 1), masters: map[string]*shard{}, refusal: map[refusedSlot]struct{}{},
		gone: map[string]struct{}{},
	}
	a.nobody = &shard{all: a, interest: newInterest()}
	for slot := range a.owners {
		a.owners[slot] = a.nobody
	}
	return a
}

// want is interest.want at the shard of t.
func (a *shards) want(t topic, confirmed func()) (ready bool) {
	slot := a.slot(t)
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.owners[slot].interest.want(t, confirmed)
}

// unwant is interest.unwant at the shard of t.
func (a *shards) unwant(t topic, due time.Time) {
	slot := a.slot(t)
	a.mu.RLock()
	defer a.mu.RUnlock()
	a.owners[slot].interest.unwant(t, due)
}

func (a *shards) slot(t topic) int { return slotOf(channelName(a.bus.cfg.Prefix, t.kind, t.name)) }

// each calls do for every shard there is, that of nobody included.
func (a *shards) each(do func(*shard)) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	do(a.nobody)
	for _, s := range a.masters {
		do(s)
	}
}

func (a *shards) expire(now time.Time) { a.each(func(s *shard) { s.interest.expire(now) }) }

// counts sums up what the shards count.
func (a *shards) counts() (confirmed, wanted int) {
	a.each(func(s *shard) {
		c, w := s.interest.counts()
		confirmed, wanted = confirmed+c, wanted+w
	})
	return confirmed, wanted
}

// refused notes that s will not serve a slot, and has the Cluster looked at.
func (a *shards) refused(s *shard, slot int) {
	a.mu.Lock()
	a.refusal[refusedSlot{s, slot}] = struct{}{}
	a.mu.Unlock()
	a.reload()
}

// reload has the Cluster looked at soon. There may be none.
func (a *shards) reload() {
	if a == nil {
		return
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run looks at the Cluster, now, when there is reason, and every now and then,
// and has a link to each of its masters, until ctx ends.
func (a *shards) run(ctx context.Context) {
	var links sync.WaitGroup
	defer links.Wait()
	a.reload()
	for {
		timer := time.NewTimer(shapeInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-a.wake:
		case <-timer.C:
		}
		timer.Stop()
		slots, err := a.look(ctx)
		if err != nil {
			a.bus.log.Debug().Err(err).Msg("the cluster does not say who has its slots")
			a.reload()
		} else {
			a.apply(ctx, slots, &links)
			a.leave(slots)
			a.tell(ctx)
		}
		pause(ctx, shapePause)
	}
}

// look asks nodes of the Cluster, in random order, until one says who has
// which slots. An address without a host means the host that was asked.
func (a *shards) look(ctx context.Context) ([]redis.ClusterSlot, error) {
	addrs := append([]string(nil), a.bus.target.options.Addrs...)
	a.mu.RLock()
	for addr := range a.masters {
		addrs = append(addrs, addr)
	}
	a.mu.RUnlock()
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	err := errors.New("no node is known")
	for _, addr := range addrs {
		var slots []redis.ClusterSlot
		if slots, err = a.ask(ctx, addr); err == nil {
			return slots, nil
		}
	}
	return nil, err
}

// ask asks one node.
func (a *shards) ask(ctx context.Context, addr string) ([]redis.ClusterSlot, error) {
	t := a.bus.target // a copy
	t.options.Addrs, t.options.IsClusterMode = []string{addr}, false
	client := newClient(t)
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, shapeTimeout)
	defer cancel()
	slots, err := client.ClusterSlots(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", addr, err)
	}
	asked, _, _ := net.SplitHostPort(addr)
	for i := range slots {
		for j := range slots[i].Nodes {
			host, port, err := net.SplitHostPort(slots[i].Nodes[j].Addr)
			if err == nil && host == "" {
				slots[i].Nodes[j].Addr = net.JoinHostPort(asked, port)
			}
		}
	}
	return slots, nil
}

// apply takes in the shape of the Cluster: new masters get a link, topics move
// to the master that has their slot now, and what was refused by one that has
// it all the same is tried again. Masters without slots lose their link.
func (a *shards) apply(ctx context.Context, slots []redis.ClusterSlot, links *sync.WaitGroup) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.assignLocked(slots) {
		a.moveLocked()
	}
	for r := range a.refusal {
		r.shard.interest.resend(func(t topic) bool { return a.slot(t) == r.slot })
	}
	clear(a.refusal)

	serving := map[*shard]bool{}
	for _, s := range a.owners {
		serving[s] = true
	}
	for addr, s := range a.masters {
		switch {
		case !serving[s]:
			delete(a.masters, addr)
			a.gone[addr] = struct{}{}
			if s.cancel != nil {
				s.cancel()
			}
		case s.cancel == nil:
			var link context.Context
			link, s.cancel = context.WithCancel(ctx)
			links.Go(func() { s.run(link) })
		}
	}
}

// leave ends the Bus's own link when its server was a master and is out of the Cluster:
// it has been replaced, or removed, and may live on without hearing what is published
// at the others. As a replica it would hear that.
func (a *shards) leave(slots []redis.ClusterSlot) {
	for _, r := range slots {
		for _, n := range r.Nodes {
			delete(a.gone, n.Addr)
		}
	}
	if to := a.bus.outbox.route(); to != nil {
		if _, gone := a.gone[to.node.Options().Addr]; gone {
			to.leave()
		}
	}
	if len(a.gone) > maxMasters { // in years
		clear(a.gone)
	}
}

// tell has go-redis look at the Cluster too, so that appends and questions
// find the new masters: by itself it looks when a node says MOVED, not when a
// master is gone.
func (a *shards) tell(ctx context.Context) {
	clients := []redis.UniversalClient{a.bus.commands}
	if to := a.bus.outbox.route(); to != nil {
		clients = append(clients, to.client)
	}
	for _, client := range clients {
		if cluster, ok := client.(*redis.ClusterClient); ok {
			cluster.ReloadState(ctx) // in the background
		}
	}
}

// assignLocked gives the slots their owners and reports whether one is new.
func (a *shards) assignLocked(slots []redis.ClusterSlot) (changed bool) {
	var owners [numSlots]*shard
	for _, r := range slots {
		if len(r.Nodes) == 0 || r.Nodes[0].Addr == "" || r.Start < 0 || r.End >= numSlots {
			continue
		}
		s := a.masters[r.Nodes[0].Addr]
		if s == nil {
			if len(a.masters) >= maxMasters {
				continue
			}
			s = &shard{all: a, addr: r.Nodes[0].Addr, interest: newInterest()}
			a.masters[s.addr] = s
		}
		for slot := r.Start; slot <= r.End; slot++ {
			owners[slot] = s
		}
	}
	for slot, s := range owners {
		if s == nil {
			owners[slot] = a.nobody
		}
	}
	changed = owners != a.owners
	if changed {
		a.settleLocked(&owners)
	}
	a.owners = owners
	return changed
}

// settleLocked has appends wait at masters that take slots over from one that
// has none any more. Slots that move between masters bring all their messages.
func (a *shards) settleLocked(owners *[numSlots]*shard) {
	serving := map[*shard]bool{a.nobody: true}
	for _, s := range owners {
		serving[s] = true
	}
	for slot, s := range owners {
		if before := a.owners[slot]; !serving[before] && s.settling.left(time.Now()) <= 0 {
			s.settling.begin(a.bus.cfg.Settle)
		}
	}
}

// ownerOf returns the shard that has t.
func (a *shards) ownerOf(t topic) *shard {
	slot := a.slot(t)
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.owners[slot]
}

// moveLocked moves topics to the shards that own their slots.
func (a *shards) moveLocked() {
	move := func(s *shard) {
		for _, m := range s.interest.take(func(t topic) bool { return a.owners[a.slot(t)] != s }) {
			a.owners[a.slot(m.topic)].interest.put(m)
			a.bus.counters.shardMoves.Add(1)
		}
	}
	move(a.nobody)
	for _, s := range a.masters {
		move(s)
	}
}
