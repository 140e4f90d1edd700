package pubsub

import (
	"sync"

	"github.com/ginforge/gateway/pubsub/stream"
)

// outgoing is one message to publish, on a channel or through a log.
type outgoing struct {
	kind    Kind   // of a channel
	name    string // of a channel
	payload []byte
	done    func(error) // may be nil; not called for a log
	log     *logMessage // nil for a channel
}

// logMessage is what there is to a message for a log.
type logMessage struct {
	append stream.Append
	done   func(stream.Appended, error) // may be nil
}

// answer calls done, if there is one.
func (m *outgoing) answer(appended stream.Appended, err error) {
	switch {
	case m.log != nil && m.log.done != nil:
		m.log.done(appended, err)
	case m.done != nil:
		m.done(err)
	}
}

// outbox is the bounded queue between Publish and the publisher. A message
// counts against the bounds until Redis has answered it.
type outbox struct {
	maxMessages int
	maxBytes    int
	counters    *counters
	wake        chan struct{} // holds a token when the publisher has something to do

	mu       sync.Mutex // guards the fields below
	to       *route     // where to publish; nil while Redis is away
	closed   bool
	queue    []outgoing // not yet fetched
	messages int        // accepted and not answered
	bytes    int        // their payload bytes
}

func newOutbox(maxMessages, maxBytes int, c *counters) *outbox {
	return &outbox{maxMessages: maxMessages, maxBytes: maxBytes, counters: c, wake: make(chan struct{}, 1)}
}

// put accepts m, or says why not.
func (o *outbox) put(m outgoing) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return ErrClosed
	case o.to == nil:
		o.counters.refusedAway.Add(1)
		return ErrAway
	case o.messages >= o.maxMessages, o.bytes+len(m.payload) > o.maxBytes:
		o.counters.refusedBusy.Add(1)
		return ErrBusy
	}
	o.queue = append(o.queue, m)
	o.messages++
	o.bytes += len(m.payload)
	o.notify()
	return nil
}

// fetch takes everything queued, and leaves spare, which is empty, for what
// comes next.
func (o *outbox) fetch(spare []outgoing) []outgoing {
	o.mu.Lock()
	defer o.mu.Unlock()
	fetched := o.queue
	o.queue = spare
	return fetched
}

// route returns where to publish now, nil while Redis is away.
func (o *outbox) route() *route {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.to
}

// setRoute says where to publish from now on; nil refuses further messages.
func (o *outbox) setRoute(to *route) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to = to
}

// release takes answered messages off the bounds.
func (o *outbox) release(messages, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages -= messages
	o.bytes -= bytes
}

// close refuses further messages for good.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.to = true, nil
}

func (o *outbox) pending() (messages, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.messages, o.bytes
}

// notify wakes the publisher. One token is enough: it fetches all there is.
func (o *outbox) notify() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}
