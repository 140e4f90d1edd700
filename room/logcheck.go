package room

import "slices"

// A message that is lost and has no message behind it leaves no gap to be seen.
// So logs that are silent are compared with the store, a share of them each
// second.

const (
	checkBatch = 128  // logs in one request
	maxChecks  = 4096 // logs a second
)

// tick looks at everything of logs that has a time limit. Called by the hub's
// ticker.
func (l *logs) tick() {
	now := l.now.Add(1)
	var due []*log
	all, idle := l.list(now)
	for _, g := range all {
		if g.tick() && len(due) < maxChecks && now-g.quiet.Load() >= ticks(l.cfg.CheckInterval) {
			due = append(due, g)
		}
	}
	for _, g := range idle {
		l.forget(g)
	}
	for len(due) > 0 {
		n := min(checkBatch, len(due))
		l.checkTails(due[:n:n], now)
		due = due[n:]
	}
	clear(all)
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

// checkTails compares logs with the store.
func (l *logs) checkTails(due []*log, now uint32) {
	keys, from := make([]Key, len(due)), make([]Position, len(due))
	for i, g := range due {
		g.quiet.Store(now)
		g.mu.Lock()
		keys[i], from[i] = g.key, g.pos
		g.mu.Unlock()
	}
	l.cfg.Store.Positions(keys, func(at []Position, err error) {
		if err != nil {
			l.stats.failures.Add(1)
			for i := range due {
				l.hub.CheckLog(keys[i])
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
