package pubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
	"github.com/ginforge/gateway/pubsub/stream"
)

// logRules keep a thousand messages for a minute.
var logRules = stream.Rules{Size: 1000, TTL: time.Minute}

// deliveries is a Handler that keeps all it gets.
type deliveries struct {
	mu  sync.Mutex // guards all
	all []Delivery
}

func (d *deliveries) handle(one Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, one)
}

// waitFor waits until at least n have come and returns all.
func (d *deliveries) waitFor(tb testing.TB, n int) (all []Delivery) {
	tb.Helper()
	redistest.Eventually(tb, patience, func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if all = append([]Delivery(nil), d.all...); len(all) < n {
			return fmt.Errorf("%d of %d deliveries have come", len(all), n)
		}
		return nil
	})
	return all
}

// append appends and waits for the answer.
func (b *testBus) append(tb testing.TB, m stream.Append) (stream.Appended, error) {
	tb.Helper()
	return reply(tb, func(done func(stream.Appended, error)) error { return b.Append(m, done) })
}

// reply asks and waits for the answer.
func reply[T any](tb testing.TB, ask func(done func(T, error)) error) (T, error) {
	tb.Helper()
	type answer struct {
		v   T
		err error
	}
	c := make(chan answer, 1)
	if err := ask(func(v T, err error) { c <- answer{v, err} }); err != nil {
		var zero T
		return zero, err
	}
	a := wait(tb, c, "answer")
	return a.v, a.err
}

// mustReply is reply for a bus that a busy machine may think away from Redis for a
// moment.
func mustReply[T any](tb testing.TB, ask func(done func(T, error)) error) (v T) {
	tb.Helper()
	redistest.Eventually(tb, patience, func() (err error) {
		v, err = reply(tb, ask)
		return err
	})
	return v
}

func TestBus_AppendedMessagesComeWithTheirPosition(t *testing.T) {
	for name, url := range map[string]string{"redis-server": redistest.Start(t).URL(), "embedded": "embedded"} {
		t.Run(name, func(t *testing.T) {
			got := new(deliveries)
			b := connected(t, testConfig(url), got.handle)
			b.subscribe(t, KindRoomLog, "chat:1")
			b.subscribe(t, KindUserLog, "ann")
			room, user := stream.Key{Kind: stream.Room, Name: "chat:1"}, stream.Key{Kind: stream.User, Name: "ann"}
			first, err := b.append(t, stream.Append{Key: room, Rules: logRules, Payload: []byte("{}")})
			if err != nil {
				t.Fatal(err)
			}
			second, err := b.append(t, stream.Append{Key: user, Rules: logRules, Payload: []byte("x"), Dedupe: "id"})
			if err != nil {
				t.Fatal(err)
			}
			again, err := b.append(t, stream.Append{Key: user, Rules: logRules, Payload: []byte("x"), Dedupe: "id"})
			if err != nil || !again.Duplicate || again.Position != second.Position {
				t.Errorf("a duplicate is answered %+v, %v", again, err)
			}
			all := got.waitFor(t, 2)
			want := []Delivery{
				{Kind: KindRoomLog, Name: "chat:1", Payload: "{}", Position: first.Position},
				{Kind: KindUserLog, Name: "ann", Payload: "x", Position: second.Position, Token: "id"},
			}
			if fmt.Sprint(all) != fmt.Sprint(want) {
				t.Errorf("delivered %+v, want %+v", all, want)
			}
			page, err := reply(t, func(done func(stream.Page, error)) error { return b.ReadLog(room, 0, 10, done) })
			if err != nil || page.Position != first.Position || len(page.Entries) != 1 {
				t.Errorf("ReadLog = %+v, %v", page, err)
			}
			positions, err := reply(t, func(done func([]stream.Position, error)) error {
				return b.Positions([]stream.Key{user, {Name: "?"}}, done)
			})
			if err != nil || fmt.Sprint(positions) != fmt.Sprint([]stream.Position{second.Position, {}}) {
				t.Errorf("Positions = %+v, %v", positions, err)
			}
			acked, err := reply(t, func(done func(uint64, error)) error { return b.AckInbox("ann", "phone", 1, done) })
			if err != nil || acked != 1 {
				t.Errorf("AckInbox = %d, %v", acked, err)
			}
			inbox, err := reply(t, func(done func(stream.Inbox, error)) error {
				return b.OpenInbox(stream.InboxQuery{User: "ann", Device: "phone", Limit: 10, Bytes: stream.MaxReadBytes}, done)
			})
			if err != nil || inbox.Unread != 0 || inbox.Acked != 1 {
				t.Errorf("OpenInbox = %+v, %v", inbox, err)
			}
			restored, err := reply(t, func(done func(stream.Restored, error)) error {
				return b.Restore(stream.Restore{Key: room, Rules: logRules, Known: first.Position}, done)
			})
			if err != nil || restored.Position != first.Position {
				t.Errorf("Restore = %+v, %v", restored, err)
			}
			if s := b.Stats(); s.AppendedMessages != 3 || s.DuplicateMessages != 1 || s.Asks != 5 || s.AskErrors != 0 {
				t.Errorf("Stats = %+v", s)
			}
		})
	}
}

// TestBus_AppendKeepsTheOrderWithPublish mixes both, on one connection to Redis.
func TestBus_AppendKeepsTheOrderWithPublish(t *testing.T) {
	const messages = 3000
	got := new(deliveries)
	b := connected(t, testConfig(redistest.Start(t).URL()), got.handle)
	b.subscribe(t, KindRoomLog, "r")
	b.subscribe(t, KindRoom, "r")
	answers := newTally()
	for i := range messages {
		payload, err := fmt.Append(nil, i), error(nil)
		if i%3 == 0 {
			err = b.Publish(KindRoom, "r", payload, answers.done(i))
		} else {
			done := answers.done(i)
			err = b.Append(stream.Append{Key: stream.Key{Name: "r"}, Rules: logRules, Payload: payload}, func(_ stream.Appended, err error) { done(err) })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, d := range got.waitFor(t, messages) {
		if d.Payload != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, d.Payload)
		}
	}
	redistest.Eventually(t, patience, func() error { return answers.onceEach(messages) })
	if n := answers.count(""); n != messages {
		t.Errorf("%d of %d were taken", n, messages)
	}
}

