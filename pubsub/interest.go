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
// A channel that is confirmed costs one slot of the channels map and its name,
// which that map shares with go-redis's own; all else is for the transitions.
type interest struct {
	always string        // the channel that is wanted from the start and for good
	wake   chan struct{} // holds a token when the writer has something to fetch

	mu        sync.Mutex // guards the fields below
	linked    bool       // a connection is up; the writer follows join and leave
	channels  map[string]struct{}
	pending   map[string]pending   // those of channels that are not confirmed
	lingering map[string]time.Time // those of channels nobody wants, until when they stay
	join      []string             // to be subscribed; names that are not pending any more are stale
	leave     []string             // to be unsubscribed, before any of join
}

// pending is a channel that Redis has not confirmed on this connection.
type pending struct {
	sent    bool // SUBSCRIBE was handed to the writer
	waiters []*waiter
}

// waiter is a confirmed callback. It stands in the list of one of its channels
// that is not confirmed; when that is confirmed it moves to the other's list
// if that is not, and is done otherwise.
type waiter struct {
	first, second string // second is "" when there is one channel only
	confirmed     func()
}

// newInterest returns an interest in the channel always.
func newInterest(always string) *interest {
	return &interest{
		always:    always,
		wake:      make(chan struct{}, 1),
		channels:  map[string]struct{}{always: {}},
		pending:   map[string]pending{always: {}},
		lingering: map[string]time.Time{},
	}
}

// want adds the interest in one or two channels and has confirmed called once
// both are confirmed; here and now when they are.
func (in *interest) want(first, second string, confirmed func()) {
	in.mu.Lock()
	news := in.addLocked(first)
	if second != "" {
		news = in.addLocked(second) || news
	}
	waits := confirmed != nil && in.parkLocked(&waiter{first, second, confirmed})
	in.mu.Unlock()

	if news {
		in.notify()
	}
	if confirmed != nil && !waits {
		confirmed()
	}
}

// addLocked wants one channel and reports whether the writer has to know.
func (in *interest) addLocked(channel string) bool {
	delete(in.lingering, channel)
	if _, known := in.channels[channel]; known {
		return false
	}
	in.channels[channel] = struct{}{}
	in.pending[channel] = pending{}
	if in.linked {
		in.join = append(in.join, channel)
	}
	return in.linked
}

// parkLocked puts w with a channel it has to wait for. It reports false when
// there is none.
func (in *interest) parkLocked(w *waiter) bool {
	for _, channel := range [...]string{w.first, w.second} {
		if p, ok := in.pending[channel]; ok {
			p.waiters = append(p.waiters, w)
			in.pending[channel] = p
			return true
		}
	}
	return false
}

// unwant withdraws the interest in one or two channels; expire does the rest
// once due has come.
func (in *interest) unwant(first, second string, due time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, channel := range [...]string{first, second} {
		_, known := in.channels[channel]
		_, lingers := in.lingering[channel]
		if known && !lingers && channel != in.always {
			in.lingering[channel] = due
		}
	}
}

// expire forgets the channels whose time to linger is over. One that was sent
// and is not confirmed yet stays until it is, so that Redis's answers are never
// ambiguous.
func (in *interest) expire(now time.Time) {
	in.mu.Lock()
	for channel, due := range in.lingering {
		if p, ok := in.pending[channel]; now.Before(due) || ok && p.sent {
			continue
		}
		if _, ok := in.pending[channel]; !ok {
			in.leave = append(in.leave, channel)
		}
		delete(in.lingering, channel)
		delete(in.channels, channel)
		delete(in.pending, channel)
	}
	news := len(in.leave) > 0
	in.mu.Unlock()
	if news {
		in.notify()
	}
}

// next hands the writer at most limit channels to unsubscribe and, when that
// was all, at most limit to subscribe. Leaving comes first: a channel that is
// left and wanted again stands in both.
func (in *interest) next(limit int) (leave, join []string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := min(limit, len(in.leave))
	leave, in.leave = in.leave[:n:n], in.leave[n:]
	if len(in.leave) > 0 {
		return leave, nil
	}
	in.leave = nil

	for len(in.join) > 0 && len(join) < limit {
		channel := in.join[0]
		in.join = in.join[1:]
		if p, ok := in.pending[channel]; ok && !p.sent {
			p.sent = true
			in.pending[channel] = p
			join = append(join, channel)
		}
	}
	if len(in.join) == 0 {
		in.join = nil
	}
	return leave, join
}

// confirm notes that Redis has confirmed channel and returns the callbacks
// that have nothing left to wait for. The caller calls them, without a lock.
func (in *interest) confirm(channel string) []func() {
	in.mu.Lock()
	defer in.mu.Unlock()
	p, ok := in.pending[channel]
	if !ok {
		return nil
	}
	delete(in.pending, channel)
	if len(in.pending) == 0 {
		in.pending = map[string]pending{} // a map keeps the size of its largest day
	}
	var ready []func()
	for _, w := range p.waiters {
		if !in.parkLocked(w) {
			ready = append(ready, w.confirmed)
		}
	}
	return ready
}

// link notes that a connection is up, and has everything wanted subscribed on
// it, in the order Redis will confirm: always first.
func (in *interest) link() {
	in.mu.Lock()
	in.linked = true
	in.join = append(make([]string, 0, len(in.pending)), in.always)
	for channel := range in.pending {
		if channel != in.always {
			in.join = append(in.join, channel)
		}
	}
	in.mu.Unlock()
	in.notify()
}

// lost notes that the connection is gone, and every confirmation with it.
func (in *interest) lost() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.linked, in.join, in.leave = false, nil, nil
	for channel := range in.channels {
		p := in.pending[channel]
		p.sent = false
		in.pending[channel] = p
	}
}

// counts returns how many channels are confirmed, and how many are wanted or
// linger.
func (in *interest) counts() (confirmed, wanted int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.channels) - len(in.pending), len(in.channels)
}

// notify wakes the writer. One token is enough: it fetches all there is.
func (in *interest) notify() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}
