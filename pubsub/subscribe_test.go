package pubsub

import (
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// calls returns how often Redis has run a command.
func calls(tb testing.TB, server *redistest.Server, command string) int {
	tb.Helper()
	m := regexp.MustCompile(`cmdstat_` + command + `:calls=(\d+)`).
		FindStringSubmatch(server.CLI("INFO", "commandstats"))
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // digits, says the pattern
	return n
}

func TestBus_SubscribeStormIsAFewCommands(t *testing.T) {
	const rooms, maxCommands = 5000, 200 // 16 on an idle machine
	server := redistest.Start(t)
	b := connected(t, testConfig(server.URL()), nil)
	confirmed := newTally()
	for i := range rooms {
		b.Subscribe(KindRoom, fmt.Sprint(i), confirmed.confirmed(i))
	}
	redistest.Eventually(t, patience, func() error { return confirmed.onceEach(rooms) })
	n := calls(t, server, "subscribe")
	t.Logf("%d SUBSCRIBE commands for %d rooms", n, rooms)
	if n > maxCommands {
		t.Errorf("%d SUBSCRIBE commands for %d rooms, want at most %d", n, rooms, maxCommands)
	}

	for i := range rooms {
		b.Unsubscribe(KindRoom, fmt.Sprint(i))
	}
	redistest.Eventually(t, patience, func() error {
		if got := server.CLI("PUBSUB", "CHANNELS"); got != "websocket:broadcast" {
			return fmt.Errorf("%d channels are left", strings.Count(got, "\n")+1)
		}
		return nil
	})
	if n := calls(t, server, "unsubscribe"); n > maxCommands {
		t.Errorf("%d UNSUBSCRIBE commands for %d rooms, want at most %d", n, rooms, maxCommands)
	}
}

func TestBus_ReturnWithinLingerDoesNotTouchRedis(t *testing.T) {
	server := redistest.Start(t)
	cfg := testConfig(server.URL())
	cfg.Linger = time.Hour
	b := connected(t, cfg, nil)
	b.subscribe(t, KindUser, "7")
	before := calls(t, server, "subscribe")
	for range 1000 {
		b.Unsubscribe(KindUser, "7")
		confirmed := false
		b.Subscribe(KindUser, "7", func() { confirmed = true })
		if !confirmed {
			t.Fatal("Subscribe within linger did not confirm before it returned")
		}
	}
	b.subscribe(t, KindRoom, "marker") // the writer has been through everything
	if got := calls(t, server, "subscribe"); got != before+1 {
		t.Errorf("%d SUBSCRIBE commands, want %d and the marker's", got, before)
	}
	if got := calls(t, server, "unsubscribe"); got != 0 {
		t.Errorf("%d UNSUBSCRIBE commands, want 0", got)
	}
}

func TestBus_LeavesAfterLinger(t *testing.T) {
	server := redistest.Start(t)
	b := connected(t, testConfig(server.URL()), nil)
	b.subscribe(t, KindUser, "7")
	b.Subscribe(KindUser, "7", nil) // interest is a set: this one needs no Unsubscribe
	b.Unsubscribe(KindUser, "7")
	b.Unsubscribe(KindBroadcast, "") // has no effect
	redistest.Eventually(t, patience, func() error {
		got := server.CLI("PUBSUB", "NUMSUB", "websocket:user:7", "websocket:notification:7", "websocket:broadcast")
		if want := "websocket:user:7\n0\nwebsocket:notification:7\n0\nwebsocket:broadcast\n1"; got != want {
			return fmt.Errorf("PUBSUB NUMSUB = %q, want %q", got, want)
		}
		return nil
	})
	b.subscribe(t, KindUser, "7") // and it can come back
}

// TestBus_BytesPerTopic bounds what a confirmed topic costs this process besides
// its name, which the caller has anyway. With that many topics the set of names
// has just grown, and is at its emptiest.
func TestBus_BytesPerTopic(t *testing.T) {
	const topics, limit = 15_300, 40
	server := redistest.Start(t)
	for name, tt := range map[string]struct {
		kind     Kind
		channels int
	}{
		"room": {KindRoom, topics + 1},
		"user": {KindUser, 2*topics + 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := connected(t, testConfig(server.URL()), nil)
			names := make([]string, topics)
			for i := range names {
				names[i] = fmt.Sprintf("chat:%010d", i)
			}
			before := heap()
			for _, name := range names {
				b.Subscribe(tt.kind, name, nil)
			}
			redistest.Eventually(t, patience, func() error {
				if s := b.State(); s.Subscriptions != tt.channels {
					return fmt.Errorf("%d of %d subscriptions", s.Subscriptions, tt.channels)
				}
				return nil
			})
			perTopic := (heap() - before) / topics
			t.Logf("%d bytes", perTopic)
			if perTopic > limit {
				t.Errorf("%d bytes per topic, want at most %d", perTopic, limit)
			}
			runtime.KeepAlive(b)
			runtime.KeepAlive(names)
		})
	}
}

// heap returns the bytes of live heap.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
