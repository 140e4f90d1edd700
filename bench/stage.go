package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ginforge/gateway/bench/fleet"
	"github.com/ginforge/gateway/bench/worker"
)

// Stage is where one scenario meets one target: the steps that scenarios are
// made of. Its methods are for one goroutine.
type Stage struct {
	*Runner
	Nodes   []Target // one, or several joined by Redis
	Result  *Result
	sampler *sampler
	crew    *Crew
	before  snapshot // before the first connection
}

// rest before the first connection, so that the server has started up.
const restBefore = time.Second

// gather opens all connections, waits until everybody is in their rooms, and
// fills in Connections and Opening.
func (s *Stage) gather(ctx context.Context, p Parameters, mode worker.Mode) error {
	if err := s.hire(ctx, p, mode); err != nil {
		return err
	}
	start := fleet.Now()
	waitErr := s.open(ctx, p, p.Connections)
	return errors.Join(waitErr, s.opened(ctx, p, start))
}

// hire starts the clients' processes, when the server has come to rest.
func (s *Stage) hire(ctx context.Context, p Parameters, mode worker.Mode) error {
	if err := s.sleep(ctx, "server at rest", restBefore); err != nil {
		return err
	}
	var err error
	if s.before, err = s.snapshot(); err != nil {
		return err
	}
	cfg := s.workerConfig(p, mode)
	if s.crew, err = Hire(s.Spawn, cfg, p.Workers, s.addrs()...); err != nil {
		return err
	}
	s.sampler.watch(s.crew)
	_, err = s.crew.Begin(mode)
	return err
}

// open opens connections until there are n, all in their rooms.
func (s *Stage) open(ctx context.Context, p Parameters, n int) error {
	atOnce := openAtOnce
	if p.Arrival > 0 {
		atOnce = s.crew.Len() // all of them together make the rate
	}
	return s.await(ctx, "connections", int64(n), func(p worker.Progress) int64 {
		s.crew.Open(atOnce, n)
		return int64(p.Joined)
	})
}

// openAtOnce is how many workers open connections at the same time. With a
// hundred processes on few cores everything else would wait for its turn for
// seconds, Redis too.
const openAtOnce = 4

// addrs are where the nodes listen.
func (s *Stage) addrs() []string {
	addrs := make([]string, len(s.Nodes))
	for i, n := range s.Nodes {
		addrs[i] = n.Addr().String()
	}
	return addrs
}

// opened fills in what became of the connections.
func (s *Stage) opened(ctx context.Context, p Parameters, start int64) error {
	after, err := s.snapshot()
	if err != nil {
		return err
	}
	reports, err := s.crew.Report(ctx)
	if err != nil {
		return err
	}
	t := sum(reports)
	s.Result.Client = t.client
	s.Result.Client.Others = after.others(s.before)
	s.Result.Connections = Connections{Asked: p.Connections, Joined: t.Joined, Failed: t.Failed, Closed: t.Closed, Ends: t.ends}
	o := &Opening{OpenLoop: p.Arrival > 0, Seconds: float64(t.LastJoin-start) / 1e9}
	if t.Joined > 0 {
		o.PerSecond = float64(t.Joined) / o.Seconds
		o.CPUMicros = float64((after.usage.CPU - s.before.usage.CPU).Microseconds()) / float64(t.Joined)
	}
	if o.Distrust = distrust(t.client, t.handshake, nil); len(o.Distrust) == 0 {
		o.Handshake, o.Joining = quantiles(t.handshake), quantiles(t.joining)
	}
	s.Result.Opening = o
	s.Result.Memory = &Memory{Before: s.before.resident, Opened: after.resident}
	return nil
}

// settle lets everything rest and fills in Memory.
func (s *Stage) settle(ctx context.Context, rest time.Duration) error {
	from, err := s.snapshot()
	if err != nil {
		return err
	}
	if err := s.sleep(ctx, "connections at rest", rest); err != nil {
		return err
	}
	to, err := s.snapshot()
	if err != nil {
		return err
	}
	m, n := s.Result.Memory, float64(s.Result.Connections.Joined)
	m.Settled, m.SettleSeconds = to.resident, rest.Seconds()
	m.PerConnection = float64(m.Settled-m.Before) / n
	m.Machine = s.before.available - to.available
	m.Kernel = to.kernel.Since(s.before.kernel)
	m.KernelPerConnection = float64(m.Kernel.InSockets()) / n
	m.IdleCPU = (to.usage.CPU - from.usage.CPU).Seconds() / (float64(to.at-from.at) / 1e9)
	return nil
}

// patience is how long nothing may move before a wait is given up.
const patience = 15 * time.Second

// await shows a bar until value has reached total, and gives up when it has not
// moved for a while.
func (s *Stage) await(ctx context.Context, what string, total int64, value func(worker.Progress) int64) error {
	s.Report.Begin(what, total)
	defer s.Report.End()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last int64
	for moved := time.Now(); ; {
		p, err := s.crew.Progress()
		if err != nil {
			return err
		}
		now := value(p)
		if s.Report.Set(now); now >= total {
			return nil
		}
		if now != last {
			last, moved = now, time.Now()
		}
		if time.Since(moved) > patience {
			return fmt.Errorf("bench: %s: %d of %d, and none more for %v", what, now, total, patience)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("bench: %s: %d of %d: %w", what, now, total, ctx.Err())
		}
	}
}

// sleep shows a bar for a rest.
func (s *Stage) sleep(ctx context.Context, what string, rest time.Duration) error {
	s.Report.Begin(what, rest.Milliseconds())
	defer s.Report.End()
	for start := time.Now(); ; {
		s.Report.Set(min(time.Since(start), rest).Milliseconds())
		left := rest - time.Since(start)
		if left <= 0 {
			return nil
		}
		select {
		case <-time.After(min(left, 100*time.Millisecond)):
		case <-ctx.Done():
			return fmt.Errorf("bench: %s: %w", what, ctx.Err())
		}
	}
}

// workerConfig is what a scenario's workers have in common.
func (s *Stage) workerConfig(p Parameters, mode worker.Mode) worker.Config {
	return worker.Config{
		Path: "/ws", Secret: s.Secret, Total: p.Connections, Rooms: p.Rooms, Personal: p.Personal,
		Dialect: s.Nodes[0].Dialect(), Mode: mode, InFlight: p.InFlight, Rate: p.Arrival,
		ReceiveBuffer: p.Buffer, SendBuffer: p.Buffer,
	}
}
