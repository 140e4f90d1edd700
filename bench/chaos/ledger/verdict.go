package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Verdict is what became of all messages.
type Verdict struct {
	Counts
	Due    int            // deliveries that had to be made
	Lost   int            // of them, not made
	AtRisk [numCauses]int // messages by PUBLISH that were answered in a time of Risk, and that nobody received
	Risky  time.Duration  // all times of Risk together
	Events []string
}

// Clean reports whether nothing was lost, duplicated or out of order.
func (v Verdict) Clean() bool {
	return v.Lost == 0 && v.Duplicated == 0 && v.OutOfOrder == 0 && v.Unnumbered == 0 && v.Strange == 0 && v.Misdelivered == 0
}

// Verdict closes the books: what has not arrived by now is lost. It changes
// nothing.
func (b *Book) Verdict() Verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := Verdict{Counts: b.counts, Risky: b.riskyLocked(), Events: slices.Clone(b.events)}
	for _, l := range b.logs {
		for n := range l.messages {
			b.judgeLocked(&v, l, n)
		}
	}
	return v
}

// judgeLocked judges one message.
func (b *Book) judgeLocked(v *Verdict, l *log, n int) {
	m := &l.messages[n]
	if m.received == 0 {
		if m.status != acknowledged {
			return
		}
		if cause, risky := b.riskLocked(m.answered); risky && m.source == Bare {
			v.AtRisk[cause]++
			return
		}
	}
	if m.after >= 0 && m.offset != 0 {
		before := &l.messages[m.after]
		if before.offset != 0 && before.epoch == m.epoch && before.offset > m.offset {
			v.OutOfOrder++
			v.say("out of order: message %d of %s (%v) is at offset %d, its publisher's later message %d at %d", m.after, l.name, m.source, before.offset, n, m.offset)
		}
	}
	missing := b.missingLocked(v, l, n)
	if len(missing) == 0 {
		return
	}
	v.Lost += len(missing)
	v.say("lost: message %d of %s (%v, offset %d, published %s) reached %d of its receivers and never %s",
		n, l.name, m.source, m.offset, m.at.Format("15:04:05.000"), m.received, few(missing))
}

// missingLocked counts the seats to which message n is due, and names those that
// do not have it.
func (b *Book) missingLocked(v *Verdict, l *log, n int) (missing []string) {
	for _, s := range l.seats {
		if !s.owed(&l.messages[n]) {
			continue
		}
		v.Due++
		if !s.had.has(n) {
			missing = append(missing, s.who)
		}
	}
	return missing
}

// few names some of many.
func few(names []string) string {
	const enough = 4
	if len(names) <= enough {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d others", strings.Join(names[:enough], ", "), len(names)-enough)
}

// owed reports whether a due message is due to a seat.
func (s *Seat) owed(m *message) bool {
	switch {
	case s.joined.IsZero():
		return false
	case m.offset == 0: // nobody knows its place
		return m.at.After(s.joined)
	case m.epoch == s.from.epoch:
		return m.offset > s.from.offset
	default:
		return m.epoch > s.from.epoch
	}
}

// say keeps a fault in words.
func (v *Verdict) say(format string, args ...any) {
	if len(v.Events) < 2*maxEvents {
		v.Events = append(v.Events, fmt.Sprintf(format, args...))
	}
}

// Missing returns how many deliveries are still to be made, of the messages that
// are due by now; it is Verdict().Lost without the words.
func (b *Book) Missing() int { return b.Verdict().Lost }

// Waiting reports whether a publisher still waits for the answer to a message
// that is not older than age.
func (b *Book) Waiting(age time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.logs {
		for _, m := range l.messages {
			if m.status == pending && b.now().Sub(m.at) < age {
				return true
			}
		}
	}
	return false
}
