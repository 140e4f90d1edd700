package pubsub

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
)

func TestBus_KilledRedisComesBack(t *testing.T) {
	const rooms = 1200
	server := redistest.Start(t)
	b := connected(t, testConfig(server.URL()), nil)
	confirmed := newTally()
	for i := range rooms {
		b.Subscribe(KindRoom, fmt.Sprint("room", i), confirmed.confirmed(i))
	}
	redistest.Eventually(t, patience, func() error { return confirmed.onceEach(rooms) })

	server.Kill()
	b.waitConnected(t, false)
	for range 1000 {
		if err := b.Publish(KindRoom, "room1", []byte("lost"), nil); !errors.Is(err, ErrAway) {
			t.Fatalf("Publish while Redis is away = %v, want ErrAway", err)
		}
	}
	s := b.State()
	if s.Subscriptions != 0 || s.Wanted != rooms+1 || s.LastError == "" {
		t.Errorf("State() while away = %+v, want 0 of %d subscriptions and a reason", s, rooms+1)
	}
	b.Subscribe(KindRoom, "wanted while away", confirmed.confirmed(rooms))

	server.Restart()
	b.waitConnected(t, true)
	if s := b.State(); s.Subscriptions != rooms+2 {
		t.Errorf("State() when back = %+v, want all %d subscriptions", s, rooms+2)
	}
	if err := confirmed.onceEach(rooms + 1); err != nil {
		t.Error(err)
	}
	for _, room := range []string{"room0", fmt.Sprint("room", rooms-1), "wanted while away"} {
		if err := b.publish(t, KindRoom, room, "found"); err != nil {
			t.Errorf("Publish(%q) when back = %v", room, err)
		}
	}
	b.inbox.waitFor(t, 3)
	for _, line := range []string{"redis is away", "redis is back"} {
		if got := b.logs.lines(line); len(got) != 1 {
			t.Errorf("%d log lines say %q, want 1: %q", len(got), line, got)
		}
	}
}

// TestBus_ConfirmsOnceAcrossAReconnect stops Redis before it can confirm.
func TestBus_ConfirmsOnceAcrossAReconnect(t *testing.T) {
	const each = 300
	server := redistest.Start(t)
	b := connected(t, testConfig(server.URL()), nil)
	server.Pause()
	confirmed := newTally()
	for i := range each {
		b.Subscribe(KindRoom, fmt.Sprint(i), confirmed.confirmed(2*i))
		b.Subscribe(KindUser, fmt.Sprint(i), confirmed.confirmed(2*i+1))
	}
	redistest.Eventually(t, patience, func() error {
		if b.Stats().SubscribeCommands < 2 {
			return errors.New("nothing is written")
		}
		return nil
	})
	server.Kill()
	if err := confirmed.onceEach(0); err != nil {
		t.Errorf("before Redis is back: %v", err)
	}
	server.Restart()
	redistest.Eventually(t, patience, func() error { return confirmed.onceEach(2 * each) })
	b.waitConnected(t, true)
	if s := b.State(); s.Subscriptions != 3*each+1 {
		t.Errorf("State() = %+v, want %d subscriptions", s, 3*each+1)
	}
	if err := confirmed.onceEach(2 * each); err != nil {
		t.Error(err)
	}
}

func TestBus_StartsBeforeRedis(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	b := start(t, testConfig(server.URL()), nil)
	redistest.Eventually(t, patience, func() error {
		if b.Stats().ConnectErrors < 3 {
			return errors.New("fewer than 3 attempts")
		}
		return nil
	})
	server.Restart()
	b.waitConnected(t, true)
	if got := b.logs.lines("redis is away"); len(got) != 1 {
		t.Errorf("%d log lines say that Redis is away, want 1: %q", len(got), got)
	}
}

func TestBus_NoticesASilentRedis(t *testing.T) {
	server := redistest.Start(t)
	cfg := testConfig(server.URL())
	cfg.HealthInterval = 100 * time.Millisecond
	b := connected(t, cfg, nil)
	server.Pause()
	b.waitConnected(t, false)
	if s := b.State(); !strings.Contains(s.LastError, errSilent.Error()) {
		t.Errorf("State() = %+v, want LastError %q", s, errSilent)
	}
	server.Resume()
	b.waitConnected(t, true)
	b.subscribe(t, KindRoom, "r")
}

// TestLink_ABusyHandlerIsNotSilence: while the Handler runs nothing is read,
// so that Redis cannot be blamed.
func TestLink_ABusyHandlerIsNotSilence(t *testing.T) {
	b := &Bus{cfg: testConfig("").withDefaults()}
	l := &link{bus: b} // idleSince is 0: the Handler has a message
	asked, err := l.checkHealth(time.Now(), 5)
	if asked != 5 || err != nil {
		t.Errorf("checkHealth = %d, %v, want 5, nil", asked, err)
	}
	l.idleSince.Store(time.Now().Add(-2 * b.cfg.HealthInterval).UnixNano())
	asked = l.idleSince.Load() // Redis was asked, and nothing came
	if _, err = l.checkHealth(time.Now(), asked); !errors.Is(err, errSilent) {
		t.Errorf("checkHealth of an idle reader = %v, want errSilent", err)
	}
}

func TestBus_BackoffGrowsToItsBound(t *testing.T) {
	b := &Bus{cfg: Config{MinBackoff: 100 * time.Millisecond, MaxBackoff: time.Second}}
	for attempt, limit := range []time.Duration{100, 200, 400, 800, 1000, 1000, 1000} {
		limit *= time.Millisecond
		for range 100 {
			if d := b.backoff(attempt); d < limit/2 || d > limit {
				t.Fatalf("backoff(%d) = %v, want %v to %v", attempt, d, limit/2, limit)
			}
		}
	}
}
