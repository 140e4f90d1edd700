package admission

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Cause is why somebody is not let in.
type Cause uint8

// Causes. NodeRate and InFlight are the node's own state, the others are about who
// asks.
const (
	Admitted           Cause = iota
	NodeRate                 // the node begins enough handshakes a second
	InFlight                 // and has enough of them unfinished
	AddressConnections       // the address has enough connections
	AddressRate              // and makes them fast enough
	UserRate                 // the user connects often enough
	NumCauses
)

// String is the cause as a metric's label.
func (c Cause) String() string {
	return [NumCauses]string{"admitted", "node_rate", "in_flight", "ip_connections", "ip_rate", "user_rate"}[c]
}

// OfNode reports whether it is the node that is full, whoever asks.
func (c Cause) OfNode() bool { return c == NodeRate || c == InFlight }

// Verdict is what the gate says: who is let in has the Cause Admitted, everybody
// else is to come again after Delay.
type Verdict struct {
	Cause Cause
	Delay time.Duration
}

// Ticket is what a connection holds while it is open, and gives back to Leave. The
// zero Ticket is that of a connection that is not counted.
type Ticket uint32

// How long somebody is sent away at least: when a budget is used up, and when it is
// not time that makes room but somebody else's going.
const (
	rateWait = time.Second
	busyWait = 5 * time.Second
)

// Gate lets connections in. Its methods may be called from any goroutine and do
// not block.
type Gate struct {
	// Set by New, then unchanged.
	cfg         Config
	proxies     Proxies
	made        time.Time
	address     budget
	connects    budget // of a user, as the two below
	frames      budget
	bytes       budget
	limiter     *rate.Limiter // nil: no limit
	addresses   *table[source]
	users       *table[user]
	userSeed    maphash.Seed
	paced       float64 // handshakes a second that the queue is served with
	countsUsers bool

	inFlight atomic.Int64
	finished atomic.Uint64 // handshakes that are not in flight any more
	served   atomic.Int64  // of those, in the last second that was measured

	mu      sync.Mutex
	waiting queue // guarded by mu: who was refused for the node's sake
	stats   counters
}

// source is what is known of an address.
type source struct {
	handshakes bucket
	waiting    queue // who was refused for the address' sake
	open       int32
}

// New makes a gate.
func New(cfg Config) (*Gate, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	g := &Gate{
		cfg:       cfg,
		proxies:   Proxies{cfg.Address.TrustedProxies, cfg.Address.Header},
		made:      time.Now(),
		address:   newBudget(cfg.Address.HandshakesPerSecond, cfg.Address.HandshakesBurst),
		connects:  newBudget(cfg.User.HandshakesPerSecond, cfg.User.HandshakesBurst),
		frames:    newBudget(cfg.User.FramesPerSecond, cfg.User.FramesBurst),
		bytes:     newBudget(cfg.User.BytesPerSecond, cfg.User.BytesBurst),
		addresses: newTable[source](cfg.Entries),
		users:     newTable[user](cfg.Entries),
		userSeed:  maphash.MakeSeed(),
		paced:     float64(DefaultConfig().HandshakesPerSecond),
	}
	g.countsUsers = g.frames.limited() || g.bytes.limited()
	if cfg.HandshakesPerSecond > 0 {
		g.limiter = rate.NewLimiter(rate.Limit(cfg.HandshakesPerSecond), cfg.HandshakesBurst)
		g.paced = float64(cfg.HandshakesPerSecond)
	}
	return g, nil
}

// sweepEvery is how often the tables are looked through.
const sweepEvery = 10 // seconds

// Run keeps the tables small and measures how fast handshakes are finished, until
// ctx ends; then it returns nil.
func (g *Gate) Run(ctx context.Context) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	last := g.finished.Load()
	for second := 1; ; second++ {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		finished := g.finished.Load()
		g.served.Store(int64(finished - last))
		last = finished
		if second%sweepEvery == 0 {
			g.sweep(g.now())
		}
	}
}

// sweep forgets addresses and users of whom there is nothing to know.
func (g *Gate) sweep(now time.Duration) {
	g.addresses.sweep(func(s *source) bool {
		return s.open > 0 || !s.handshakes.full(now) || !s.waiting.empty(now)
	})
	g.users.sweep(func(u *user) bool { return !u.idle(now) })
}

func (g *Gate) now() time.Duration { return time.Since(g.made) }

// Client is the address that a request comes from.
func (g *Gate) Client(r *http.Request) netip.Addr { return g.proxies.Client(r.RemoteAddr, r.Header) }

