package bench

import (
	"context"
	"fmt"

	"github.com/ginforge/gateway/bench/worker"
)

// Connect opens connections as a storm or at a rate, and measures the handshakes.
type Connect struct{ P Parameters }

// Name is connect.
func (Connect) Name() string { return "connect" }

// Parameters are what it was set to.
func (c Connect) Parameters() Parameters { return c.P }

// Validate tells what is wrong with the parameters.
func (c Connect) Validate() error { return c.P.validate() }

// What says what is done.
func (c Connect) What() string {
	pace := "as fast as the server lets them"
	if c.P.Arrival > 0 {
		pace = fmt.Sprintf("at %.0f a second, whether the server keeps up or not", c.P.Arrival)
	}
	join := " and join a room"
	if c.P.Rooms == 0 {
		join = ""
	}
	return fmt.Sprintf("%d users connect with a token each%s, %s", c.P.Connections, join, pace)
}

// Run connects everybody.
func (c Connect) Run(ctx context.Context, s *Stage) error {
	return s.gather(ctx, c.P, worker.ModeRoom)
}

// Idle opens connections, leaves them alone, and measures what they cost.
type Idle struct{ P Parameters }

// Name is idle.
func (Idle) Name() string { return "idle" }

// Parameters are what it was set to.
func (i Idle) Parameters() Parameters { return i.P }

// Validate tells what is wrong with the parameters.
func (i Idle) Validate() error { return i.P.validate() }

// What says what is done.
func (i Idle) What() string {
	rooms := "one room for all"
	if i.P.Rooms != 1 {
		rooms = fmt.Sprintf("%d rooms", i.P.Rooms)
	}
	if i.P.Personal {
		rooms += " and one room for each alone"
	}
	return fmt.Sprintf("%d users connect with a token each, join %s, and do nothing for %v", i.P.Connections, rooms, i.P.Settle)
}

// Run connects everybody and waits.
func (i Idle) Run(ctx context.Context, s *Stage) error {
	if err := s.gather(ctx, i.P, worker.ModeRoom); err != nil {
		return err
	}
	return s.settle(ctx, i.P.Settle)
}
