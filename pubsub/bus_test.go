package pubsub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/redistest"
)

func TestBus_DeliversEveryKind(t *testing.T) {
	server := redistest.Start(t)
	for name, url := range map[string]string{"embedded": "embedded", "real": server.URL()} {
		t.Run(name, func(t *testing.T) {
			b := connected(t, testConfig(url), nil)
			b.subscribe(t, KindUser, "42")
			b.subscribe(t, KindRoom, "chat:1")

			addr := strings.TrimPrefix(b.Addr(), "redis://")
			backend := newPlainClient(t, addr)
			for _, channel := range []string{
				"websocket:broadcast", "websocket:user:42", "websocket:user:43", "websocket:notification:42",
				"websocket:room:chat:1", "websocket:room:chat:2",
			} {
				if err := backend.Publish(context.Background(), channel, "to "+channel).Err(); err != nil {
					t.Fatalf("PUBLISH %s: %v", channel, err)
				}
			}
			want := []message{
				{KindBroadcast, "", "to websocket:broadcast"},
				{KindUser, "42", "to websocket:user:42"},
				{KindNotification, "42", "to websocket:notification:42"},
				{KindRoom, "chat:1", "to websocket:room:chat:1"},
			}
			if got := b.inbox.waitFor(t, len(want)); !slices.Equal(got, want) {
				t.Errorf("delivered %+v, want %+v", got, want)
			}
		})
	}
}

func TestBus_PublishReachesTheChannel(t *testing.T) {
	server := redistest.Start(t)
	for name, url := range map[string]string{"embedded": "embedded", "real": server.URL()} {
		t.Run(name, func(t *testing.T) {
			b := connected(t, testConfig(url), nil)
			b.subscribe(t, KindUser, "7")
			b.subscribe(t, KindRoom, "r")
			want := []message{
				{KindRoom, "r", `{"n":1}`},
				{KindUser, "7", "\x00\xff bytes as they are"},
				{KindNotification, "7", ""},
				{KindBroadcast, "", "x"},
			}
			for _, m := range want {
				if err := b.publish(t, m.kind, m.name, m.payload); err != nil {
					t.Fatalf("Publish(%v, %q) = %v", m.kind, m.name, err)
				}
			}
			if got := b.inbox.waitFor(t, len(want)); !slices.Equal(got, want) {
				t.Errorf("delivered %+v, want %+v", got, want)
			}
			if s := b.Stats(); s.PublishedMessages != 4 || s.ReceivedMessages != 4 || s.QueuedMessages != 0 {
				t.Errorf("Stats() = %+v, want 4 published, 4 received, none queued", s)
			}
		})
	}
}

// TestBus_SlowHandlerLosesNothing lets the Handler stall on the first message
// until all have been published: 20 MB, which fit into no socket buffer.
func TestBus_SlowHandlerLosesNothing(t *testing.T) {
	const messages = 20_000
	server := redistest.Start(t)
	arrived, proceed := make(chan struct{}), make(chan struct{})
	in := new(inbox)
	b := connected(t, testConfig(server.URL()), func(d Delivery) {
		d.Payload = d.Payload[:8]
		in.handle(d)
		if d.Payload == "00000000" {
			close(arrived)
			<-proceed
		}
	})
	b.subscribe(t, KindRoom, "busy")

	backend, padding := newPlainClient(t, server.Addr()), strings.Repeat("x", 1000)
	pipe := backend.Pipeline()
	for i := range messages {
		pipe.Publish(context.Background(), "websocket:room:busy", fmt.Sprintf("%08d%s", i, padding))
	}
	if _, err := pipe.Exec(context.Background()); err != nil {
		t.Fatalf("publish: %v", err)
	}
	wait(t, arrived, "first message")
	close(proceed)

	for i, m := range in.waitFor(t, messages) {
		if want := fmt.Sprintf("%08d", i); m.payload != want {
			t.Fatalf("message %d is %q, want %q", i, m.payload, want)
		}
	}
	if s := b.Stats(); s.Disconnects != 0 || s.ReceivedMessages != messages {
		t.Errorf("Stats() = %+v, want %d received on one connection", s, messages)
	}
}

func TestBus_PublishKeepsEachCallersOrder(t *testing.T) {
	const callers, each = 4, 2500
	server := redistest.Start(t)
	cfg := testConfig(server.URL())
	cfg.QueueMessages = callers * each
	b := connected(t, cfg, nil)
	b.subscribe(t, KindRoom, "a")
	b.subscribe(t, KindRoom, "b")

	answers := newTally()
	for caller := range callers {
		go func() {
			for i := range each {
				payload := fmt.Sprintf("%d %d", caller, i)
				room := []string{"a", "b"}[i%2]
				if err := b.Publish(KindRoom, room, []byte(payload), answers.done(caller*each+i)); err != nil {
					t.Errorf("Publish(%q) = %v", payload, err)
				}
			}
		}()
	}
	next := map[string]int{}
	for _, m := range b.inbox.waitFor(t, callers*each) {
		caller, i, _ := strings.Cut(m.payload, " ")
		if i != strconv.Itoa(next[caller]) {
			t.Fatalf("caller %s: message %s came when %d was due", caller, i, next[caller])
		}
		next[caller]++
	}
	redistest.Eventually(t, patience, func() error { return answers.onceEach(callers * each) })
	if got := answers.count(""); got != callers*each {
		t.Errorf("%d messages were answered with nil, want %d", got, callers*each)
	}
}

