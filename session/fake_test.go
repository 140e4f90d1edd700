package session

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

// fakeConn is a connection that remembers what was done to it.
type fakeConn struct {
	mu       sync.Mutex
	frames   []string             // guarded by mu: payloads sent
	closes   []engine.CloseReason // guarded by mu
	deadline time.Duration        // guarded by mu: the last one set
	session  *Session             // whose connection it is
	behind   bool                 // what is sent waits; set before use
}

var _ conn = (*fakeConn)(nil)

func (c *fakeConn) SendText(payload []byte) error { return c.record(string(payload)) }

func (c *fakeConn) Send(f *engine.Frame) error {
	_, err := c.SendAll([]*engine.Frame{f}, nil)
	return err
}

func (c *fakeConn) SendAll(frames []*engine.Frame, scratch []byte) ([]byte, error) {
	var payloads []string
	for _, f := range frames {
		for p := range f.Payloads() {
			payloads = append(payloads, string(p))
		}
	}
	return scratch, c.record(payloads...)
}

func (c *fakeConn) Replay(frames []*engine.Frame, scratch []byte) ([]byte, error) {
	return c.SendAll(frames, scratch)
}

func (c *fakeConn) record(payloads ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.closes) > 0 {
		return engine.ErrClosed
	}
	c.frames = append(c.frames, payloads...)
	return nil
}

func (c *fakeConn) Close(r engine.CloseReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closes = append(c.closes, r)
}

func (c *fakeConn) CaughtUp() bool { return !c.behind }

func (c *fakeConn) Handler() engine.Handler { return c.session }

func (c *fakeConn) SetDeadline(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = d
}

// take returns what was sent since the last take.
func (c *fakeConn) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames := c.frames
	c.frames = nil
	return frames
}

// closed returns what the connection was first closed for.
func (c *fakeConn) closed() (r engine.CloseReason, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.closes) == 0 {
		return engine.CloseReason{}, false
	}
	return c.closes[0], true
}

// fakeBus is a room.Subscriber that confirms at once, unless it is away, and a
// Publisher that remembers what it was given.
type fakeBus struct {
	mu            sync.Mutex
	away          bool        // guarded by mu: nothing is confirmed or accepted
	failing       bool        // guarded by mu: what is accepted fails
	confirmAnyway bool        // guarded by mu: away, and channels are confirmed still
	published     []published // guarded by mu
	logs          map[room.Key]*fakeLog
	acked         map[string]uint64 // guarded by mu: by "user/device"
}

// published is one message: "room:chat:1" or "user:u1", and the payload.
type published struct{ to, payload string }

var (
	errAway   = errors.New("bus: away")
	errFailed = errors.New("bus: failed")
)

func (b *fakeBus) Subscribe(_ room.Key, confirmed func()) {
	b.mu.Lock()
	away := b.away && !b.confirmAnyway
	b.mu.Unlock()
	if !away {
		confirmed()
	}
}

func (b *fakeBus) Unsubscribe(room.Key) {}

func (b *fakeBus) PublishRoom(name string, payload []byte, done func(error)) error {
	return b.publish(published{"room:" + name, string(payload)}, done)
}

func (b *fakeBus) PublishUser(userID string, payload []byte, done func(error)) error {
	return b.publish(published{"user:" + userID, string(payload)}, done)
}

func (b *fakeBus) publish(p published, done func(error)) error {
	b.mu.Lock()
	away, failing := b.away, b.failing
	if !away {
		b.published = append(b.published, p)
	}
	b.mu.Unlock()
	switch {
	case away:
		return errAway
	case failing:
		done(errFailed)
		return nil
	}
	done(nil)
	return nil
}

// take returns what was published since the last take.
func (b *fakeBus) take() []published {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.published
	b.published = nil
	return p
}

func (b *fakeBus) set(away, failing bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away, b.failing = away, failing
}

// fakeVerifier knows tokens by heart.
type fakeVerifier map[string]auth.Identity

func (v fakeVerifier) Verify(token string) (auth.Identity, error) {
	who, known := v[token]
	switch {
	case token == "":
		return auth.Identity{}, auth.ErrMissing
	case token == "expired":
		return auth.Identity{}, auth.ErrExpired
	case !known:
		return auth.Identity{}, auth.ErrInvalid
	}
	return who, nil
}

// logBuffer is a log that is read while others write to it.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
