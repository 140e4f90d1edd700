package presence

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

const (
	// gather is how long changes are collected before they are written: a lone
	// one is as late as that, a storm of them costs a round trip each time.
	gather = 5 * time.Millisecond
	// maxBatch is how many users go into one round trip.
	maxBatch = 512
	// maxCall and maxCallRooms bound the users, and their rooms, in one call of
	// the script, during which Redis does nothing else.
	maxCall      = 64
	maxCallRooms = 256
	// After a failure the next attempt comes after minRetry, doubling to maxRetry.
	minRetry = 100 * time.Millisecond
	maxRetry = 2 * time.Second
	// lookEvery is how often the dead are looked for.
	lookEvery = time.Second
	// calmAfter is how long after a failover, or a break of the connection, all nodes
	// have compared what is in Redis with what should be: they notice, reconnect
	// within two seconds and compare within one.
	calmAfter = 5 * time.Second
	// edgeBaseLen is how much of a random text tells nodes apart: 60 bits of it.
	edgeBaseLen = 12
)

// State is how things are with a user at this node.
type State struct {
	Here  bool // it has a device here, or had one within its grace
	Name  string
	Rooms []string // the rooms with presence that it is in, or was within its grace
}

// Device is a connection of a user at this node.
type Device struct {
	ClientID string
	DeviceID string // "" when the client did not say: then the connection is the device
}

// Node is this node: who is at it. Its methods may be called from any goroutine
// and take short locks only.
type Node interface {
	// State tells of one user.
	State(user string) State
	// Users calls f for every user that is here; f must not call back.
	Users(f func(user string))
	// Watched calls f for every user that somebody here watches; f must not call
	// back.
	Watched(f func(user string))
	// Devices returns the connections of a user that were let in.
	Devices(user string) []Device
}

// Lease is this node's lease; *nodes.Registry implements it.
type Lease interface {
	// Holds returns the present life and whether its lease holds for certain.
	Holds() (life string, certain bool)
	// Dead returns lives that have ended and are not cleaned up yet.
	Dead() []string
	// Ended returns the lives that ended at least since ago, if it is this
	// node's turn to clean up after them, and Forget says that this was done.
	Ended(ctx context.Context, since time.Duration) ([]string, error)
	// LongHeld reports whether the present life has held for the lease and since:
	// others that were away at the same time are back then, or are dead.
	LongHeld(since time.Duration) bool
	// Lives returns all lives that may have users in Redis, the dead ones too.
	Lives() []string
	Forget(ctx context.Context, life string) error
}

// Config says how presence is kept.
type Config struct {
	// Prefix begins every key and channel.
	Prefix string
	// Grace is how long the users of a node that has died may take to come back
	// before they are offline, counted from the end of its lease.
	Grace time.Duration
	// Policy limits the devices of a user.
	Policy Policy
	// Servers counts how often this node has lost a server of Redis, of all that have
	// keys, or reached one, nil for never. What was written shortly before may be
	// lost then, so everything is compared again.
	Servers func() int64
	// Connects counts how often the connection has come up on which this node hears
	// what is published, nil for never. Connected reports whether it is up, nil for
	// always, and Missed gets edges that were published while it was not, or shortly
	// before or after, or that say again how things are. Missed is called by one
	// goroutine.
	Connects  func() int64
	Connected func() bool
	Missed    func(edges []Edge)
}

// Presence is this node's part of it. Its methods may be called from any
// goroutine.
type Presence struct {
	cfg       Config
	client    redis.UniversalClient
	clustered bool // keys of a script's call must share a slot
	node      Node
	lease     Lease
	kick      Kick // set by OnKick before Run
	log       zerolog.Logger
	stats     counters

	// edgeBase begins the ids of edges that this process publishes, for whichever
	// life: it is random, so that no two nodes ever give the same id.
	edgeBase string

	wake       chan struct{} // holds a token when dirty has something
	admissions chan admission

	// Owned by the goroutine of follow.
	gap      gap
	looks    int    // at what was guessed
	lookedAt uint64 // guesses, at the last one

	unsure map[string]bool // lives whose users may have been compared before; of look
	// servers is what Servers was last, and changed since when, in Unix nanoseconds.
	servers, changed atomic.Int64

	mu    sync.Mutex      // guards the fields below
	dirty map[string]news // users to be written
	order []string        // the same, in the order in which they became so
	taken int             // users that are being written
	// pending are the connections, by user, from Admit to Settled.
	pending map[string][]string
	// unasked are connections, by user, that were let in without asking Redis and
	// that Redis has not been told of yet.
	unasked map[string][]string
	calls   uint64 // numbers edges
	// unkept are edges that were published and are not in the stream yet.
	unkept   []string
	lastKept string // the entry written last, until look has trimmed the stream
	// guessed are users of whom clients were told what this node alone knew, with the
	// number of the call that has said so last, of guesses; guessedMore is set when
	// there were too many.
	guessed     map[string]uint64
	guesses     uint64
	guessedMore bool

	// deciding is held by the two goroutines that change devices in Redis, each
	// from asking the node or taking an admission to Redis's answer, so that
	// neither acts on what the other has made old. Nobody else takes it.
	deciding sync.Mutex
}

