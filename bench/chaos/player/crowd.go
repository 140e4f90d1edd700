package player

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ginforge/gateway/bench/chaos/ledger"
	"github.com/ginforge/gateway/bench/fleet"
	"github.com/ginforge/gateway/bench/worker"
)

// Options describe a crowd.
type Options struct {
	Server   netip.AddrPort // where all connect: a load balancer
	Secret   string         // signs the tokens
	Seed     uint64
	Clients  int   // devices; one user in ten has two
	Rooms    []int // the rooms' logs in the book
	RoomName func(r int) string
	Each     int           // rooms that each client is in
	Talk     float64       // messages a second that all clients together send
	Away     time.Duration // how often each client leaves for a while, on average; 0: never
	Watchers int           // clients that watch others, and as many that look who is in a room
	Watched  int           // whom each of the first watches
}

// Crowd is the clients of a run.
type Crowd struct {
	opt      Options
	book     *ledger.Book
	presence *ledger.Presence
	fleet    *fleet.Fleet
	signer   *worker.Signer
	clients  []client
	talkers  []*talker
	users    int
	inboxes  []int // the logs of the users' inboxes
	rand     *rand.Rand
	out      []byte
	resting  bool  // nobody leaves any more
	silent   bool  // nobody begins a new message any more
	ticked   int64 // when the clients last looked at their clocks
	ends     map[string]int

	// For other goroutines.
	ready, back, absent, unacknowledged, lag atomic.Int64
}

// New makes a crowd with its seats in the book. Nobody connects before Run and
// Begin.
func New(opt Options, book *ledger.Book, presence *ledger.Presence) (*Crowd, error) {
	c := &Crowd{
		opt: opt, book: book, presence: presence, signer: worker.NewSigner(opt.Secret, 24*time.Hour),
		clients: make([]client, opt.Clients), users: max(1, opt.Clients*10/11),
		rand: rand.New(rand.NewPCG(opt.Seed, 1)), ends: make(map[string]int),
	}
	for u := range c.users {
		c.inboxes = append(c.inboxes, book.Open("inbox of "+c.userID(u)))
	}
	for i := range c.clients {
		c.clients[i].init(c, i)
	}
	for i := range c.clients {
		c.mingle(i)
	}
	c.hireTalkers()
	var err error
	c.fleet, err = fleet.New(fleet.Options{
		Server: opt.Server, Request: c.request, Tick: c.tick, InFlight: 2 * opt.Clients,
		ReceiveBuffer: socketBytes, SendBuffer: socketBytes,
	}, c)
	if err != nil {
		return nil, fmt.Errorf("player: %w", err)
	}
	c.fleet.Reserve(2 * opt.Clients)
	return c, nil
}

// socketBytes is the size of the clients' socket buffers: small, so that a server
// feels it when a client does not read.
const socketBytes = 16 << 10

// userID is the name of user number u.
func (c *Crowd) userID(u int) string { return "u" + strconv.Itoa(u) }

// Inboxes are the logs of the users' inboxes, and UserID their names.
func (c *Crowd) Inboxes() []int { return c.inboxes }

// UserID is the name of the user whose inbox is number u of Inboxes.
func (c *Crowd) UserID(u int) string { return c.userID(u) }

// Run plays until ctx ends.
func (c *Crowd) Run(ctx context.Context) error { return c.fleet.Run(ctx) }

// Begin has all clients connect, spread over a time. It may be called from any
// goroutine, as all methods below.
func (c *Crowd) Begin(ctx context.Context, over time.Duration) {
	c.fleet.Do(ctx, func() {
		now := fleet.Now()
		for i := range c.clients {
			c.clients[i].reopenAt = now + int64(over)*int64(i)/int64(len(c.clients)) + 1
		}
	})
}

// Progress is where the crowd stands.
type Progress struct {
	Ready          int // connected, in all their rooms and with their inbox
	Back           int // of them, who have received something since Doubt
	Wanted         int // clients that want to be, the others having left for a while
	Unacknowledged int // messages on their way
}

