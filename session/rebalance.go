package session

import (
	"context"
	"time"
)

const (
	// ageClasses is by how many different ages connections are moved: those of
	// class 0 at MaxAge, the others earlier, down to three quarters of it.
	ageClasses = 64
	// ageSteps is how many times connections are looked through in MaxAge, so
	// that one class becomes due after the other.
	ageSteps = 4 * ageClasses
	// minAgeStep bounds how often that is.
	minAgeStep = 100 * time.Millisecond
)

// Rebalance moves connections that have reached Config.MaxAge, until ctx ends.
// Otherwise those that a node got in the first minutes of its life, or when
// another died, would be there for ever.
func (m *Manager) Rebalance(ctx context.Context) error {
	if m.cfg.MaxAge == 0 {
		return nil
	}
	t := time.NewTicker(max(m.cfg.MaxAge/ageSteps, minAgeStep))
	defer t.Stop()
	a := ages{most: m.cfg.MaxAge}
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
		a.note(m.now(), m.numbers.Load())
		if due := m.due(&a); len(due) > 0 && !m.Draining() {
			v := move{
				manager: m, sessions: due, why: reasonRebalance,
				rate: float64(m.cfg.Move.Rate), grace: m.cfg.Move.Grace,
			}
			if v.run(ctx) != nil {
				return nil
			}
		}
	}
}

// due are the sessions that have become too old since the last call.
func (m *Manager) due(a *ages) (due []*Session) {
	a.advance()
	if a.none() {
		return nil
	}
	for _, member := range m.hub.Members() {
		if s := sessionOf(member); a.due(s.number) {
			due = append(due, s)
		}
	}
	return due
}

// ages tells how old sessions are by their numbers, which are given in order: so
// no session needs to remember when it began. Used by one goroutine.
type ages struct {
	most    time.Duration
	samples []sample // in order of time

	// Of each class, sessions up to passed have been due before, and those up to
	// reached are now.
	passed, reached [ageClasses]uint32
}

// sample says that sessions up to number had begun at a time.
type sample struct {
	at     time.Duration
	number uint32
}

// note adds the latest sample and drops those that no class needs any more.
func (a *ages) note(at time.Duration, number uint32) {
	for len(a.samples) > 1 && a.samples[1].at <= at-a.most {
		a.samples = a.samples[1:]
	}
	a.samples = append(a.samples, sample{at, number})
}

// advance makes due what has become so by the last sample.
func (a *ages) advance() {
	now := a.samples[len(a.samples)-1].at
	next := 0
	for class := range ageClasses {
		limit := a.most - a.most/4*time.Duration(class)/ageClasses // falls, so next rises
		for next < len(a.samples) && a.samples[next].at <= now-limit {
			next++
		}
		a.passed[class] = a.reached[class]
		if next > 0 {
			a.reached[class] = a.samples[next-1].number
		}
	}
}

// none reports whether nobody can be due.
func (a *ages) none() bool { return a.passed == a.reached }

// due reports whether the session of a number has become due by the last advance.
func (a *ages) due(number uint32) bool {
	class := number * 0x9e3779b1 >> 26 // the upper six bits of a hash
	return number > a.passed[class] && number <= a.reached[class]
}
