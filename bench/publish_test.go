package bench

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/bench/fleet"
	"github.com/ginforge/gateway/bench/worker"
)

// fakeRedis takes PUBLISH and gives each message on; it answers that the message
// has reached so many subscribers.
func fakeRedis(t *testing.T, subscribers int) (addr string, messages <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	got := make(chan string, 1000)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for lines := bufio.NewReader(conn); ; {
			var command [7]string // *3 $7 PUBLISH $n channel $n payload
			for i := range command {
				if command[i], err = lines.ReadString('\n'); err != nil {
					return
				}
				command[i] = strings.TrimSuffix(command[i], "\r\n")
			}
			got <- command[4] + " " + command[6]
			fmt.Fprintf(conn, ":%d\r\n", subscribers)
		}
	}()
	return l.Addr().String(), got
}

func TestPlan_Stamps(t *testing.T) {
	plan := Plan{Window: 4, Start: 1000, Rate: 1e9 / 100, N: 5, Burst: 2, Streams: 2} // every 100 ns
	var got []worker.Stamp
	for k := range plan.N {
		plan.stamps(k, func(s worker.Stamp) { got = append(got, s) })
	}
	want := []worker.Stamp{
		{Window: 4, Stream: 0, Seq: 0, Sent: 1000},
		{Window: 4, Stream: 0, Seq: 1, Sent: 1000},
		{Window: 4, Stream: 1, Seq: 0, Sent: 1100},
		{Window: 4, Stream: 1, Seq: 1, Sent: 1100},
		{Window: 4, Stream: 0, Seq: 2, Sent: 1200},
		{Window: 4, Stream: 0, Seq: 3, Sent: 1200},
		{Window: 4, Stream: 1, Seq: 2, Sent: 1300},
		{Window: 4, Stream: 1, Seq: 3, Sent: 1300},
		{Window: 4, Stream: 0, Seq: 4, Sent: 1400},
		{Window: 4, Stream: 0, Seq: 5, Sent: 1400},
	}
	if len(got) != len(want) || len(got) != plan.Messages() {
		t.Fatalf("%d stamps, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("stamp %d = %+v, want %+v", i, got[i], want[i])
		}
	}
}

// A publisher that was held up, for whatever reason, says when each message was
// due, and not when it left: what waited counts as latency (no coordinated
// omission), and the delay is known.
func TestPublisher_StampsWhenDue(t *testing.T) {
	addr, messages := fakeRedis(t, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p, err := DialPublisher(ctx, addr)
	if err != nil {
		t.Fatal(err)
	}
	const behind = 5 * time.Second
	plan := Plan{
		Window: 1, Start: fleet.Now() - int64(behind), Rate: 100, N: 20, Burst: 1, Streams: 1, Size: 133,
		Channel: roomChannels(1),
	}
	late, err := p.Run(ctx, plan, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	for k := range plan.N {
		m := <-messages
		s, _, ok := worker.CutStamp([]byte(m))
		if !ok || s.Sent != plan.Due(k) || s.Seq != uint32(k) {
			t.Errorf("message %d carries %+v, want sequence %d and time %d: %s", k, s, k, plan.Due(k), m)
		}
		if !strings.HasPrefix(m, "websocket:room:bench {") {
			t.Errorf("message %d went to %s", k, m)
		}
	}
	if least := (behind - time.Second).Microseconds(); late.Min() < least {
		t.Errorf("published %d µs late, want at least %d", late.Min(), least)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// A message that no server has subscribed to is an error of the set-up, and not a
// loss of the server.
func TestPublisher_NobodySubscribed(t *testing.T) {
	addr, _ := fakeRedis(t, 0)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p, err := DialPublisher(ctx, addr)
	if err != nil {
		t.Fatal(err)
	}
	plan := Plan{Start: fleet.Now(), Rate: 1000, N: 2, Burst: 1, Streams: 1, Size: 133, Channel: roomChannels(1)}
	if _, err := p.Run(ctx, plan, func(int) {}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if p.complained() == nil {
			return fmt.Errorf("no complaint yet")
		}
		return nil
	})
	if err := p.Close(); err == nil || !strings.Contains(err.Error(), "nobody is subscribed") {
		t.Errorf("Close() = %v, want that nobody is subscribed", err)
	}
}

func TestPlan_Validate(t *testing.T) {
	good := Plan{Rate: 1, N: 1, Burst: 1, Streams: 1}
	for name, tt := range map[string]struct {
		edit func(*Plan)
		ok   bool
	}{
		"good":        {func(*Plan) {}, true},
		"no rate":     {func(p *Plan) { p.Rate = 0 }, false},
		"no messages": {func(p *Plan) { p.N = 0 }, false},
		"no burst":    {func(p *Plan) { p.Burst = 0 }, false},
		"no streams":  {func(p *Plan) { p.Streams = 0 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := good
			tt.edit(&p)
			if err := p.Validate(); (err == nil) != tt.ok {
				t.Errorf("Validate() = %v, want ok: %v", err, tt.ok)
			}
		})
	}
}
