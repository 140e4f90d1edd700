package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/coder/websocket"
	goredis "github.com/redis/go-redis/v9"
)

// backend publishes in bulk.
func (s *system) backend(t *testing.T) *goredis.Client {
	t.Helper()
	rdb := goredis.NewClient(&goredis.Options{Addr: s.redis.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// narrow dials connections for which the kernel keeps little, so that a client that
// does not read stalls soon.
func narrow() *websocket.DialOptions {
	dialer := &net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) {
			err = errors.Join(
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096),
				// The sender's buffer goes by the size of segments, 64 KiB on loopback.
				syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 536),
			)
		})
		return errors.Join(failed, err)
	}}
	return &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}}
}

// publishAll publishes messages in order.
func publishAll(t *testing.T, rdb *goredis.Client, channel string, n int, payload func(i int) string) {
	t.Helper()
	pipe := rdb.Pipeline()
	for i := range n {
		pipe.Publish(context.Background(), channel, payload(i))
		if i%100 == 99 || i == n-1 {
			if _, err := pipe.Exec(context.Background()); err != nil {
				t.Fatalf("publishing to %s: %v", channel, err)
			}
		}
	}
}

// numberIn is the number behind prefix in a text such as "tick 17 xxx", -1 when
// there is none.
func numberIn(t testing.TB, raw, prefix string) int {
	t.Helper()
	_, rest, ok := strings.Cut(raw, prefix)
	digits, _, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil {
		t.Errorf("no number behind %q in %.100s", prefix, raw)
		return -1
	}
	return n
}

// TestServe_StalledReaders has clients that read nothing while their rooms are
// loud. When they read again they get all that must arrive, in order, and of the
// rest what is the latest of its sender; nobody is closed, nobody else notices,
// and the node holds the messages once and not once for each of them.
func TestServe_StalledReaders(t *testing.T) {
	const readers, ticks, musts, senders = 200, 1200, 60, 3
	s := startSystem(t, func(c *Config) {
		c.Namespaces["ticker"] = NamespaceConfig{Join: allowAny, Publish: allowAny, Delivery: DeliveryRuleConfig{Class: "latest"}}
	})
	stalled := make([]*client, readers)
	for i := range stalled {
		stalled[i] = s.a.mustDial(t, "?token="+tokenOf(fmt.Sprint("stalled", i)), narrow())
		stalled[i].greeted()
		stalled[i].join("ticker:1")
		stalled[i].join("pay:1")
	}
	healthy := s.a.connect(t, "healthy")
	healthy.join("ticker:1")
	healthy.join("pay:1")

	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	rdb := s.backend(t)
	padding := strings.Repeat("x", 2000)
	for round := range 10 { // musts among the ticks
		publishAll(t, rdb, "websocket:room:ticker:1", ticks/10, func(i int) string {
			n := round*ticks/10 + i
			return fmt.Sprintf(`{"type":"tick","from":"s%d","content":"tick %d %s"}`, n%senders, n, padding)
		})
		publishAll(t, rdb, "websocket:room:pay:1", musts/10, func(i int) string {
			return fmt.Sprintf(`{"type":"paid","content":"paid %d "}`, round*musts/10+i)
		})
		for range ticks/10 + musts/10 { // the healthy one misses nothing meanwhile
			healthy.read()
		}
	}
	s.a.awaitMetric(t, "gateway_slow_connections", readers)
	grew := heap() - before
	t.Logf("%.0f bytes wait for %d stalled readers, the heap grew by %d", s.a.metric(t, "gateway_queue_bytes"), readers, grew)
	if grew > 16<<20 {
		t.Errorf("the heap grew by %d bytes for %d stalled readers", grew, readers)
	}
	if n := s.a.metric(t, `gateway_slow_lost_total{cause="latest_superseded"}`); n < readers*ticks/2 {
		t.Errorf("%v ticks were superseded, want most of %d", n, readers*ticks)
	}
	eventually(t, func() error { // it comes once in a while, for all
		if !strings.Contains(s.a.lines.String(), "clients read too slowly") {
			return errors.New("there is no line about it in the log")
		}
		return nil
	})

	var wg sync.WaitGroup
	for _, c := range stalled {
		wg.Go(func() { c.catchUp(ticks, musts, senders) })
	}
	wg.Wait()
	s.a.awaitMetric(t, "gateway_slow_connections", 0)
	s.a.awaitMetric(t, "gateway_backlogs", 0)
	s.a.awaitMetric(t, "gateway_queue_bytes", 0)
	if n := s.a.metric(t, `gateway_closes_sent_total{code="4102"}`); n != 0 {
		t.Errorf("%v were closed as too slow, want none", n)
	}
	healthy.nothingMore()
}

