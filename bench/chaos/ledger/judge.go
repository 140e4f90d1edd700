package ledger

import "time"

// Died says that a node has ended: who was there, or had left it just before, may be
// thought to be there until its lease is over.
func (p *Presence) Died(node int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for _, t := range p.users {
		if p.wasThereLocked(t, node, now) {
			t.lingers = now.Add(p.times.longest())
		}
	}
}

// Cut says that from now on, until Mend, a node can tell nobody anything, and be told
// nothing.
func (p *Presence) Cut(node int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut[node] = p.now()
}

// Mend ends Cut; leased says whether the node could renew its lease meanwhile.
func (p *Presence) Mend(node int, leased bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, since := p.now(), p.cut[node]
	delete(p.cut, node)
	if !leased {
		p.calm[node] = span{since, now.Add(p.times.Calm)}
		p.lingerLocked(since)
	}
	until, lapsed := now.Add(p.times.usual()), !leased && p.times.lapsed(now.Sub(since))
	for _, t := range p.users {
		if p.wasThereLocked(t, node, since) {
			p.excuseLocked(t, lapsed)
		}
	}
	for _, w := range p.watchers {
		if w.node == node {
			w.until = until
		}
	}
}

// wasThereLocked reports whether a user was at a node at some time since then, or had
// left it so shortly before that others may not know, or when the node had lost Redis
// and did not say again by then who is offline.
func (p *Presence) wasThereLocked(t *truth, node int, since time.Time) bool {
	return t.at[node] > 0 || t.left[node].After(p.untoldLocked(node, since).Add(-p.times.usual()))
}

// untoldLocked is since when a node has not said who is offline, at that time.
func (p *Presence) untoldLocked(node int, at time.Time) time.Time {
	since := at
	for _, s := range []span{p.calm[node], p.allCalm} {
		if s.until.Add(p.times.Slack).After(at) && s.from.Before(since) {
			since = s.from
		}
	}
	return since
}

// RedisAway says that from now on, until RedisBack, nobody hears of what changes.
func (p *Presence) RedisAway() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = p.now()
}

// RedisBack ends RedisAway, when all nodes are connected.
func (p *Presence) RedisBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	until, lapsed := now.Add(p.times.usual()), p.times.lapsed(now.Sub(p.away))
	p.allCalm = span{p.away, now.Add(p.times.Calm)}
	p.lingerLocked(p.away)
	for _, t := range p.users {
		if p.missedLocked(t) {
			p.excuseLocked(t, lapsed)
		}
	}
	for _, w := range p.watchers {
		for _, v := range w.views {
			if p.toldWhileAwayLocked(v) {
				v.until = until
			}
		}
	}
	p.away = time.Time{}
}

// lingerLocked gives more time for those whose node's lease was to run out after that
// time: who would have cleaned up may have lost Redis then.
func (p *Presence) lingerLocked(since time.Time) {
	calm := p.now().Add(p.times.Calm + p.times.Slack)
	for _, t := range p.users {
		if t.lingers.After(since) {
			t.lingers = latest(t.lingers, calm)
		}
	}
}

// excuseLocked gives others the usual time, from now on, to learn how things are with a
// user; and if the lease has lapsed of the node that knew that it has gone, the time
// until that node is cleaned up after.
func (p *Presence) excuseLocked(t *truth, lapsed bool) {
	t.until = p.now().Add(p.times.usual())
	if lapsed {
		t.lingers = p.now().Add(p.times.longest())
	}
}

// missedLocked reports whether what is known of a user may be wrong because Redis is
// away.
func (p *Presence) missedLocked(t *truth) bool {
	since := p.away
	for node := range t.left {
		if untold := p.untoldLocked(node, p.away); t.connections == 0 && untold.Before(since) {
			since = untold
		}
	}
	return p.times.lapsed(p.now().Sub(p.away)) || t.changed.After(since.Add(-p.times.usual()))
}

