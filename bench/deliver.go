package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/ginforge/gateway/bench/fleet"
	"github.com/ginforge/gateway/bench/worker"
)

// startDelay lets workers forget the window before until the first message.
const startDelay = 300_000_000 // nanoseconds

// publish carries out a plan in a window of its own, waits until every receiver
// has every message or nothing comes any more, and returns what became of them.
// Each message is of a stream of mode, and has the given number of receivers.
func (s *Stage) publish(ctx context.Context, plan Plan, mode worker.Mode, receivers int) (*Delivery, Client, error) {
	window, err := s.crew.Begin(mode)
	if err != nil {
		return nil, Client{}, err
	}
	publisher, err := DialPublisher(ctx, s.Redis)
	if err != nil {
		return nil, Client{}, err
	}
	before, err := s.snapshot()
	if err != nil {
		return nil, Client{}, errors.Join(err, publisher.Close())
	}
	plan.Window, plan.Start = window, fleet.Now()+startDelay
	s.Report.Begin("published messages", int64(plan.Messages()))
	late, err := publisher.Run(ctx, plan, func(n int) { s.Report.Set(int64(n)) })
	s.Report.End()
	d := &Delivery{Published: int64(plan.Messages()), Expected: int64(plan.Messages()) * int64(receivers)}
	if err == nil {
		// What does not arrive is counted, and not an error of the harness.
		err = s.awaitDelivery(ctx, d.Expected)
	}
	if err = errors.Join(err, publisher.Close()); err != nil {
		return nil, Client{}, err
	}
	client, err := s.delivered(ctx, d, before, plan.Start, late)
	return d, client, err
}

// exchange has clients send n messages in all, rate a second, of about size bytes
// and to so many receivers each, and returns what became of them.
func (s *Stage) exchange(ctx context.Context, p Parameters, mode worker.Mode, n int, rate float64, receivers int) (*Delivery, Client, error) {
	if _, err := s.crew.Begin(mode); err != nil {
		return nil, Client{}, err
	}
	before, err := s.snapshot()
	if err != nil {
		return nil, Client{}, err
	}
	start, workers := fleet.Now()+startDelay, s.crew.Len()
	err = s.crew.OrderEach(func(i int) worker.Command {
		share := n*(i+1)/workers - n*i/workers
		return worker.Command{Do: "send", Send: &worker.Send{At: start, Rate: rate / float64(workers), N: share, Size: p.Size}}
	})
	if err != nil {
		return nil, Client{}, err
	}
	d := &Delivery{Published: int64(n), Expected: int64(n) * int64(receivers)}
	if err := s.awaitDelivery(ctx, d.Expected); err != nil {
		return nil, Client{}, err
	}
	client, err := s.delivered(ctx, d, before, start, nil)
	return d, client, err
}

// awaitDelivery waits for messages until none comes any more.
func (s *Stage) awaitDelivery(ctx context.Context, expected int64) error {
	err := s.await(ctx, "deliveries", expected, func(p worker.Progress) int64 { return p.Got })
	if ctx.Err() != nil {
		return err
	}
	if _, failed := s.crew.Progress(); failed != nil {
		return failed
	}
	return nil
}

// delivered fills in what became of the messages of a window that began at
// start. late is by how much they were published late; nil when clients sent.
func (s *Stage) delivered(ctx context.Context, d *Delivery, before snapshot, start int64, late *worker.Histogram) (Client, error) {
	after, err := s.snapshot()
	if err != nil {
		return Client{}, err
	}
	reports, err := s.crew.Report(ctx)
	if err != nil {
		return Client{}, err
	}
	t := sum(reports)
	d.Received, d.Duplicated, d.OutOfOrder, d.Foreign = t.Received, t.Duplicated, t.OutOfOrder, t.Foreign
	d.Lost, d.SendFailed = d.Expected-d.Received, t.sendFailed
	d.Seconds = float64(t.LastGot-start) / 1e9
	d.CPUSeconds = (after.usage.CPU - before.usage.CPU).Seconds()
	d.RedisCPU = (after.redis - before.redis).Seconds()
	if d.Received > 0 {
		d.PerSecond = float64(d.Received) / d.Seconds
		d.CPUMicros = d.CPUSeconds * 1e6 / float64(d.Received)
	}
	if late == nil {
		late = t.late // the clients have sent
	}
	t.client.Others = after.others(before)
	t.client.LateP99 = float64(late.ValueAtQuantile(99))
	if d.Distrust = distrust(t.client, t.latency, late); len(d.Distrust) == 0 {
		d.Latency = quantiles(t.latency)
	}
	s.Result.Connections.Closed, s.Result.Connections.Ends = t.Closed, t.ends
	if d.Lost+d.Duplicated+d.Foreign > 0 {
		s.Result.Notes = append(s.Result.Notes, fmt.Sprintf("%d messages lost, %d duplicated, %d to the wrong receiver", d.Lost, d.Duplicated, d.Foreign))
	}
	return t.client, nil
}