// Progress says where the crowd stands.
func (c *Crowd) Progress() Progress {
	return Progress{
		Ready: int(c.ready.Load()), Back: int(c.back.Load()), Wanted: len(c.clients) - int(c.absent.Load()),
		Unacknowledged: int(c.unacknowledged.Load()),
	}
}

// Doubt has every client show that it is still there (Progress.Back).
func (c *Crowd) Doubt(ctx context.Context) {
	c.fleet.Do(ctx, func() { c.doubt(fleet.Now()) })
}

// Lag is the longest time for which the clients did nothing, because the machine was
// busy with something else or they were with each other.
func (c *Crowd) Lag() time.Duration { return time.Duration(c.lag.Load()) }

// Rest has everybody come back and stay, and nobody begin a new message.
func (c *Crowd) Rest(ctx context.Context) {
	c.fleet.Do(ctx, func() {
		c.resting, c.silent = true, true
		for i := range c.clients {
			if cl := &c.clients[i]; cl.away {
				cl.come()
			}
		}
	})
}

// Herd cuts the connections of a share of all clients at once, with RST or FIN.
func (c *Crowd) Herd(ctx context.Context, share float64, reset bool) {
	c.fleet.Do(ctx, func() {
		c.some(share, func(cl *client) { cl.lose(reset) })
	})
}

// Hush has a share of the members of a room read nothing for a time.
func (c *Crowd) Hush(ctx context.Context, room int, share float64, d time.Duration) {
	c.fleet.Do(ctx, func() {
		c.some(share, func(cl *client) {
			if cl.isIn(room) {
				cl.hush(d)
			}
		})
	})
}

// Jump moves the clocks of a share of the clients, forwards or backwards.
func (c *Crowd) Jump(ctx context.Context, share float64, by time.Duration) {
	c.fleet.Do(ctx, func() {
		c.some(share, func(cl *client) { cl.jump(by) })
	})
}

// some calls do for a share of the clients.
func (c *Crowd) some(share float64, do func(*client)) {
	for i := range c.clients {
		if share >= 1 || c.rand.Float64() < share {
			do(&c.clients[i])
		}
	}
}

// Ends are the reasons for which connections ended or frames were refused, with
// how often.
func (c *Crowd) Ends(ctx context.Context) map[string]int {
	got := make(chan map[string]int, 1)
	c.fleet.Do(ctx, func() {
		ends := make(map[string]int, len(c.ends))
		for reason, n := range c.ends {
			ends[reason] = n
		}
		got <- ends
	})
	select {
	case ends := <-got:
		return ends
	case <-ctx.Done():
		return nil
	}
}

// maxReasons bounds the memory that a server can fill with ever new texts.
const maxReasons = 64

func (c *Crowd) note(reason string) {
	if _, known := c.ends[reason]; !known && len(c.ends) >= maxReasons {
		reason = "other reasons"
	}
	c.ends[reason]++
}

// tickEvery is how often the clients look at their clocks.
const tickEvery = 20 * time.Millisecond

// tick does what is due by the clients' clocks (fleet.Options).
func (c *Crowd) tick(now int64) int64 {
	if now < c.nextTick() {
		return c.nextTick()
	}
	if c.ticked != 0 {
		c.lag.Store(max(c.lag.Load(), now-c.nextTick()))
	}
	c.ticked = now
	for i := range c.clients {
		c.clients[i].tick(now)
	}
	for _, t := range c.talkers {
		t.tick(now)
	}
	c.leave(now)
	return c.nextTick()
}

func (c *Crowd) nextTick() int64 { return c.ticked + int64(tickEvery) }

// How long clients that leave stay away.
const (
	shortestAway = 500 * time.Millisecond
	longestAway  = 20 * time.Second
)

// leave has some clients leave for a while.
func (c *Crowd) leave(now int64) {
	if c.resting || c.opt.Away == 0 {
		return
	}
	expected := float64(len(c.clients)) * float64(tickEvery) / float64(c.opt.Away)
	for ; expected > 0 && c.rand.Float64() < expected; expected-- {
		cl := &c.clients[c.rand.IntN(len(c.clients))]
		if cl.ready {
			cl.leave(now + int64(shortestAway) + c.rand.Int64N(int64(longestAway-shortestAway)))
		}
	}
}
