package nodes

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// Registry is this node among the others. Its methods may be called from any
// goroutine; those that wait for Redis or for other nodes say so and have a
// context.
type Registry struct {
	// Fixed by New.
	cfg     Config
	client  redis.UniversalClient
	load    func() Load
	log     zerolog.Logger
	changed chan struct{}      // holds a token when the lease should be renewed at once
	orders  chan incoming      // what other nodes want of this one, for the workers
	ops     map[string]Handler // what they may want; filled by Handle before Run
	onLife  []func(Life)       // told of new lives; filled by OnLife before Run

	stats counters

	mu       sync.Mutex // guards the fields below
	self     Node       // as last published; Life is "" before the first lease
	since    time.Time  // when the present life began
	lives    int        // so far
	begun    bool       // Redis knows the present life
	epoch    string     // of Redis' data; "" before the first lease
	others   []Node     // live nodes without this one, by ID
	spare    int        // of the others together
	renewed  time.Time  // last time that the lease was
	accepted uint64     // Load.Accepted at that time
	arrivals float64    // clients a second of late
	asks     map[uint64]*ask
	lastAsk  uint64
}

// New makes a registry; Run brings it to life. load says how busy this node is;
// it is called by Run's goroutine.
func New(cfg Config, client redis.UniversalClient, load func() Load, log zerolog.Logger) (*Registry, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Registry{
		cfg: cfg.withDefaults(), client: client, load: load, log: log,
		changed: make(chan struct{}, 1),
		orders:  make(chan incoming, maxOrders),
		ops:     map[string]Handler{},
		asks:    map[uint64]*ask{},
	}, nil
}

// Life is a time during which a node's lease holds without a gap.
type Life struct {
	Name string
	// DataLost says that the life before ended because Redis has lost its data:
	// nobody has cleaned up after it, and nobody was told of an end.
	DataLost bool
}

// OnLife has f called when a life begins, on Run's goroutine, before anybody can
// know of it: everything that this node keeps in Redis under its life is to be
// written again. Called before Run.
func (r *Registry) OnLife(f func(Life)) { r.onLife = append(r.onLife, f) }

// ID is this node's.
func (r *Registry) ID() string { return r.cfg.ID }

// Run holds the lease and does what other nodes ask for, until ctx ends; then it
// lets the lease end and returns nil.
func (r *Registry) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for range numWorkers {
		workers.Go(func() { r.work(ctx) })
	}
	r.hold(ctx)
	workers.Wait()
	return nil
}

// hold renews the lease until ctx ends, and lets it end then, so that nobody has
// to wait until it runs out.
func (r *Registry) hold(ctx context.Context) {
	for ctx.Err() == nil {
		pause := r.cfg.TTL / 3
		if err := r.refresh(ctx); err != nil {
			r.stats.failures.Add(1)
			r.log.Debug().Err(err).Msg("lease not renewed")
			pause = r.cfg.TTL / 20
		}
		r.wait(ctx, pause)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if life, _ := r.life(); life != "" {
		if err := r.end(last, life); err != nil {
			r.log.Debug().Err(err).Msg("lease runs out by itself")
		}
	}
}

func (r *Registry) wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-r.changed:
	}
}

// Refresh has the lease renewed at once, since what it says has changed.
func (r *Registry) Refresh() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// refresh renews the lease; when that is too late, it begins a new life.
func (r *Registry) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.TTL/2)
	defer cancel()
	self, begun := r.describe()
	if self.Life == "" {
		self.Life = r.beginLife(false)
	}
	v, err := r.renew(ctx, self, !begun)
	if err == nil && v.status != leaseHeld {
		lost := v.status == leaseMissing && v.epoch != r.knownEpoch()
		r.log.Warn().Str("lease", v.status).Bool("data_lost", lost).Msg("the lease was lost: a new life begins")
		self.Life = r.beginLife(lost)
		v, err = r.renew(ctx, self, true)
	}
	if err != nil {
		return err
	}
	r.saw(self, v)
	return nil
}

// beginLife names the next life and tells those who keep things under it.
func (r *Registry) beginLife(dataLost bool) string {
	r.mu.Lock()
	r.lives++
	life := nextLife(r.cfg.ID, r.lives)
	r.self.Life, r.since, r.begun = life, time.Now(), false
	r.mu.Unlock()
	r.stats.lives.Add(1)
	for _, f := range r.onLife {
		f(Life{Name: life, DataLost: dataLost})
	}
	return life
}

// describe is what the lease should say now, and whether Redis knows its life.
func (r *Registry) describe() (n Node, begun bool) {
	load, now := r.load(), time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := now.Sub(r.renewed); r.renewed.IsZero() || d >= r.cfg.TTL/6 {
		if !r.renewed.IsZero() {
			r.arrivals = float64(load.Accepted-r.accepted) / d.Seconds()
		}
		r.renewed, r.accepted = now, load.Accepted
	}
	n = Node{
		ID: r.cfg.ID, Name: r.cfg.Name, Life: r.self.Life, Version: r.cfg.Version, Started: r.cfg.Started.UTC(),
		Load: load, Spare: load.spare(r.arrivals),
	}
	if r.cfg.Addr != nil {
		n.Addr = r.cfg.Addr()
	}
	return n, r.begun
}

// saw keeps what a renewal has shown.
func (r *Registry) saw(self Node, v view) {
	others := slices.DeleteFunc(v.live, func(n Node) bool { return n.ID == r.cfg.ID })
	slices.SortFunc(others, func(a, b Node) int { return strings.Compare(a.ID, b.ID) })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.self, r.epoch, r.others, r.spare, r.begun = self, v.epoch, others, 0, true
	for _, n := range others {
		r.spare += n.Spare
	}
}

func (r *Registry) knownEpoch() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.epoch
}

// life is the present life, "" before the first lease, and how long it lasts.
func (r *Registry) life() (name string, age time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.self.Life, time.Since(r.since)
}

// Self is this node as its lease has it.
func (r *Registry) Self() Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.self
}

// Live returns the nodes whose leases held at the last renewal, with this one
// first and then by ID. It does not wait.
func (r *Registry) Live() []Node {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Node{r.self}, r.others...)
}

// Others counts the live nodes besides this one.
func (r *Registry) Others() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.others)
}

// Window is the time over which the clients of this node should spread their
// reconnects if it went away: as long as the others need for that many with what
// they have to spare, or this node itself after a restart when there are no
// others. It lies between least and most.
func (r *Registry) Window(connections int64, least, most time.Duration) time.Duration {
	r.mu.Lock()
	spare := r.spare
	if len(r.others) == 0 {
		spare = r.self.AcceptPerSecond
	}
	known := r.begun
	r.mu.Unlock()
	switch {
	case !known || connections <= 0:
		return least
	case spare <= 0:
		return most
	}
	return min(max(time.Duration(connections)*time.Second/time.Duration(spare), least), most)
}

func randomText() string { return rand.Text() }
