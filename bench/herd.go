package bench

import (
	"context"
	"fmt"

	"github.com/ginforge/gateway/bench/worker"
)

// HerdCut cuts all connections at once, as a crashed proxy does, and measures how
// fast everybody is back.
type HerdCut struct{ P Parameters }

// Name is herd.
func (HerdCut) Name() string { return "herd" }

// Parameters are what it was set to.
func (h HerdCut) Parameters() Parameters { return h.P }

// Validate tells what is wrong with the parameters.
func (h HerdCut) Validate() error { return h.P.validate() }

// What says what is done.
func (h HerdCut) What() string {
	how := "without a close frame"
	if h.P.Reset {
		how = "with a reset"
	}
	return fmt.Sprintf("%d users in one room lose their connections at once, %s, and all come back at once, up to %d handshakes at a time",
		h.P.Connections, how, h.P.InFlight)
}

// Run connects everybody, cuts them off, and waits until they are back. One
// message to the room then shows that they are.
func (h HerdCut) Run(ctx context.Context, s *Stage) error {
	if err := s.gather(ctx, h.P, worker.ModeRoom); err != nil {
		return err
	}
	if err := s.settle(ctx, h.P.Settle); err != nil {
		return err
	}
	failed := s.Result.Connections.Failed
	if _, err := s.crew.Begin(worker.ModeRoom); err != nil {
		return err
	}
	before, err := s.snapshot()
	if err != nil {
		return err
	}
	if err := s.crew.Order(worker.Command{Do: "cut", Reset: h.P.Reset}); err != nil {
		return err
	}
	back := func(p worker.Progress) int64 { return p.Joins }
	if err := s.await(ctx, "connections back", int64(h.P.Connections), back); err != nil {
		return err
	}
	if err := s.herdBack(ctx, before, failed); err != nil {
		return err
	}
	plan := Plan{Rate: 1, N: 1, Burst: 1, Streams: 1, Size: 133, Channel: roomChannels(1)}
	s.Result.Delivery, _, err = s.publish(ctx, plan, worker.ModeRoom, h.P.Connections)
	return err
}

// herdBack fills in how fast they were back.
func (s *Stage) herdBack(ctx context.Context, before snapshot, failed int) error {
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
	s.Result.Client.Others = after.others(before)
	s.Result.Herd = &Herd{
		Half:   float64(t.joining.ValueAtQuantile(50)) / 1e6,
		Most:   float64(t.joining.ValueAtQuantile(99)) / 1e6,
		All:    float64(t.joining.Max()) / 1e6,
		Failed: t.Failed - failed,
		CPU:    float64((after.usage.CPU - before.usage.CPU).Microseconds()) / float64(t.Joins),
		Back:   quantiles(t.joining),
	}
	return nil
}
