package room

import (
	"slices"
	"time"
)

// A message that is lost and has no message behind it leaves no gap to be seen.
// So logs that are silent are compared with the store, a share of them each
// second; all of those at once that have come back after the bus was disconnected,
// as what a failover has lost is to be put back before anybody appends.

const (
	checkBatch = 128  // logs in one request
	maxChecks  = 4096 // logs a second, for no reason but time
	// resumedPause is how long after the last of many logs has come back they are
	// checked: behind them the bus is to take questions again.
	resumedPause = 100 * time.Millisecond
)

// tick looks at everything of logs that has a time limit. Called by the hub's
// ticker.
func (l *logs) tick() {
	now := l.now.Add(1)
	var due []*log
	routine := 0
	all, idle := l.list(now)
	for _, g := range all {
		switch known := g.tick(); {
		case !known:
		case g.resumed.Load():
			due = append(due, g)
		case routine < maxChecks && now-g.quiet.Load() >= ticks(l.cfg.CheckInterval):
			due = append(due, g)
			routine++
		}
	}
	for _, g := range idle {
		l.forget(g)
	}
	l.check(due, now)
	clear(all)
}

// checkResumed compares the logs that have come back. Called by the hub's ticker.
func (l *logs) checkResumed() {
	now := l.now.Load()
	var due []*log
	all, _ := l.list(now)
	for _, g := range all {
		if g.resumed.Load() && g.known() {
			due = append(due, g)
		}
	}
	l.check(due, now)
	clear(all)
}

// check compares logs with the store.
func (l *logs) check(due []*log, now uint32) {
	for len(due) > 0 {
		n := min(checkBatch, len(due))
		l.checkTails(due[:n:n], now)
		due = due[n:]
	}
}

// known reports whether the log may be compared with the store.
func (l *log) known() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == stateKnown && !l.busy
}

// list returns the logs that somebody is in, or was lately, and the others. The
// first slice is used again.
func (l *logs) list(now uint32) (all, idle []*log) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	l.listed = l.listed[:0]
	for _, g := range l.all {
		if g.refs == 0 && now-g.idle >= lingerTicks {
			idle = append(idle, g)
		} else {
			l.listed = append(l.listed, g)
		}
	}
	return l.listed, idle
}

// tick goes on with what has failed, gives memory back, and reports whether the
// log may be compared with the store.
func (l *log) tick() (known bool) {
	l.mu.Lock()
	l.joins = slices.DeleteFunc(l.joins, func(j *joining) bool { return j.void.Load() })
	l.trim()
	known = l.state == stateKnown && !l.busy
	l.unlock()
	return known
}

// checkTails compares so many logs with the store as go into one request.
func (l *logs) checkTails(due []*log, now uint32) {
	keys, from := make([]Key, len(due)), make([]Position, len(due))
	again := make([]func(), len(due)) // what has a log checked again
	for i, g := range due {
		quiet := g.quiet.Swap(now)
		if again[i] = func() { g.quiet.Store(quiet) }; g.resumed.Swap(false) {
			again[i] = func() { g.resumed.Store(true) }
		}
		g.mu.Lock()
		keys[i], from[i] = g.key, g.pos
		g.mu.Unlock()
	}
	l.cfg.Store.Positions(keys, func(at []Position, err error) {
		if err != nil {
			l.stats.failures.Add(1)
			for _, f := range again { // at one of the next ticks
				f()
			}
			return
		}
		for i, g := range due {
			g.compared(from[i], at[i])
		}
	})
}

// compared brings where the store's log ends; from is where members were when
// that was asked.
func (l *log) compared(from, at Position) {
	l.mu.Lock()
	switch {
	case l.state != stateKnown || from.Epoch != l.pos.Epoch:
	case at.Epoch == "", at.Epoch == from.Epoch && at.Offset < from.Offset:
		l.fellBack(at.Offset)
	case at.Epoch != l.pos.Epoch:
		l.look()
	default:
		l.heard = max(l.heard, at.Offset)
	}
	l.unlock()
}
