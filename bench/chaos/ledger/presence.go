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
// A watcher's view of a user is wrong when it differs from the truth although
// the truth has not changed for the allowance, nor was Redis away, nor has a node
// ended within it: the time that a dead node's lease and the grace may take. An episode begins when a view becomes
// wrong and lasts until it is right, or until the watcher's connection ends, since
// nothing can be told to who is not there. An offline edge for a user who was not
// away for as long as the grace is a flap, unless nodes were cut off from each other
// (Unsettle): a node that cannot renew its lease is dead to the others, and so are
// its users.
type Presence struct {
	now       func() time.Time
	allowance time.Duration
	grace     time.Duration

	mu       sync.Mutex // guards the fields below
	users    map[string]*truth
	watchers map[string]map[string]*view
	unsettle time.Time // until when nodes could not tell each other anything
	away     bool
	died     time.Time // a node, last
	result   PresenceResult
	events   []string // the first few faults, in words
}

// truth is what is the case.
type truth struct {
	connections int
	changed     time.Time // when it became online or offline
	before      time.Time // when it had changed before that
}

// view is what one watcher was told of one user.
type view struct {
	online  bool
	changed time.Time // when it was told so
	wrong   time.Time // since when; zero: it is right
}

// PresenceResult is what was found.
type PresenceResult struct {
	Edges   int           // user_status frames that watchers got
	Errors  int           // episodes in which a watcher was wrong for longer than allowed
	Longest time.Duration // of them, beyond the allowance
	Total   time.Duration // of all of them together
	Flaps   int           // offline edges for users who were not away
}

// NewPresence returns empty books; now is time.Now outside of tests.
func NewPresence(now func() time.Time, allowance, grace time.Duration) *Presence {
	return &Presence{
		now: now, allowance: allowance, grace: grace,
		users: make(map[string]*truth), watchers: make(map[string]map[string]*view),
	}
}

// Came notes that a connection of a user is up.
func (p *Presence) Came(user string) { p.shift(user, 1) }

// Went notes that one has ended.
func (p *Presence) Went(user string) { p.shift(user, -1) }

func (p *Presence) shift(user string, by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.users[user]
	if t == nil {
		t = &truth{}
		p.users[user] = t
	}
	was := t.connections > 0
	if t.connections += by; was != (t.connections > 0) {
		t.before, t.changed = t.changed, p.now()
	}
}

// Watches notes the answer to a watcher's `watch`: whom it watches, and who of
// them is online.
func (p *Presence) Watches(watcher string, users, online []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	views := make(map[string]*view, len(users))
	for _, u := range users {
		views[u] = &view{changed: p.now()}
	}
	for _, u := range online {
		if v := views[u]; v != nil {
			v.online = true
		}
	}
	p.endLocked(watcher)
	p.watchers[watcher] = views
}

// Left notes that a watcher's connection has ended.
func (p *Presence) Left(watcher string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(watcher)
}

// endLocked ends the episodes of a watcher.
func (p *Presence) endLocked(watcher string) {
	for _, v := range p.watchers[watcher] {
		p.rightLocked(v)
	}
	delete(p.watchers, watcher)
}

// Told notes an edge that a watcher was told of.
func (p *Presence) Told(watcher, user string, online bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.watchers[watcher][user]
	if v == nil {
		return
	}
	p.result.Edges++
	if t := p.users[user]; !online && t != nil && v.online && !p.wasAwayLocked(t) && p.settledLocked() {
		p.result.Flaps++
		p.noteLocked("flap: %s is told that %s is offline, who has %d connections since %v", watcher, user, t.connections, p.now().Sub(t.changed))
	}
	v.online, v.changed = online, p.now()
}

// wasAwayLocked reports whether a user is away, or was for the grace within the
// time that news may take.
func (p *Presence) wasAwayLocked(t *truth) bool {
	if t.connections == 0 {
		return p.now().Sub(t.changed) >= p.grace*9/10 // clocks and rounding
	}
	return p.now().Sub(t.changed) < p.allowance && t.changed.Sub(t.before) >= p.grace*9/10
}

// settledLocked reports whether nodes can tell each other what they know, and have
// been able to for the allowance.
func (p *Presence) settledLocked() bool {
	return !p.away && (p.unsettle.IsZero() || p.now().Sub(p.unsettle) > p.allowance)
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

// Unsettle says that Redis is away: nodes cannot tell each other anything, and
// after Settle need the allowance to catch up.
func (p *Presence) Unsettle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = true
}

// Settle ends Unsettle.
func (p *Presence) Settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away, p.unsettle = false, p.now()
}

// Died says that a node has ended: who had left it just before may be thought to
// be there until its lease is over.
func (p *Presence) Died() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.died = p.now()
}

// Check compares all views with the truth; it is to be called a few times a
// second.
func (p *Presence) Check() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for watcher, views := range p.watchers {
		for user, v := range views {
			t := p.users[user]
			if t == nil {
				continue
			}
			right := v.wrong.IsZero()
			if p.compareLocked(now, t, v); right && !v.wrong.IsZero() {
				p.noteLocked("wrong: %s believes since %v that %s is online: %v; %d connections since %v", watcher,
					now.Sub(v.changed), user, v.online, t.connections, now.Sub(t.changed))
			}
		}
	}
}

func (p *Presence) compareLocked(now time.Time, t *truth, v *view) {
	if v.online == (t.connections > 0) {
		p.rightLocked(v)
		return
	}
	since := t.changed
	for _, later := range []time.Time{p.unsettle, p.died} {
		if later.After(since) {
			since = later
		}
	}
	due := since.Add(p.allowance)
	if v.changed.After(due) { // it was right, or has just been asked for
		due = v.changed
	}
	if !p.away && now.After(due) && v.wrong.IsZero() {
		v.wrong = due
		p.result.Errors++
	}
}

// rightLocked ends an episode, if there is one.
func (p *Presence) rightLocked(v *view) {
	if v.wrong.IsZero() {
		return
	}
	lasted := p.now().Sub(v.wrong)
	v.wrong = time.Time{}
	p.result.Total += lasted
	p.result.Longest = max(p.result.Longest, lasted)
}

// Result ends all episodes and returns what was found.
func (p *Presence) Result() PresenceResult {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, views := range p.watchers {
		for _, v := range views {
			p.rightLocked(v)
		}
	}
	return p.result
}