// New makes a presence; Run brings it to life.
func New(cfg Config, client redis.UniversalClient, node Node, lease Lease, log zerolog.Logger) (*Presence, error) {
	if err := cfg.Policy.Validate(); err != nil {
		return nil, err
	}
	_, clustered := client.(*redis.ClusterClient)
	return &Presence{
		cfg: cfg, client: client, clustered: clustered, node: node, lease: lease, log: log,
		edgeBase:   rand.Text()[:edgeBaseLen] + "/",
		wake:       make(chan struct{}, 1),
		admissions: make(chan admission, maxAdmissions),
		dirty:      map[string]news{},
		unasked:    map[string][]string{},
		pending:    map[string][]string{},
		unsure:     map[string]bool{},
		guessed:    map[string]uint64{},
	}, nil
}

// Changed notes that something about a user has changed at this node. It never
// waits.
func (p *Presence) Changed(user string) {
	p.mu.Lock()
	p.addLocked(user, news{})
	p.mu.Unlock()
	p.notify()
}

// addLocked adds news about a user.
func (p *Presence) addLocked(user string, n news) {
	before, dirty := p.dirty[user]
	if !dirty {
		p.order = append(p.order, user)
	}
	p.dirty[user] = before.and(n)
}

// news is what is to be minded when a user is written.
type news struct {
	known bool // set in dirty
	quiet bool // nobody is to be told
	again bool // what Redis had may be lost
	// unsure: it may have been compared before, but the answer was lost, and with it
	// maybe what others should have been told.
	unsure bool
}

// and is one piece of news after another.
func (n news) and(o news) news {
	return news{known: true, quiet: o.quiet && (n.quiet || !n.known), again: n.again || o.again, unsure: n.unsure || o.unsure}
}

// Again has all users of this node written again, after its lease was lost.
// quiet says that they were online all the time, and nobody is to be told.
func (p *Presence) Again(quiet bool) {
	var users []string
	p.node.Users(func(user string) { users = append(users, user) })
	p.mu.Lock()
	for _, u := range users {
		p.addLocked(u, news{quiet: quiet, again: true})
	}
	p.mu.Unlock()
	p.notify()
}

func (p *Presence) notify() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run writes what has changed, admits devices and cleans up after the dead, until
// ctx ends. It removes nothing at the end: the clients of a node that stops
// come back elsewhere, and who does not is found to be gone by the others.
func (p *Presence) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	workers.Go(func() { p.admit(ctx) })
	workers.Go(func() { p.look(ctx) })
	workers.Go(func() { p.follow(ctx) })
	p.write(ctx)
	workers.Wait()
	return nil
}

// write is the goroutine that brings Redis up to date.
func (p *Presence) write(ctx context.Context) {
	retry := minRetry
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		pause(ctx, gather)
		if err := errors.Join(p.flush(ctx), p.keepEdges(ctx)); err != nil {
			p.stats.failures.Add(1)
			p.log.Debug().Err(err).Msg("presence not written")
			pause(ctx, retry)
			if !errors.Is(err, errNoLease) {
				retry = min(2*retry, maxRetry)
			}
			p.notify()
			continue
		}
		retry = minRetry
	}
}

// errNoLease is why nothing is written while this node has no lease.
var errNoLease = errors.New("presence: this node has no lease")

// change is a user to be written.
type change struct {
	user string
	news
	state State
}

// flush writes what is dirty. What could not be written stays dirty.
func (p *Presence) flush(ctx context.Context) error {
	p.mu.Lock()
	dirty, order := p.dirty, p.order
	p.dirty, p.order, p.taken = map[string]news{}, nil, len(order)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.taken = 0
		p.mu.Unlock()
	}()
	batch := make([]change, 0, min(len(dirty), maxBatch))
	var failure error
	for _, user := range order {
		c := change{user: user, news: dirty[user]}
		if failure != nil {
			p.keep(c)
			continue
		}
		batch = append(batch, c)
		if len(batch) == maxBatch {
			failure = p.writeBatch(ctx, batch)
			batch = batch[:0]
		}
	}
	if failure == nil && len(batch) > 0 {
		failure = p.writeBatch(ctx, batch)
	} else {
		p.keep(batch...)
	}
	return failure
}