// catchUp reads until it has the last tick of each sender, and all that must
// arrive.
func (c *client) catchUp(ticks, musts, senders int) {
	next, got := 0, 0
	last := map[string]int{}
	for complete := 0; complete < senders || next < musts; {
		f, err := c.tryRead()
		switch {
		case err != nil:
			c.t.Errorf("%s: after %d musts and the ticks %v: %v", c.user, next, last, err)
			return
		case f.Type == "paid":
			if n := numberIn(c.t, f.raw, "paid "); n != next {
				c.t.Errorf("%s: paid %d, want %d", c.user, n, next)
				return
			}
			next++
		case f.Type == "tick":
			got++
			n := numberIn(c.t, f.raw, "tick ")
			if before, ok := last[f.From]; ok && n <= before {
				c.t.Errorf("%s: tick %d behind %d", c.user, n, before)
			}
			if last[f.From] = n; n >= ticks-senders {
				complete++
			}
		}
	}
	if got > ticks*3/4 {
		c.t.Errorf("%s: got %d of %d ticks, want those that were under way and the latest", c.user, got, ticks)
	}
}

// TestServe_SlowConsumerResumes has a client that is closed for being too slow come
// back with what it has: it misses nothing and gets nothing twice.
func TestServe_SlowConsumerResumes(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) {
		withHistory(c)
		c.Limits.ReplayBytes = 64 << 20
		c.Engine.CloseTimeout = patience // for what is queued before the close frame to be read
		c.Limits.BytesPerSecond, c.Limits.BytesBurst, c.Limits.UserBytesPerSecond = 1<<30, 1<<30, 0
	})
	slow := s.a.connect(t, "slow")
	at := slow.joinSince("log:loud", position{})
	loud := s.b.connect(t, "loud")
	loud.join("log:loud")
	text := strings.Repeat("x", 60<<10)
	sent := 0
	eventually(t, func() error {
		loud.say("log:loud", text)
		sent++
		if s.a.metric(t, `gateway_closes_sent_total{code="4102"}`) != 1 {
			return fmt.Errorf("the slow client is not closed")
		}
		return nil
	})
	if r := slow.closed(4102); r.Reason != "too slow" || r.DelayMS == nil || *r.DelayMS < 1000 {
		t.Errorf("the close reason is %+v, want too slow and a delay", r)
	}
	for _, f := range slow.pending {
		if f.Type != "room_message" {
			continue
		}
		was := at.Offset
		if decode(t, []byte(f.raw), &at); at.Offset != was+1 {
			t.Fatalf("offset %d came behind %d", at.Offset, was)
		}
	}
	back := s.b.connect(t, "slow")
	if p := back.joinSince("log:loud", at); !p.Recovered {
		t.Fatalf("joined at %+v since %+v, want everything", p, at)
	}
	back.hears("log:loud", at.Offset+1, sent)
	back.nothingMore()
	if n := s.a.metric(t, `gateway_slow_lost_total{cause="must_refused"}`); n < 1 {
		t.Errorf("%v refused messages are counted, want some", n)
	}
}
