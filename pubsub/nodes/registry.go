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

	leases leases // owned by Run's goroutine

	stats counters

	mu       sync.Mutex // guards the fields below
	self     Node       // as last published; Life is "" before the first lease
	since    time.Time  // when the present life began
	lives    int        // so far
	next     *Life      // is about to begin, once Redis knows; nil as a rule
	held     time.Time  // when the last renewal that succeeded was asked for
	epoch    string     // of Redis' data; "" before the first lease
	others   []Node     // live nodes without this one, by ID
	ended    []string   // lives that have ended and are not cleaned up yet
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
		leases:  leases{},
		self:    Node{ID: cfg.ID, Name: cfg.Name, Version: cfg.Version, Started: cfg.Started.UTC()},
	}, nil
}

// Life is a time during which a node's lease holds without a gap.
type Life struct {
	Name string
	// DataLost says that the life before ended because Redis has lost its data:
	// nobody has cleaned up after it, and nobody was told of an end.
	DataLost bool
}

// OnLife has f called when a life has begun, on Run's goroutine: everything that
// this node keeps in Redis under its life is to be written again. Called before
// Run.
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
	self, begins := r.describe()
	asked := time.Now()
	v, err := r.renew(ctx, self, begins != nil)
	if err == nil && v.status != leaseHeld {
		begins = r.newLife(v.status == leaseMissing && v.epoch != r.knownEpoch())
		r.log.Warn().Str("lease", v.status).Bool("data_lost", begins.DataLost).Msg("the lease was lost: a new life begins")
		self.Life, asked = begins.Name, time.Now()
		v, err = r.renew(ctx, self, true)
	}
	if err != nil {
		return err
	}
	r.saw(self, v, asked)
	if begins != nil {
		for _, f := range r.onLife {
			f(*begins)
		}
	}
	return nil
}

// newLife names the next life, which begins when Redis has its lease.
func (r *Registry) newLife(dataLost bool) *Life {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newLifeLocked(dataLost)
}

func (r *Registry) newLifeLocked(dataLost bool) *Life {
	r.lives++
	r.stats.lives.Add(1)
	r.next = &Life{Name: nextLife(r.cfg.ID, r.lives), DataLost: dataLost}
	return r.next
}

// describe is what the lease should say now, and the life that it begins unless
// it only goes on.
func (r *Registry) describe() (n Node, begins *Life) {
	load, now := r.load(), time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := now.Sub(r.renewed); r.renewed.IsZero() || d >= r.cfg.TTL/6 {
		if !r.renewed.IsZero() {
			r.arrivals = float64(load.Accepted-r.accepted) / d.Seconds()
		}
		r.renewed, r.accepted = now, load.Accepted
	}
	if r.self.Life == "" && r.next == nil {
		r.newLifeLocked(false)
	}
	n = Node{
		ID: r.cfg.ID, Name: r.cfg.Name, Life: r.self.Life, Version: r.cfg.Version, Started: r.cfg.Started.UTC(),
		Load: load, Spare: load.spare(r.arrivals),
	}
	if r.cfg.Addr != nil {
		n.Addr = r.cfg.Addr()
	}
	if r.next != nil {
		n.Life = r.next.Name
	}
	return n, r.next
}

// saw keeps what a renewal has shown.
func (r *Registry) saw(self Node, v view, asked time.Time) {
	others := slices.DeleteFunc(v.live, func(n Node) bool { return n.ID == r.cfg.ID })
	slices.SortFunc(others, func(a, b Node) int { return strings.Compare(a.ID, b.ID) })
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.self.Life != self.Life {
		r.since = asked
	}
	r.self, r.epoch, r.others, r.ended, r.spare = self, v.epoch, others, v.ended, 0
	r.next, r.held = nil, asked
	for _, n := range others {
		r.spare += n.Spare
	}
}

func (r *Registry) knownEpoch() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.epoch
}

// Holds returns the present life, and whether its lease holds for certain: if not
// nothing may be written under it, since somebody may be cleaning up after it.
func (r *Registry) Holds() (life string, certain bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.self.Life, r.self.Life != "" && time.Since(r.held) < r.cfg.TTL
}

// Dead returns the lives that have ended and are not cleaned up yet, as of the
// last renewal.
func (r *Registry) Dead() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

// Lives returns the lives under which something may be in Redis, as of the last
// renewal: those of the live nodes, this one included, and those that Dead returns.
func (r *Registry) Lives() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lives := slices.Clone(r.ended)
	for _, n := range r.others {
		lives = append(lives, n.Life)
	}
	if r.self.Life != "" {
		lives = append(lives, r.self.Life)
	}
	return lives
}

// LongHeld reports whether the present life has held for the TTL and since. When Redis
// was away for all, the others are back by then, or dead; before, they only seem to be.
func (r *Registry) LongHeld(since time.Duration) bool {
	life, age := r.life()
	return life != "" && age >= r.cfg.TTL+since
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

// plannedShare is the part of what nodes have to spare that Window counts on:
// handshakes are at the cost of the messages to those who are there already.
const plannedShare = 2

// Window is the time over which the clients of this node should spread their
// reconnects if it went away: as long as the others need for that many with a half of
// what they have to spare, or this node itself after a restart when there are no
// others. It lies between least and most.
//
// It counts on as many connections as nodes have on the average if this one has fewer:
// who comes early to a node that fills up keeps the window that it is told now.
func (r *Registry) Window(connections int64, least, most time.Duration) time.Duration {
	r.mu.Lock()
	spare, total := r.spare, connections
	if len(r.others) == 0 {
		spare = r.self.AcceptPerSecond
	}
	for _, n := range r.others {
		total += n.Connections
	}
	connections = max(connections, total/int64(len(r.others)+1))
	known := r.self.Life != ""
	r.mu.Unlock()
	switch {
	case !known || connections <= 0:
		return least
	case spare <= 0:
		return most
	}
	window := float64(connections) * plannedShare / float64(spare) // seconds
	return time.Duration(min(max(window, least.Seconds()), most.Seconds()) * float64(time.Second))
}

func randomText() string { return rand.Text() }
