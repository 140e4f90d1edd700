package room

import (
	"fmt"
	"sync"

	"github.com/ginforge/gateway/engine"
)

// fakeConn is a connection that remembers what was written to it.
type fakeConn struct {
	mu     sync.Mutex
	writes [][]string // guarded by mu: the payloads of each write
	err    error      // guarded by mu: what the next writes return
	behind bool       // guarded by mu: it has not caught up
}

func (c *fakeConn) Send(f *engine.Frame) error {
	return c.write([]*engine.Frame{f})
}

func (c *fakeConn) SendAll(frames []*engine.Frame, scratch []byte) ([]byte, error) {
	return scratch, c.write(frames)
}

func (c *fakeConn) Replay(frames []*engine.Frame, scratch []byte) ([]byte, error) {
	return c.SendAll(frames, scratch)
}

func (c *fakeConn) Close(engine.CloseReason) {}

func (c *fakeConn) CaughtUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.behind
}

// fallBehind makes what is sent from here on wait, or no longer: then the caller
// calls Hub.CaughtUp.
func (c *fakeConn) fallBehind(behind bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.behind = behind
}

func (c *fakeConn) write(frames []*engine.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	var payloads []string
	for _, f := range frames {
		for p := range f.Payloads() {
			payloads = append(payloads, string(p))
		}
	}
	c.writes = append(c.writes, payloads)
	return nil
}

// fail makes the next writes return err.
func (c *fakeConn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// take returns the payloads of every write since the last take.
func (c *fakeConn) take() [][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	writes := c.writes
	c.writes = nil
	return writes
}

// fakeBus is a Subscriber that confirms at once, or on demand when held.
type fakeBus struct {
	mu      sync.Mutex
	watches bool           // set before use: watched users have channels too
	held    bool           // guarded by mu: subscriptions wait for confirm
	asked   chan Key       // guarded by mu: told of those that wait, if not nil
	wanted  map[Key]func() // guarded by mu: nil when confirmed
	log     []string       // guarded by mu: "+room:a" or "-room:a", in order
	strange []string       // guarded by mu: calls that break the contract
}

func newFakeBus() *fakeBus { return &fakeBus{wanted: map[Key]func(){}} }

func (b *fakeBus) Subscribe(key Key, confirmed func()) {
	if b.subscribe(key, confirmed) {
		confirmed()
	}
}

func (b *fakeBus) subscribe(key Key, confirmed func()) (atOnce bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, "+"+nameOf(key))
	if _, twice := b.wanted[key]; twice || key.Kind == KindWatch && !b.watches {
		b.strange = append(b.strange, "+"+nameOf(key))
	}
	if b.held {
		b.wanted[key] = confirmed
		if b.asked != nil {
			b.asked <- key
		}
		return false
	}
	b.wanted[key] = nil
	return true
}

func (b *fakeBus) Unsubscribe(key Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, "-"+nameOf(key))
	if _, known := b.wanted[key]; !known {
		b.strange = append(b.strange, "-"+nameOf(key))
	}
	delete(b.wanted, key)
}

// hold makes subscriptions wait for confirm, or no longer.
func (b *fakeBus) hold(held bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = held
}

// confirm confirms key, if somebody waits for it.
func (b *fakeBus) confirm(key Key) {
	b.mu.Lock()
	confirmed := b.wanted[key]
	if confirmed != nil {
		b.wanted[key] = nil
	}
	b.mu.Unlock()
	if confirmed != nil {
		confirmed()
	}
}

// takeLog returns the calls since the last takeLog.
func (b *fakeBus) takeLog() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := b.log
	b.log = nil
	return log
}

func nameOf(key Key) string {
	return [...]string{"room:", "user:", "watch:"}[key.Kind] + key.Name
}

func text(format string, args ...any) *engine.Frame {
	return engine.NewFrame(engine.OpText, fmt.Appendf(nil, format, args...))
}