// keep makes users dirty again.
func (p *Presence) keep(batch ...change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range batch {
		later, changed := p.dirty[c.user]
		p.addLocked(c.user, c.news)
		if changed {
			p.dirty[c.user] = c.and(later)
		}
	}
}

// writeBatch writes users; if that fails they stay dirty.
func (p *Presence) writeBatch(ctx context.Context, batch []change) (err error) {
	defer func() {
		if err != nil {
			p.keep(batch...)
		}
	}()
	life, certain := p.lease.Holds()
	if !certain {
		return errNoLease
	}
	batch, here, gone := p.ripe(batch)
	if len(batch) == 0 {
		return nil
	}
	// The set holds whatever has a field, so it is filled first and emptied last.
	if err := p.index(ctx, "SADD", life, here); err != nil {
		return err
	}
	if err := p.compare(ctx, life, batch); err != nil {
		for i := range batch {
			batch[i].unsure = true
		}
		return err
	}
	if err := p.reconcile(ctx, life, batch); err != nil {
		return err
	}
	p.stats.written.Add(uint64(len(batch)))
	return p.index(ctx, "SREM", life, gone)
}

// ripe asks the node how things are with users, and returns those that can be written,
// and the same as those who are here and those who have gone. Right after a failover
// who has gone stays dirty: Redis may not know any more that he has come back at
// another node, and would have others told that he is offline.
func (p *Presence) ripe(batch []change) (ripe []change, here, gone []any) {
	calm := p.calm()
	ripe = batch[:0]
	for _, c := range batch {
		c.state = p.node.State(c.user)
		switch {
		case c.state.Here:
			here = append(here, c.user)
		case calm:
			gone = append(gone, c.user)
		default:
			p.keep(c)
			continue
		}
		ripe = append(ripe, c)
	}
	return ripe, here, gone
}

// index adds users to the set of a life, or removes them.
func (p *Presence) index(ctx context.Context, verb, life string, users []any) error {
	if len(users) == 0 {
		return nil
	}
	args := append([]any{verb, p.onlineKey(life)}, users...)
	if err := p.client.Do(ctx, args...).Err(); err != nil {
		return fmt.Errorf("presence: index: %w", err)
	}
	return nil
}

// compare has the script compare users with what Redis knows.
func (p *Presence) compare(ctx context.Context, life string, batch []change) error {
	var calls []call
	for rest := batch; len(rest) > 0; {
		n := p.callSize(rest)
		calls = append(calls, p.compareCall(life, rest[:n]))
		rest = rest[n:]
	}
	for _, r := range runAll(ctx, p.client, compareScript, calls) {
		edges, err := r.StringSlice()
		if err != nil {
			return fmt.Errorf("presence: compare: %w", err)
		}
		p.stats.edges.Add(uint64(len(edges)))
		p.note(edges)
	}
	return nil
}

// callSize is how many users of batch go into one call: in a cluster one, since
// others are in other slots.
func (p *Presence) callSize(batch []change) int {
	if p.clustered {
		return 1
	}
	rooms := 0
	for i, c := range batch {
		rooms += len(c.state.Rooms)
		if i == maxCall || i > 0 && (rooms > maxCallRooms || c.quiet != batch[0].quiet) {
			return i
		}
	}
	return len(batch)
}

func (p *Presence) compareCall(life string, users []change) call {
	p.mu.Lock()
	p.calls++
	number := p.calls
	p.mu.Unlock()
	c := call{
		keys: make([]string, len(users)),
		args: make([]any, 0, 4+5*len(users)),
	}
	c.args = append(c.args, life, p.cfg.Prefix, p.edgeBase+strconv.FormatUint(number, 36), flag(users[0].quiet))
	for i, u := range users {
		c.keys[i] = p.presenceKey(u.user)
		c.args = append(c.args, u.user, flag(u.state.Here), u.state.Name, roomsText(u.state.Rooms), flag(u.unsure))
	}
	return c
}

func (p *Presence) presenceKey(user string) string { return p.cfg.Prefix + "presence:{" + user + "}" }

func (p *Presence) devicesKey(user string) string { return p.cfg.Prefix + "devices:{" + user + "}" }
func (p *Presence) onlineKey(life string) string  { return p.cfg.Prefix + "online:" + life }

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
