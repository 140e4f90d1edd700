package ledger

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Presence compares what watchers were told of users with the truth. It may be
// used from any goroutine.
//
// A watcher's view of a user is wrong when it differs from the truth for longer than
// is due: the grace and the slack after the truth has changed. Faults give more time,
// but only for what they concern:
//
//   - A node that has died leaves behind the users that were there, and those who had
//     left it just before: those of them who have gone may be thought to be online until
//     its lease, too, has run out.
//   - A node that is stopped or cut off can tell nobody of its users, nor its watchers
//     of anybody, until it is back, and then the usual time begins. If it was away for so
//     long that its lease may have run out, users who have gone may be thought to be
//     online until a lease has passed.
//   - While Redis is away nobody hears of what changes. What had not changed stays
//     true, and must be believed, unless Redis is away for so long that leases may have
//     run out; then the same holds for everybody.
//   - A node that has lost Redis, or been stopped, says for a while of nobody that it is
//     offline, since a Redis that has lost its last writes would have it be wrong. Who
//     has gone from it, or after it, may be thought to be online for that long; who has
//     come must be known in the usual time.
//
// An episode begins when a view becomes wrong and lasts until it is right, or until
// the watcher's connection ends, since nothing can be told to who is not there. An
// offline edge for a user who was not away for as long as the grace is a flap, if the
// user was judged.
type Presence struct {
	now   func() time.Time
	times Times

	mu       sync.Mutex // guards the fields below
	users    map[string]*truth
	watchers map[string]*watcher
	cut      map[int]time.Time // nodes that are stopped or cut off, since when
	calm     map[int]span      // nodes that have lost Redis: until they say again who is offline
	allCalm  span              // the same of all of them
	away     time.Time         // since when Redis is; zero: it is not
	begun    time.Time         // Begin; zero before
	checked  time.Time
	result   PresenceResult
	events   []string // the first few faults, in words
}

// Times are how long news may take.
type Times struct {
	Lease time.Duration // of a node
	Grace time.Duration // until a user who has gone is offline
	Slack time.Duration // for everything else
	Calm  time.Duration // after a loss of Redis, until a node says again who is offline
	Close time.Duration // that a node waits with closing for a client that reads nothing
}

// usual is how long a change may take to be known, without a fault.
func (t Times) usual() time.Duration { return t.Grace + t.Slack }

// longest is how long it may take when a lease has to run out first.
func (t Times) longest() time.Duration { return t.Lease + t.usual() }

// lapsed reports whether a lease may have run out in so long a time: it was renewed
// some time before.
func (t Times) lapsed(d time.Duration) bool { return d >= t.Lease/2 }

// span is the time from a loss of Redis until a node says again who is offline.
type span struct{ from, until time.Time }

// truth is what is the case with one user.
type truth struct {
	connections int
	at          map[int]int       // connections, by node
	left        map[int]time.Time // when the last connection at a node ended
	changed     time.Time         // when it became online or offline
	before      time.Time         // when it had changed before that
	last        int               // the node at which it came or went last
	until       time.Time         // until when it is not judged
	lingers     time.Time         // until when it may be thought to be online
}

// watcher is one connection that is told of users.
type watcher struct {
	node  int
	until time.Time        // until when it is not judged
	views map[string]*view // nil: its question was not answered yet
	told  map[string]bool  // before the answer: which may be older than these edges
}

// view is what one watcher was told of one user.
type view struct {
	online  bool
	asked   time.Time // when it was asked for
	changed time.Time // when it was told so first
	until   time.Time // until when it is not judged
	wrong   time.Time // since when; zero: it is right
}

// PresenceResult is what was found.
type PresenceResult struct {
	Edges   int           // user_status frames that watchers got
	Errors  int           // episodes in which a watcher was wrong for longer than due
	Longest time.Duration // of them, beyond what is due
	Total   time.Duration // of all of them together
	Flaps   int           // offline edges for users who were not away
	Watched time.Duration // of all views together
	Judged  time.Duration // of it: the time in which a wrong one would have been found
}

