package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/bench/worker"
)

// spawnHere runs workers in this process, under its race detector.
func spawnHere() (Link, error) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := worker.Run(context.Background(), inR, outW)
		_ = outW.Close()
		done <- err
	}()
	return Link{In: inW, Out: outR, Wait: func() error { return <-done }, PID: os.Getpid()}, nil
}

// eventually polls until check returns nil.
func eventually(t testing.TB, check func() error) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}

// quiet is a Reporter that keeps what is said.
type quiet struct{ said bytes.Buffer }

func (q *quiet) Say(format string, args ...any) { fmt.Fprintf(&q.said, format+"\n", args...) }
func (q *quiet) Begin(string, int64)            {}
func (q *quiet) Set(int64)                      {}
func (q *quiet) End()                           {}

// smoke measures a small gateway with two workers.
func smoke(t *testing.T) *Runner {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	redis, err := StartRedis(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Stop)
	return &Runner{Redis: redis.Addr, RedisPID: redis.PID(), Secret: Secret, Spawn: spawnHere, Report: &quiet{}, Log: t.Output()}
}

// Every scenario, small, against the real gateway: everybody joins, nothing is
// lost, and each figure that belongs to the scenario is there.
func TestScenarios_Smoke(t *testing.T) {
	gateway, err := ParseCandidate("gateway@"+buildGateway(t), "")
	if err != nil {
		t.Fatal(err)
	}
	p := Parameters{
		Connections: 200, Rooms: 1, Rate: 20, Burst: 1, Size: 133, Duration: 500 * time.Millisecond,
		Workers: 2, Settle: 100 * time.Millisecond,
	}
	rooms, bursts, nodes, grown := p, p, p, p
	rooms.Rooms, bursts.Burst = 20, 20
	nodes.Rooms, nodes.Nodes = 20, 2
	grown.Steps = []int{30, 130}
	runner := smoke(t)
	for _, s := range []Scenario{
		Connect{p},
		Idle{p},
		Grow{grown},
		Fanout{p},
		Fanout{bursts},
		Fanout{rooms},
		Chat{rooms},
		Direct{P: p},
		Direct{P: p, Backend: true},
		HerdCut{p},
		Million{nodes},
	} {
		t.Run(s.Name(), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			r, err := runner.Measure(ctx, s, gateway, 1)
			if err != nil {
				t.Fatal(err)
			}
			if c := r.Connections; c.Joined != p.Connections || c.Failed+c.Closed != 0 {
				t.Errorf("connections %+v, want %d joined", c, p.Connections)
			}
			checkDelivery(t, r.Delivery)
			if _, err := json.Marshal(r); err != nil {
				t.Errorf("the result cannot be saved: %v", err)
			}
		})
	}
}

// checkDelivery checks that nothing was lost; d is nil in scenarios that send
// nothing.
func checkDelivery(t *testing.T, d *Delivery) {
	t.Helper()
	if d == nil {
		return
	}
	if d.Received != d.Expected || d.Received == 0 || d.Lost+d.Duplicated+d.OutOfOrder+d.Foreign+d.SendFailed != 0 {
		t.Errorf("delivery %+v, want everything once and in order", *d)
	}
	if d.CPUMicros <= 0 || (d.Latency == nil) == (len(d.Distrust) == 0) {
		t.Errorf("%v µs of CPU a delivery, latency %v, distrust %v", d.CPUMicros, d.Latency, d.Distrust)
	}
}

// A run that is interrupted ends, says where it was, and leaves no server behind.
func TestMeasure_Interrupted(t *testing.T) {
	gateway, err := ParseCandidate("gateway@"+buildGateway(t), "")
	if err != nil {
		t.Fatal(err)
	}
	var server Target
	start := gateway.Start
	ctx, cancel := context.WithCancel(context.Background())
	gateway.Start = func(ctx context.Context, redisURL string, log io.Writer) (Target, error) {
		var err error
		server, err = start(ctx, redisURL, log)
		cancel() // as Ctrl-C does
		return server, err
	}
	r, err := smoke(t).Measure(ctx, Connect{Parameters{Connections: 10, Rooms: 1}}, gateway, 1)
	if !errors.Is(err, context.Canceled) || r == nil {
		t.Errorf("Measure() = %v, %v, want a result and that it was cancelled", r, err)
	}
	if _, err := ReadUsage(server.PID()); err == nil {
		t.Error("the server is still there")
	}
}

// A program that ends, or never says that it serves, is told of by name.
func TestStartPeer_Fails(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err := StartPeer(ctx, "mine", "redis://127.0.0.1:1", nil, "/bin/false")
	if err == nil || !strings.Contains(err.Error(), "start mine") {
		t.Errorf("StartPeer() = %v, want that mine did not start", err)
	}
}
