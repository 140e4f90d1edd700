package pubsub

import (
	"sync"
	"time"
)

// interest is what this node wants to hear, against what Redis has confirmed.
// It does no I/O: rooms change what is wanted, the writer of the connection
// fetches what to write, the reader reports what was confirmed.
//
//	            want                 next               confirm
//	(unknown) ───────► pending ─────────────► pending ───────────► confirmed
//	    ▲              │ not sent             │ sent                    │
//	    └── expire ◄───┘          ◄── lost ───┴─────────────────────────┤
//	    ▲                                                               │
//	    └──────────────────────── expire, and next writes UNSUBSCRIBE ◄─┘
//
// A topic that is confirmed costs one entry of wanted, and shares the name that
// the caller passed in. A user's two channels are one topic: all that tells
// them apart is for the transitions.
type interest struct {
	wake chan struct{} // holds a token when the writer has something to fetch

	mu        sync.Mutex              // guards the fields below
	linked    bool                    // a connection is up; the writer follows join and leave
	wanted    [len(segments)]nameSet  // the names of the topics of each kind, lingering ones included
	confirmed int                     // channels that Redis has confirmed on this connection
	pending   table[topic, pending]   // those of wanted that are not confirmed
	lingering table[topic, time.Time] // those of wanted that nobody wants, until when they stay
	join      []topic                 // to be subscribed; those that are not pending any more are stale
	leave     []topic                 // to be unsubscribed, before any of join
}

// pending is a topic that Redis has not confirmed on this connection.
type pending struct {
	sent    bool  // SUBSCRIBE was handed to the writer
	again   bool  // Redis had confirmed it, on a connection that is gone
	missing kinds // the channels that are not confirmed, never none
	waiters []func()
}

// newInterest returns an interest in topics, which stay for good if they are
// the broadcast.
func newInterest(topics ...topic) *interest {
	in := &interest{wake: make(chan struct{}, 1)}
	for _, t := range topics {
		in.addLocked(t) // nobody else has it yet
	}
	return in
}

// want adds the interest in t and has confirmed called once all its channels
// are confirmed. It reports whether they are already: then it is the caller
// who calls confirmed, without a lock.
func (in *interest) want(t topic, confirmed func()) (ready bool) {
	in.mu.Lock()
	news := in.addLocked(t)
	p, waits := in.pending.get(t)
	if waits && confirmed != nil {
		p.waiters = append(p.waiters, confirmed)
		in.pending.put(t, p)
	}
	in.mu.Unlock()

	if news {
		in.notify()
	}
	return !waits
}

// addLocked wants t and reports whether the writer has to know.
func (in *interest) addLocked(t topic) (news bool) {
	in.lingering.remove(t)
	// add takes the name of a known topic too, as its earlier caller may be gone.
	if !in.wanted[t.kind].add(t.name) {
		return false
	}
	in.pending.put(t, pending{missing: allOf(t)})
	if in.linked {
		in.join = append(in.join, t)
	}
	return in.linked
}

// unwant withdraws the interest in t; expire does the rest once due has come.
func (in *interest) unwant(t topic, due time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	_, lingers := in.lingering.get(t)
	if in.wanted[t.kind].has(t.name) && !lingers && t != broadcast {
		in.lingering.put(t, due)
	}
}

// expire forgets the topics whose time to linger is over. One that was sent
// and is not confirmed yet stays until it is, so that Redis's answers are never
// ambiguous.
func (in *interest) expire(now time.Time) {
	in.mu.Lock()
	for t, due := range in.lingering.all() {
		p, unconfirmed := in.pending.get(t)
		if now.Before(due) || p.sent {
			continue
		}
		if !unconfirmed {
			in.confirmed -= len(t.channels())
			in.leave = append(in.leave, t)
		}
		in.lingering.remove(t)
		in.wanted[t.kind].remove(t.name)
		in.pending.remove(t)
	}
	news := len(in.leave) > 0
	in.mu.Unlock()
	if news {
		in.notify()
	}
}

// next hands the writer at most limit topics to unsubscribe and, when that was
// all, at most limit to subscribe. Leaving comes first: a topic that is left
// and wanted again stands in both.
func (in *interest) next(limit int) (leave, join []topic) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := min(limit, len(in.leave))
	leave, in.leave = in.leave[:n:n], in.leave[n:]
	if len(in.leave) > 0 {
		return leave, nil
	}
	in.leave = nil

	for len(in.join) > 0 && len(join) < limit {
		t := in.join[0]
		in.join = in.join[1:]
		if p, ok := in.pending.get(t); ok && !p.sent {
			p.sent = true
			in.pending.put(t, p)
			join = append(join, t)
		}
	}
	if len(in.join) == 0 {
		in.join = nil
	}
	return leave, join
}

// confirm notes that Redis has confirmed the channel of kind and name, and
// returns the callbacks that have nothing left to wait for. The caller calls
// them, without a lock. again says that the topic is complete, and was before
// the connection was lost.
func (in *interest) confirm(kind Kind, name string) (confirmed []func(), again bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	t := topicOf(kind, name)
	p, ok := in.pending.get(t)
	if !ok || !p.missing.has(kind) {
		return nil, false
	}
	in.confirmed++
	p.missing &^= only(kind)
	if p.missing != 0 {
		in.pending.put(t, p)
		return nil, false
	}
	in.pending.remove(t)
	return p.waiters, p.again
}

// link notes that a connection is up, and has everything wanted subscribed on
// it, in the order Redis will confirm: the broadcast first.
func (in *interest) link() {
	in.mu.Lock()
	in.linked = true
	in.join = make([]topic, 0, in.pending.len())
	if in.wanted[KindBroadcast].has(broadcast.name) {
		in.join = append(in.join, broadcast)
	}
	for t := range in.pending.all() {
		if t != broadcast {
			in.join = append(in.join, t)
		}
	}
	in.mu.Unlock()
	in.notify()
}

// lost notes that the connection is gone, and every confirmation with it.
func (in *interest) lost() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.linked, in.confirmed, in.join, in.leave = false, 0, nil, nil
	for kind := range in.wanted {
		for name := range in.wanted[kind].all() {
			t := topic{Kind(kind), name}
			p, unconfirmed := in.pending.get(t)
			p.sent, p.missing, p.again = false, allOf(t), p.again || !unconfirmed
			in.pending.put(t, p)
		}
	}
}

// counts returns how many channels are confirmed, and how many are wanted or
// linger.
func (in *interest) counts() (confirmed, wanted int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for kind, channels := range topicChannels {
		wanted += in.wanted[kind].len() * len(channels)
	}
	return in.confirmed, wanted
}

// notify wakes the writer. One token is enough: it fetches all there is.
func (in *interest) notify() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}