// toldWhileAwayLocked reports whether what a watcher believes comes from a node that
// could ask nobody, or is that somebody has come whose welcome waits for Redis.
func (p *Presence) toldWhileAwayLocked(v *view) bool {
	return v.asked.After(p.away) || v.online && v.changed.After(p.away)
}

// Numb says that for a time a user's client reads nothing, so that its connection may
// have ended without its knowing; and when it leaves, what waits for it keeps the
// connection for a while.
func (p *Presence) Numb(user string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.users[user]; t != nil {
		t.until = p.now().Add(d + p.times.Close + p.times.usual())
	}
}

// NumbWatcher says that for a time a watcher reads nothing.
func (p *Presence) NumbWatcher(who string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.watchers[who]; w != nil {
		w.until = p.now().Add(d + p.times.Slack)
	}
}

// concernedLocked reports whether a fault that goes on keeps others from knowing how
// things are with a user.
func (p *Presence) concernedLocked(t *truth) bool {
	for node, since := range p.cut {
		if p.wasThereLocked(t, node, since) {
			return true
		}
	}
	return !p.away.IsZero() && p.missedLocked(t)
}

// Check compares all views with the truth; it is to be called a few times a
// second.
func (p *Presence) Check() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	passed := now.Sub(p.checked)
	if p.checked.IsZero() {
		passed = 0
	}
	p.checked = now
	if p.begun.IsZero() {
		return
	}
	for who, w := range p.watchers {
		_, deaf := p.cut[w.node]
		for user, v := range w.views {
			t := p.users[user]
			if t == nil {
				continue
			}
			due := latest(p.dueLocked(t), w.until, v.until, p.begun.Add(p.times.usual()))
			if t.connections == 0 {
				due = latest(due, p.calmLocked(t, w).Add(p.times.Slack))
			}
			blind := deaf || p.concernedLocked(t) || !p.away.IsZero() && p.toldWhileAwayLocked(v)
			p.result.Watched += passed
			if !blind && now.After(due) {
				p.result.Judged += passed
			}
			right := v.wrong.IsZero()
			if p.compareLocked(t, v, due, blind); right && !v.wrong.IsZero() {
				p.noteLocked("wrong: %s at node %d believes since %v (asked %v ago) that %s is online: %v; %d connections since %v, last at node %d", who, w.node+1,
					now.Sub(v.changed), now.Sub(v.asked), user, v.online, t.connections, now.Sub(t.changed), t.last+1)
			}
		}
	}
}

// begunLocked reports whether things are judged by now.
func (p *Presence) begunLocked() bool {
	return !p.begun.IsZero() && p.now().Sub(p.begun) >= p.times.usual()
}

// dueLocked is when others must know how things are with a user at the latest.
func (p *Presence) dueLocked(t *truth) time.Time {
	due := latest(t.changed.Add(p.times.usual()), t.until)
	if t.connections == 0 {
		due = latest(due, t.lingers)
	}
	return due
}

// calmLocked is when the nodes that a user has left, and the one that a watcher is at,
// say again who is offline.
func (p *Presence) calmLocked(t *truth, w *watcher) time.Time {
	calm := latest(p.allCalm.until, p.calm[w.node].until)
	for node := range t.left {
		calm = latest(calm, p.calm[node].until)
	}
	return calm
}

// compareLocked compares one view; due is when it must be right at the latest, unless
// it is blind.
func (p *Presence) compareLocked(t *truth, v *view, due time.Time, blind bool) {
	if v.online == (t.connections > 0) {
		p.rightLocked(v)
		return
	}
	// Who is told before the client itself knows that it is welcome is not wrong yet.
	due = latest(due, v.changed.Add(p.times.Slack))
	if !blind && v.wrong.IsZero() && p.now().After(due) {
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
	for _, w := range p.watchers {
		for _, v := range w.views {
			p.rightLocked(v)
		}
	}
	return p.result
}

func latest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.After(first) {
			first = t
		}
	}
	return first
}
