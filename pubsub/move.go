package pubsub

import "time"

// moved is a topic on its way from the interest of one shard to another's.
type moved struct {
	topic   topic
	pending pending   // as if the connection had been lost
	due     time.Time // when it lingers, until when; else zero
}

// take removes the topics for which gone says so, and returns them. Redis is
// told to unsubscribe what it had confirmed.
func (in *interest) take(gone func(topic) bool) (taken []moved) {
	in.mu.Lock()
	for kind := range in.wanted {
		var names []string
		for name := range in.wanted[kind].all() {
			if gone(topic{Kind(kind), name}) {
				names = append(names, name)
			}
		}
		for _, name := range names {
			taken = append(taken, in.takeLocked(topic{Kind(kind), name}))
		}
	}
	news := len(in.leave) > 0
	in.mu.Unlock()
	if news {
		in.notify()
	}
	return taken
}

func (in *interest) takeLocked(t topic) moved {
	p, unconfirmed := in.pending.get(t)
	due, _ := in.lingering.get(t)
	if !unconfirmed {
		in.confirmed -= len(t.channels())
	}
	if in.linked && (!unconfirmed || p.sent) {
		in.leave = append(in.leave, t)
	}
	in.wanted[t.kind].remove(t.name)
	in.pending.remove(t)
	in.lingering.remove(t)
	p.sent, p.missing, p.again = false, allOf(t), p.again || !unconfirmed
	return moved{t, p, due}
}

// put adds a topic that was taken from elsewhere.
func (in *interest) put(m moved) {
	in.mu.Lock()
	in.addLocked(m.topic)
	if p, waits := in.pending.get(m.topic); waits {
		p.again = p.again || m.pending.again
		p.waiters = append(p.waiters, m.pending.waiters...)
		in.pending.put(m.topic, p)
	}
	if !m.due.IsZero() {
		in.lingering.put(m.topic, m.due)
	}
	in.mu.Unlock()
	in.notify()
}

// dropped notes that Redis has ended the subscription of t by itself. It
// reports whether that is news: false when it was we who left it. The topic
// waits for resend, or to be taken.
func (in *interest) dropped(t topic) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if _, unconfirmed := in.pending.get(t); unconfirmed || !in.wanted[t.kind].has(t.name) {
		return false
	}
	in.confirmed -= len(t.channels())
	in.pending.put(t, pending{sent: true, again: true, missing: allOf(t)})
	return true
}

// resend has those topics subscribed again that Redis refused, or dropped, and
// for which refused says so.
func (in *interest) resend(refused func(topic) bool) {
	in.mu.Lock()
	for t, p := range in.pending.all() {
		if p.sent && refused(t) {
			p.sent = false
			in.pending.put(t, p) // present already, so that the loop is not disturbed
			if in.linked {
				in.join = append(in.join, t)
			}
		}
	}
	in.mu.Unlock()
	in.notify()
}