// NewPresence returns empty books; now is time.Now outside of tests.
func NewPresence(now func() time.Time, times Times) *Presence {
	return &Presence{
		now: now, times: times, users: make(map[string]*truth), watchers: make(map[string]*watcher),
		cut: make(map[int]time.Time), calm: make(map[int]span),
	}
}

// Begin says that everybody is there: what was not known while all came at once must be
// known within the usual time from now on. Nothing is judged before.
func (p *Presence) Begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = p.now()
}

// Came notes that a connection of a user is up at a node.
func (p *Presence) Came(user string, node int) { p.shift(user, node, 1) }

// Went notes that one has ended.
func (p *Presence) Went(user string, node int) { p.shift(user, node, -1) }

func (p *Presence) shift(user string, node, by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.users[user]
	if t == nil {
		t = &truth{at: make(map[int]int), left: make(map[int]time.Time)}
		p.users[user] = t
	}
	was := t.connections > 0
	t.at[node] += by
	t.last = node
	if by < 0 {
		t.left[node] = p.now()
	}
	if t.connections += by; was != (t.connections > 0) {
		t.before, t.changed = t.changed, p.now()
	}
}

// Asks notes that a watcher, a connection to a node, asks to be told of users.
func (p *Presence) Asks(who string, node int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(who)
	p.watchers[who] = &watcher{node: node, told: make(map[string]bool)}
}

// Answered notes the answer to Asks: whom it watches, and who of them is online.
func (p *Presence) Answered(who string, users, online []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.watchers[who]
	if w == nil {
		return
	}
	w.views = make(map[string]*view, len(users))
	for _, u := range users {
		w.views[u] = &view{online: slices.Contains(online, u), asked: p.now(), changed: p.now()}
		if later, told := w.told[u]; told {
			w.views[u].online = later
		}
	}
	w.told = nil
}

// Left notes that a watcher's connection has ended.
func (p *Presence) Left(who string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(who)
}

// endLocked ends the episodes of a watcher.
func (p *Presence) endLocked(who string) {
	w := p.watchers[who]
	if w == nil {
		return
	}
	for _, v := range w.views {
		p.rightLocked(v)
	}
	delete(p.watchers, who)
}

// Told notes an edge that a watcher was told of.
func (p *Presence) Told(who, user string, online bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.watchers[who]
	if w == nil {
		return
	}
	if w.views == nil {
		w.told[user] = online
		return
	}
	v := w.views[user]
	if v == nil {
		return
	}
	now := p.now()
	p.result.Edges++
	// Who was cut off itself hears old news, in order.
	_, deaf := p.cut[w.node]
	judged := !deaf && !now.Before(w.until) && p.begunLocked()
	if t := p.users[user]; judged && !online && t != nil && v.online && !p.wasAwayLocked(t) && !p.concernedLocked(t) && !now.Before(t.until) {
		p.result.Flaps++
		p.noteLocked("flap: %s is told that %s is offline, who has %d connections since %v", who, user, t.connections, now.Sub(t.changed))
	}
	if v.online != online { // to be told the same once more is no news, however wrong
		v.online, v.changed = online, now
	}
}

// wasAwayLocked reports whether a user is away, or was for the grace within the
// time that news may take.
func (p *Presence) wasAwayLocked(t *truth) bool {
	enough := p.times.Grace * 9 / 10 // clocks and rounding
	if t.connections == 0 {
		return p.now().Sub(t.changed) >= enough
	}
	return p.now().Sub(t.changed) < p.times.usual() && t.changed.Sub(t.before) >= enough
}

// noteLocked keeps a fault in words.
func (p *Presence) noteLocked(format string, args ...any) {
	if len(p.events) < maxEvents/2 {
		p.events = append(p.events, p.now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

// Events are the first few faults, in words.
func (p *Presence) Events() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}
