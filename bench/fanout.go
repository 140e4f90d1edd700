package bench

import (
	"context"
	"fmt"

	"github.com/ginforge/gateway/bench/worker"
)

// Fanout publishes to rooms from a backend. With one room it is fanout, with more
// it is rooms.
type Fanout struct{ P Parameters }

// Name is fanout or rooms.
func (f Fanout) Name() string {
	if f.P.Rooms == 1 {
		return "fanout"
	}
	return "rooms"
}

// Parameters are what it was set to.
func (f Fanout) Parameters() Parameters { return f.P }

// Validate tells what is wrong with the parameters.
func (f Fanout) Validate() error {
	if f.P.Rooms < 1 || f.P.Rooms > 0 && f.P.Connections%f.P.Rooms != 0 {
		return fmt.Errorf("rooms: %d, want a number that %d connections can be spread over evenly", f.P.Rooms, f.P.Connections)
	}
	if f.P.Burst < 1 {
		return fmt.Errorf("burst: %d, want 1 or more", f.P.Burst)
	}
	return f.P.messages()
}

// What says what is done.
func (f Fanout) What() string {
	messages := fmt.Sprintf("%v messages a second", f.P.Rate)
	if f.P.Burst > 1 {
		messages = fmt.Sprintf("%v times a second %d messages back to back", f.P.Rate, f.P.Burst)
	}
	where := fmt.Sprintf("one room of %d users", f.P.Connections)
	if f.P.Rooms > 1 {
		where = fmt.Sprintf("each of %d rooms of %d users", f.P.Rooms, f.P.Connections/f.P.Rooms)
	}
	return fmt.Sprintf("a backend publishes %s of about %d bytes to %s for %v", messages, f.P.Size, where, f.P.Duration)
}

// warmUp is what is published before the measurement, of which nothing is
// counted.
const warmUp = 5

// Run connects everybody and publishes.
func (f Fanout) Run(ctx context.Context, s *Stage) error {
	if err := s.gather(ctx, f.P, worker.ModeRoom); err != nil {
		return err
	}
	if err := s.settle(ctx, f.P.Settle); err != nil {
		return err
	}
	var err error
	s.Result.Delivery, s.Result.Client, err = s.publishToRooms(ctx, f.P, f.P.Connections)
	return err
}

// publishToRooms publishes to p.Rooms rooms over which n users are spread, after a
// few messages of which nothing is counted.
func (s *Stage) publishToRooms(ctx context.Context, p Parameters, n int) (*Delivery, Client, error) {
	rate := p.Rate * float64(p.Rooms)
	plan := Plan{
		Rate: rate, Burst: p.Burst, Streams: p.Rooms, Size: p.Size, Channel: roomChannels(p.Rooms),
		N: max(1, int(rate*p.Duration.Seconds())),
	}
	warm, notes := plan, s.Result.Notes
	warm.N = min(plan.N, warmUp*p.Rooms)
	if _, _, err := s.publish(ctx, warm, worker.ModeRoom, n/p.Rooms); err != nil {
		return nil, Client{}, err
	}
	s.Result.Notes = notes
	return s.publish(ctx, plan, worker.ModeRoom, n/p.Rooms)
}

// roomChannels returns the names of rooms and of their channels.
func roomChannels(rooms int) func(stream int) (channel, room string) {
	names := make([]string, rooms)
	channels := make([]string, rooms)
	for r := range rooms {
		names[r] = worker.RoomName(r, rooms)
		channels[r] = "websocket:room:" + names[r]
	}
	return func(stream int) (channel, room string) { return channels[stream], names[stream] }
}
