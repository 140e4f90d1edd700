package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/ginforge/gateway/bench"
	"github.com/ginforge/gateway/bench/chaos/proxy"
	"github.com/ginforge/gateway/bench/chaos/redises"
)

// world is what is tested: Redis, nodes, and the load balancer in front of them.
type world struct {
	redis    *redises.Set
	nodes    []*node
	balancer *proxy.Proxy
	watching sync.WaitGroup
	unwatch  context.CancelFunc
}

// newWorld starts everything and waits until it is ready.
func newWorld(ctx context.Context, o Options) (*world, error) {
	w := &world{unwatch: func() {}}
	err := w.build(ctx, o)
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) build(ctx context.Context, o Options) error {
	var err error
	if w.redis, err = redises.Start(ctx, o.Topology); err != nil {
		return err
	}
	for i := range o.Nodes {
		name := fmt.Sprintf("node-%d", i+1)
		n := &node{name: name, start: func(ctx context.Context) (*bench.Gateway, error) {
			return bench.StartGateway(ctx, o.Gateway, o.Log, o.settings(w.redis.URL(), name)...)
		}}
		w.nodes = append(w.nodes, n)
		if err := n.up(ctx); err != nil {
			return err
		}
	}
	// Nobody knows its address yet, so that route is not called before it is set.
	if w.balancer, err = proxy.Listen(w.route, balancerBytes); err != nil {
		return err
	}
	watch, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.unwatch = cancel
	for _, n := range w.nodes {
		w.watching.Go(func() { probeAgain(watch, n) })
	}
	return w.calm(ctx)
}

// close ends everything.
func (w *world) close() {
	w.unwatch()
	w.watching.Wait()
	if w.balancer != nil {
		w.balancer.Close()
	}
	for _, n := range w.nodes {
		n.end()
	}
	if w.redis != nil {
		w.redis.Close()
	}
}

const (
	probeInterval = 200 * time.Millisecond
	probeTimeout  = 500 * time.Millisecond
)

// probeAgain looks at a node until ctx ends.
func probeAgain(ctx context.Context, n *node) {
	client := &http.Client{Timeout: probeTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		n.probe(ctx, client)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// route sends a new client to the node with fewer clients of two that are ready, or
// to any that runs when none is.
func (w *world) route() (tag int, to string, ok bool) {
	best := -1
	for _, k := range rand.Perm(len(w.nodes)) {
		addr, ready, running := w.nodes[k].address()
		switch {
		case !running:
		case !ready && best < 0:
			tag, to, ok = k, addr, true
		case ready && best < 0:
			best, tag, to, ok = w.balancer.Count(k), k, addr, true
		case ready && w.balancer.Count(k) < best:
			return k, addr, true
		case ready:
			return tag, to, true
		}
	}
	return tag, to, ok
}

// balancerBytes are the buffers of the load balancer's sockets: small, so that a node
// feels it when a client does not read.
const balancerBytes = 32 << 10

// ErrRestless is returned when nodes do not become ready again after a fault.
var ErrRestless = errors.New("chaos: not all nodes are ready and connected to Redis")

// calmTimeout is how long they may take.
const calmTimeout = 30 * time.Second

// calm waits until all nodes are ready and connected to Redis.
func (w *world) calm(ctx context.Context) error { return w.calmSince(ctx, time.Time{}) }

// calmSince waits until all nodes, asked after that time, are ready and connected to Redis.
func (w *world) calmSince(ctx context.Context, asked time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, calmTimeout)
	defer cancel()
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		restless := ""
		for _, n := range w.nodes {
			if !n.well(asked) {
				restless = n.name
			}
		}
		if restless == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s: %w", ErrRestless, restless, ctx.Err())
		}
	}
}

// ofNode matches the connections to Redis that a node has now, or makes later.
func (w *world) ofNode(n *node) (func(proxy.Conn) bool, error) {
	g := n.running()
	if g == nil {
		return nil, fmt.Errorf("chaos: %s does not run", n.name)
	}
	pid := g.PID()
	owned, err := proxy.Owned(pid)
	if err != nil {
		return nil, err
	}
	looked := time.Now()
	var mu sync.Mutex // guards owned and looked
	return func(c proxy.Conn) bool {
		mu.Lock()
		defer mu.Unlock()
		if c.Accepted.After(looked) {
			looked = time.Now()
			if fresh, err := proxy.Owned(pid); err == nil { // else the node has gone
				owned = fresh
			}
		}
		return owned[c.Client]
	}, nil
}

// ofNodes matches the connections to Redis of all nodes.
func (w *world) ofNodes() func(proxy.Conn) bool {
	var all []func(proxy.Conn) bool
	for _, n := range w.nodes {
		if match, err := w.ofNode(n); err == nil {
			all = append(all, match)
		}
	}
	return func(c proxy.Conn) bool {
		for _, match := range all {
			if match(c) {
				return true
			}
		}
		return false
	}
}

// cutRedis cuts what matches at all servers of Redis.
func (w *world) cutRedis(match func(proxy.Conn) bool) {
	for _, s := range w.redis.Servers {
		s.Front.Cut(match)
	}
}