// Enter asks for a handshake to be let in. When it is, it is in flight until
// Finish is called, once, and its connection is counted until Leave is. When it is
// not, neither must be called.
func (g *Gate) Enter(client netip.Addr) (Ticket, Verdict) {
	return g.enter(client, g.now())
}

func (g *Gate) enter(client netip.Addr, now time.Duration) (Ticket, Verdict) {
	ticket, v := g.enterAddress(client, now)
	if v.Cause == Admitted {
		v = g.enterNode(now)
		if v.Cause != Admitted && ticket != 0 { // it was not the address' fault
			g.addresses.withRef(ref(ticket), func(s *source) {
				s.open--
				if g.address.limited() {
					s.handshakes.giveBack(g.address)
				}
			})
		}
	}
	if v.Cause != Admitted {
		g.stats.refused[v.Cause].Add(1)
		return 0, v
	}
	return ticket, v
}

// enterAddress counts the connection for its address.
func (g *Gate) enterAddress(client netip.Addr, now time.Duration) (Ticket, Verdict) {
	limits := &g.cfg.Address
	if limits.Connections == 0 && !g.address.limited() || !client.IsValid() || within(limits.Exempt, client) {
		return 0, Verdict{}
	}
	var v Verdict
	at := g.addresses.with(g.keyOf(client), func(s *source) {
		switch {
		case limits.Connections > 0 && int(s.open) >= limits.Connections:
			v = Verdict{AddressConnections, s.waiting.place(now, busyWait, g.addressPeriod(), g.cfg.MaxDelay)}
		case g.address.limited() && !s.handshakes.take(g.address, now, 1):
			v = Verdict{AddressRate, s.waiting.place(now, max(rateWait, s.handshakes.wait(g.address, now)), g.addressPeriod(), g.cfg.MaxDelay)}
		default:
			s.open++
		}
	})
	if at == 0 {
		g.stats.untracked.Add(1)
	}
	if v.Cause != Admitted {
		return 0, v
	}
	return Ticket(at), v
}

// addressPeriod is the time between two places of those who wait for an address.
func (g *Gate) addressPeriod() time.Duration {
	if !g.address.limited() {
		return returnPeriod(g.paced)
	}
	return returnPeriod(float64(g.address.perSecond))
}

// keyOf is the entry of an address: that of its network, if it is an IPv6 one.
func (g *Gate) keyOf(client netip.Addr) key {
	if client.Is6() {
		if network, err := client.Prefix(g.cfg.Address.IPv6Prefix); err == nil {
			client = network.Addr()
		}
	}
	b := client.As16() // an IPv4 address in its mapped form, which no IPv6 client has
	return key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// enterNode holds the handshake to the budget of the node.
func (g *Gate) enterNode(now time.Duration) Verdict {
	if most := int64(g.cfg.HandshakesInFlight); g.inFlight.Add(1) > most && most > 0 {
		g.inFlight.Add(-1)
		return Verdict{InFlight, g.place(now, busyWait, g.drainRate())}
	}
	if g.limiter != nil && !g.limiter.AllowN(g.made.Add(now), 1) {
		g.inFlight.Add(-1)
		return Verdict{NodeRate, g.place(now, rateWait, g.paced)}
	}
	g.stats.admitted.Add(1)
	return Verdict{}
}

// drainRate is how many handshakes a second the node finishes when its flights are
// full: what was measured, but no more than the budget, and no less than would
// empty it in MaxDelay.
func (g *Gate) drainRate() float64 {
	least := float64(g.cfg.HandshakesInFlight) / g.cfg.MaxDelay.Seconds()
	return min(max(float64(g.served.Load()), least), max(g.paced, least))
}

func (g *Gate) place(now, earliest time.Duration, perSecond float64) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting.place(now, earliest, returnPeriod(perSecond), g.cfg.MaxDelay)
}

// Delay is when somebody who is sent away for another reason should come again: in
// the queue of those who wait for this node, and not before least has passed.
func (g *Gate) Delay(least time.Duration) time.Duration { return g.place(g.now(), least, g.paced) }

// Finish ends a handshake: it failed, or its client has been welcomed.
func (g *Gate) Finish() {
	g.inFlight.Add(-1)
	g.finished.Add(1)
}

// Leave ends a connection that Enter has let in.
func (g *Gate) Leave(t Ticket) {
	if t != 0 {
		g.addresses.withRef(ref(t), func(s *source) { s.open-- })
	}
}
