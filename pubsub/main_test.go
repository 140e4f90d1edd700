package pubsub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// patience is how long tests wait for what must come. What must come soon has
// its own bound.
const patience = time.Minute

func TestMain(m *testing.M) {
	// A pool that has lost its server looks for it once a second, also when it has
	// been closed meanwhile.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// message is what a Handler was called with.
type message struct {
	kind          Kind
	name, payload string
}

// inbox is a Handler that keeps what it gets.
type inbox struct {
	mu       sync.Mutex // guards the fields below
	messages []message
}

func (in *inbox) handle(d Delivery) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.messages = append(in.messages, message{d.Kind, d.Name, d.Payload})
}

func (in *inbox) all() []message {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]message(nil), in.messages...)
}

// waitFor waits until at least n messages have come and returns all.
func (in *inbox) waitFor(tb testing.TB, n int) []message {
	tb.Helper()
	redistest.Eventually(tb, patience, func() error {
		if got := len(in.all()); got < n {
			return fmt.Errorf("%d of %d messages have come", got, n)
		}
		return nil
	})
	return in.all()
}

// logBuffer keeps log lines.
type logBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// lines returns the lines that contain text.
func (l *logBuffer) lines(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for line := range strings.Lines(l.buf.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// testBus is a Bus that runs until stop, or the end of the test.
type testBus struct {
	*Bus
	inbox *inbox
	logs  *logBuffer
	stop  func() // ends Run and waits for it
}

// testConfig is a configuration that reacts fast.
func testConfig(url string) Config {
	return Config{
		URL: url, EmbeddedListen: "127.0.0.1:0", Linger: 50 * time.Millisecond,
		MinBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond, Settle: 200 * time.Millisecond,
	}
}

// start runs a Bus; h, when nil, is its inbox.
func start(tb testing.TB, cfg Config, h Handler) *testBus {
	tb.Helper()
	b := open(tb, cfg, h)
	b.run(tb)
	return b
}

// open returns a Bus to be run.
func open(tb testing.TB, cfg Config, h Handler) *testBus {
	tb.Helper()
	b := &testBus{inbox: new(inbox), logs: new(logBuffer)}
	if h == nil {
		h = b.inbox.handle
	}
	var err error
	b.Bus, err = Open(cfg, h, zerolog.New(b.logs))
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	return b
}

// dialLink returns a link of b that has dialled and reads nothing yet. The caller
// closes it.
func (b *testBus) dialLink(tb testing.TB) *link {
	tb.Helper()
	l := &link{bus: b.Bus, interest: b.interest, client: newClient(b.target), ctx: tb.Context(), cancel: func(error) {}}
	if err := l.dial(); err != nil {
		l.close()
		tb.Fatalf("dial: %v", err)
	}
	return l
}

func (b *testBus) run(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ran:
			if err != nil {
				tb.Errorf("Run = %v, want nil", err)
			}
		case <-time.After(patience):
			tb.Errorf("Run has not returned %v after its context ended", patience)
		}
	})
	tb.Cleanup(func() {
		b.stop()
		if err := b.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	})
}

// connected starts a Bus and waits for Redis.
func connected(tb testing.TB, cfg Config, h Handler) *testBus {
	tb.Helper()
	b := start(tb, cfg, h)
	b.waitConnected(tb, true)
	return b
}

func (b *testBus) waitConnected(tb testing.TB, want bool) {
	tb.Helper()
	redistest.Eventually(tb, patience, func() error {
		if s := b.State(); s.Connected != want {
			return fmt.Errorf("State() = %+v, want Connected %v", s, want)
		}
		return nil
	})
}

// waitReconnected waits until the bus is connected by another link than those that
// Stats().Connects counted before. That it was away may be over too soon to be seen.
func (b *testBus) waitReconnected(tb testing.TB, before int64) {
	tb.Helper()
	redistest.Eventually(tb, patience, func() error {
		if n := b.Stats().Connects; n == before {
			return fmt.Errorf("%d links, want another", n)
		}
		return nil
	})
	b.waitConnected(tb, true)
}

// subscribe wants a room or user and waits for the confirmation.
func (b *testBus) subscribe(tb testing.TB, kind Kind, name string) {
	tb.Helper()
	confirmed := make(chan struct{})
	b.Subscribe(kind, name, func() { close(confirmed) })
	wait(tb, confirmed, "confirmation of "+name)
}

// publish publishes and waits for the answer.
func (b *testBus) publish(tb testing.TB, kind Kind, name, payload string) error {
	tb.Helper()
	answer := make(chan error, 1)
	if err := b.Publish(kind, name, []byte(payload), func(err error) { answer <- err }); err != nil {
		return err
	}
	return wait(tb, answer, "answer to publish")
}

// wait receives from c.
func wait[T any](tb testing.TB, c <-chan T, what string) (v T) {
	tb.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		tb.Fatalf("no %s within %v", what, patience)
	}
	return v
}

// tally counts the calls of many callbacks that must come once each.
type tally struct {
	mu    sync.Mutex // guards the fields below
	calls map[int]int
	errs  map[string]int // by error text, "" for nil
}

func newTally() *tally { return &tally{calls: map[int]int{}, errs: map[string]int{}} }

func (c *tally) done(i int) func(error) {
	return func(err error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls[i]++
		switch {
		case err == nil:
			c.errs[""]++
		case errors.Is(err, ErrClosed):
			c.errs["closed"]++
		case errors.Is(err, ErrAway):
			c.errs["away"]++
		default:
			c.errs[err.Error()]++
		}
	}
}

func (c *tally) confirmed(i int) func() {
	done := c.done(i)
	return func() { done(nil) }
}

// onceEach reports an error unless each of n callbacks was called exactly once.
func (c *tally) onceEach(n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.calls) != n {
		return fmt.Errorf("%d of %d callbacks were called", len(c.calls), n)
	}
	for i, times := range c.calls {
		if times != 1 {
			return fmt.Errorf("callback %d was called %d times", i, times)
		}
	}
	return nil
}

func (c *tally) count(outcome string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.errs[outcome]
}

// newPlainClient returns a go-redis client of the kind backends use.
func newPlainClient(tb testing.TB, addr string) *redis.Client {
	tb.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}
