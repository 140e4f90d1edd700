package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ginforge/gateway/bench/worker"
)

// Grow has one server take more and more connections. At each number it lets them
// rest, measures the server's memory, and publishes to them: so it shows whether a
// connection, or a delivery, costs more or less when there are many.
type Grow struct{ P Parameters }

// Name is grow.
func (Grow) Name() string { return "grow" }

// Parameters are what it was set to.
func (g Grow) Parameters() Parameters { return g.P }

// numbers are those of connections at which it measures.
func (g Grow) numbers() []int { return append(slices.Clone(g.P.Steps), g.P.Connections) }

// Validate tells what is wrong with the parameters.
func (g Grow) Validate() error {
	last := 0
	for _, n := range g.numbers() {
		if n <= last {
			return fmt.Errorf("steps: %v on the way to %d connections, want numbers that grow from 1", g.P.Steps, g.P.Connections)
		}
		last = n
	}
	if g.P.Rooms != 1 || g.P.Burst != 1 {
		return fmt.Errorf("rooms: %d and burst: %d, want 1 each", g.P.Rooms, g.P.Burst)
	}
	return g.P.messages()
}

// What says what is done.
func (g Grow) What() string {
	var numbers []string
	for _, n := range g.numbers() {
		numbers = append(numbers, fmt.Sprint(n))
	}
	return fmt.Sprintf("users connect with a token each and join one room until there are %s; each time they rest for %v, and a backend publishes %v messages a second for %v",
		strings.Join(numbers, ", "), g.P.Settle, g.P.Rate, g.P.Duration)
}

// Run opens connections up to each number, and measures there.
func (g Grow) Run(ctx context.Context, s *Stage) error {
	if err := s.hire(ctx, g.P, worker.ModeRoom); err != nil {
		return err
	}
	for _, n := range g.numbers() {
		step, err := s.growTo(ctx, g.P, n)
		if err != nil {
			return err
		}
		s.Result.Growth = append(s.Result.Growth, step)
	}
	return nil
}

// growTo has n connections, and measures what they cost. The figures of the whole
// result are those of the last number.
func (s *Stage) growTo(ctx context.Context, p Parameters, n int) (Step, error) {
	if err := s.open(ctx, p, n); err != nil {
		return Step{}, err
	}
	s.Result.Connections.Asked, s.Result.Connections.Joined = n, n
	s.Result.Memory = &Memory{Before: s.before.resident}
	if err := s.settle(ctx, p.Settle); err != nil {
		return Step{}, err
	}
	step := Step{Connections: n, Resident: s.Result.Memory.Settled - s.Result.Memory.Before}
	var err error
	s.Result.Delivery, s.Result.Client, err = s.publishToRooms(ctx, p, n)
	step.Delivery = s.Result.Delivery
	return step, err
}
