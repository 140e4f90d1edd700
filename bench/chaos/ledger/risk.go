package ledger

import "time"

// Cause says why an answer to PUBLISH is no promise for a while.
type Cause uint8

// The causes.
const (
	// Fell: the server that answers is killed or demoted. An answer says that it had
	// the message, and not that it got as far as passing it on.
	Fell Cause = iota
	// Deaf: all gateways are cut off from Redis, and a PUBLISH finds nobody, or is lost
	// on the way.
	Deaf
	numCauses
)

// risk is a time in which a cause holds; a zero end is not over.
type risk struct {
	cause    Cause
	from, to time.Time
}

// Risk says that from now on, until Safe, an answer to PUBLISH is no promise.
func (b *Book) Risk(cause Cause) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.risks = append(b.risks, risk{cause: cause, from: b.now().Add(-riskBefore)})
}

// riskBefore is how long before a fault a PUBLISH may have been answered and still be on
// its way.
const riskBefore = time.Second

// Safe ends Risk.
func (b *Book) Safe() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.risks); n > 0 && b.risks[n-1].to.IsZero() {
		b.risks[n-1].to = b.now()
	}
}

// riskLocked reports whether, and why, an answer to PUBLISH at that time was no promise.
func (b *Book) riskLocked(at time.Time) (Cause, bool) {
	for _, r := range b.risks {
		if !at.Before(r.from) && (r.to.IsZero() || !at.After(r.to)) {
			return r.cause, true
		}
	}
	return 0, false
}

// riskyLocked is for how long, all in all, an answer to PUBLISH was no promise.
func (b *Book) riskyLocked() time.Duration {
	var total time.Duration
	var until time.Time
	for _, r := range b.risks { // in the order of their beginnings
		to := r.to
		if to.IsZero() {
			to = b.now()
		}
		if from := latest(r.from, until); to.After(from) {
			total += to.Sub(from)
			until = to
		}
	}
	return total
}

// dateSlack is how far a message's time may be from the truth: it is in seconds.
const dateSlack = 3 * time.Second

// Dated checks the time that a message carries, in seconds since 1970: it must be one
// between its publication and now, whatever its sender's clock says.
func (b *Book) Dated(s Stamp, seconds int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.Log < 0 || s.Log >= len(b.logs) || s.N < 0 || s.N >= len(b.logs[s.Log].messages) {
		return // Received counts it
	}
	m, at := b.logs[s.Log].messages[s.N], time.Unix(seconds, 0)
	if at.Before(m.at.Add(-dateSlack)) || at.After(b.now().Add(dateSlack)) {
		b.counts.Misdated++
		b.noteLocked("misdated: message %d of %s (%v) says %s, and was sent at %s", s.N, b.logs[s.Log].name, m.source,
			at.Format("15:04:05"), m.at.Format("15:04:05"))
	}
}