// TestBus_LogsAreResumedAfterABreak: whoever follows a log learns that it may
// have missed something, once for each log, and before the next message.
func TestBus_LogsAreResumedAfterABreak(t *testing.T) {
	server := redistest.Start(t)
	got := new(deliveries)
	b := connected(t, testConfig(server.URL()), got.handle)
	b.subscribe(t, KindRoomLog, "r")
	b.subscribe(t, KindRoom, "r")
	server.Kill()
	b.waitConnected(t, false)
	b.Subscribe(KindRoomLog, "new", nil) // has missed nothing
	server.Restart()
	b.waitConnected(t, true)
	if _, err := b.append(t, stream.Append{Key: stream.Key{Name: "r"}, Rules: logRules, Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	all := got.waitFor(t, 2)
	if len(all) != 2 || fmt.Sprint(all[0]) != fmt.Sprint(Delivery{Kind: KindRoomLog, Name: "r", Resumed: true}) || all[1].Payload != "x" {
		t.Errorf("delivered %+v", all)
	}
}

func TestBus_MalformedLogMessagesAreCountedAndDropped(t *testing.T) {
	server := redistest.Start(t)
	got := new(deliveries)
	b := connected(t, testConfig(server.URL()), got.handle)
	b.subscribe(t, KindRoomLog, "r")
	server.CLI("PUBLISH", "websocket:log:{room:r}", `{"type":"x"}`)
	server.CLI("PUBLISH", "websocket:log:{room:r}", `7 e - y`)
	if all := got.waitFor(t, 1); len(all) != 1 || all[0].Payload != "y" {
		t.Errorf("delivered %+v", all)
	}
	if n := b.Stats().MalformedMessages; n != 1 {
		t.Errorf("%d malformed messages, want 1", n)
	}
}

func TestBus_QuestionsWithoutRedis(t *testing.T) {
	b := open(t, testConfig("redis://127.0.0.1:1"), nil)
	never := func(stream.Page, error) { t.Error("done was called") }
	if err := b.ReadLog(stream.Key{Name: "r"}, 0, 1, never); !errors.Is(err, ErrAway) {
		t.Errorf("ReadLog before Run = %v, want ErrAway", err)
	}
	if err := b.Append(stream.Append{}, nil); !errors.Is(err, ErrAway) {
		t.Errorf("Append before Run = %v, want ErrAway", err)
	}
	_ = b.Close()
	if err := b.ReadLog(stream.Key{Name: "r"}, 0, 1, never); !errors.Is(err, ErrClosed) {
		t.Errorf("ReadLog after Close = %v, want ErrClosed", err)
	}
	if n := b.Stats().AsksRefused; n != 2 {
		t.Errorf("%d refused, want 2", n)
	}
}

// TestBus_QuestionsAreBoundedAndAnswered: a Redis that hangs fills the queue,
// and every question that was accepted is answered when the Bus ends.
func TestBus_QuestionsAreBoundedAndAnswered(t *testing.T) {
	server := redistest.Start(t)
	cfg := testConfig(server.URL())
	cfg.QueueAsks = 10
	b := connected(t, cfg, nil)
	server.Pause()
	defer server.Resume()
	answers, accepted := newTally(), 0
	for {
		done := answers.done(accepted)
		err := b.ReadLog(stream.Key{Name: "r"}, 0, 1, func(_ stream.Page, err error) { done(err) })
		if errors.Is(err, ErrBusy) {
			break
		}
		if err != nil || accepted > 10+askWorkers {
			t.Fatalf("after %d questions: %v", accepted, err)
		}
		accepted++
	}
	b.stop()
	if err := answers.onceEach(accepted); err != nil {
		t.Error(err)
	}
	if n := answers.count("closed"); n != accepted {
		t.Errorf("%d of %d were answered with ErrClosed: %v", n, accepted, answers.errs)
	}
}

func TestBus_AnErrorOfOneAppendIsItsOwn(t *testing.T) {
	b := connected(t, testConfig(redistest.Start(t).URL()), nil)
	if err := b.Commands().Set(context.Background(), "websocket:log:{room:odd}:meta", "no hash", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"odd": false, "even": true} {
		_, err := b.append(t, stream.Append{Key: stream.Key{Name: name}, Rules: logRules, Payload: []byte("x")})
		if (err == nil) != want || errors.Is(err, ErrAway) {
			t.Errorf("Append to %s = %v", name, err)
		}
	}
	if _, err := b.append(t, stream.Append{Key: stream.Key{Name: "r"}, Payload: []byte("x")}); !errors.Is(err, stream.ErrRules) || errors.Is(err, ErrAway) {
		t.Errorf("Append without rules = %v, want ErrRules", err)
	}
}

func TestBus_DeliverAllocatesNothing(t *testing.T) {
	b := open(t, testConfig("redis://127.0.0.1:1"), func(Delivery) {})
	defer b.Close()
	for channel, payload := range map[string]string{"websocket:room:r": "{}", "websocket:log:{room:r}": "7 e - {}"} {
		if n := testing.AllocsPerRun(100, func() { b.deliver(channel, payload) }); n != 0 {
			t.Errorf("%s: %v allocations, want 0", channel, n)
		}
	}
}