func TestBus_PublishIsBounded(t *testing.T) {
	server := redistest.Start(t)
	for name, tt := range map[string]struct{ messages, bytes, size, want int }{
		"messages": {messages: 100, bytes: 1 << 20, size: 10, want: 100},
		"bytes":    {messages: 100, bytes: 1000, size: 300, want: 3},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(server.URL())
			cfg.QueueMessages, cfg.QueueBytes = tt.messages, tt.bytes
			b := connected(t, cfg, nil)
			server.Pause()
			resumed := false
			defer func() {
				if !resumed {
					server.Resume()
				}
			}()
			answers, accepted := newTally(), 0
			var err error
			for ; err == nil && accepted <= tt.want; accepted++ {
				err = b.Publish(KindRoom, "r", make([]byte, tt.size), answers.done(accepted))
			}
			accepted--
			if !errors.Is(err, ErrBusy) || accepted != tt.want {
				t.Errorf("Publish = %v after %d messages, want ErrBusy after %d", err, accepted, tt.want)
			}
			if s := b.Stats(); s.QueuedMessages != tt.want || s.QueuedBytes != tt.want*tt.size || s.RefusedBusy != 1 {
				t.Errorf("Stats() = %+v, want %d messages queued, one refused", s, tt.want)
			}
			server.Resume()
			resumed = true
			redistest.Eventually(t, patience, func() error { return answers.onceEach(tt.want) })
			if s := b.Stats(); s.QueuedMessages != 0 || s.QueuedBytes != 0 {
				t.Errorf("Stats() = %+v, want nothing queued", s)
			}
		})
	}
}

func TestBus_PublishTellsARefusalOfRedisFromItsAbsence(t *testing.T) {
	server := redistest.Start(t)
	server.CLI("ACL", "SETUSER", "reader", "on", ">se/cret", "~*", "&websocket:*", "+@all", "-publish")
	b := connected(t, testConfig("redis://reader:se%2Fcret@"+server.Addr()), nil)
	err := b.publish(t, KindRoom, "r", "x")
	if err == nil || errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("done(%v), want Redis's own NOPERM and not ErrAway", err)
	}
	if s := b.State(); !s.Connected {
		t.Errorf("State() = %+v, want Connected", s)
	}
	if strings.Contains(b.Addr(), "cret") {
		t.Errorf("Addr() = %q shows the password", b.Addr())
	}
}

func TestBus_ShutdownAnswersWhatIsQueued(t *testing.T) {
	const messages = 1000
	server := redistest.Start(t)
	b := connected(t, testConfig(server.URL()), nil)
	server.Pause()
	defer server.Resume()
	answers := newTally()
	for i := range messages {
		if err := b.Publish(KindRoom, "r", []byte("x"), answers.done(i)); err != nil {
			t.Fatalf("Publish = %v", err)
		}
	}
	b.stop()
	if err := answers.onceEach(messages); err != nil {
		t.Errorf("after Run: %v", err)
	}
	if got := answers.count("closed"); got != messages {
		t.Errorf("%d messages were answered with ErrClosed, want %d", got, messages)
	}
	if err := b.Publish(KindRoom, "r", nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Publish after Run = %v, want ErrClosed", err)
	}
	if s := b.State(); s.Connected {
		t.Errorf("State() after Run = %+v, want not Connected", s)
	}
}

func TestBus_Lifecycle(t *testing.T) {
	b, err := Open(testConfig("embedded"), func(Delivery) {}, zerolog.Nop())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if err := b.Publish(KindRoom, "r", nil, nil); !errors.Is(err, ErrAway) {
		t.Errorf("Publish before Run = %v, want ErrAway", err)
	}
	ran := make(chan error, 1)
	go func() { ran <- b.Run(context.Background()) }()
	redistest.Eventually(t, patience, func() error {
		if !b.State().Connected {
			return errors.New("not connected")
		}
		return nil
	})
	if err := b.Run(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("second Run = %v, want ErrClosed", err)
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if err := wait(t, ran, "end of Run after Close"); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	if err := b.Run(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("Run after Close = %v, want ErrClosed", err)
	}
}

func TestOpen_EmbeddedTakesAFreePort(t *testing.T) {
	first := connected(t, testConfig("embedded"), nil)
	cfg := testConfig("embedded")
	cfg.EmbeddedListen = first.Addr()
	second := connected(t, cfg, nil)
	if first.Addr() == second.Addr() {
		t.Errorf("both listen on %s", first.Addr())
	}
	if got := second.logs.lines(second.Addr()); len(got) != 1 {
		t.Errorf("%q names the address, want one line", got)
	}
}

func TestPublishOnce(t *testing.T) {
	server := redistest.Start(t)
	remote, inProcess := testConfig(server.URL()), testConfig("embedded")
	b := connected(t, inProcess, nil)
	inProcess.EmbeddedListen = b.Addr()
	for name, tt := range map[string]struct {
		cfg  Config
		bus  *testBus
		want int64
	}{
		"real":     {remote, connected(t, remote, nil), 1},
		"embedded": {inProcess, b, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := PublishOnce(context.Background(), tt.cfg, "websocket:broadcast", []byte("x"))
			if err != nil || got != tt.want {
				t.Errorf("PublishOnce = %d, %v, want %d", got, err, tt.want)
			}
			tt.bus.inbox.waitFor(t, 1)
		})
	}
	server.Kill()
	if _, err := PublishOnce(context.Background(), remote, "x", nil); err == nil || !strings.Contains(err.Error(), server.URL()) {
		t.Errorf("PublishOnce without Redis = %v, want an error that says where it should be", err)
	}
}
