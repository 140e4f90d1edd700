package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/ginforge/gateway/bench/worker"
)

// errPeer is returned when a peer is to do what only the gateway can.
var errPeer = errors.New("bench: peers take no messages from clients")

// takesMessages tells whether clients may send to a server.
func takesMessages(t Target) error {
	if _, peer := t.(*Peer); peer {
		return errPeer
	}
	return nil
}

// Chat has clients send to the rooms that they are in.
type Chat struct{ P Parameters }

// Name is chat.
func (Chat) Name() string { return "chat" }

// Parameters are what it was set to.
func (c Chat) Parameters() Parameters { return c.P }

// Validate tells what is wrong with the parameters.
func (c Chat) Validate() error { return Fanout(c).Validate() }

// What says what is done.
func (c Chat) What() string {
	return fmt.Sprintf("%d users in %d rooms of %d send, in turns, %v messages a second of about %d bytes to each room for %v",
		c.P.Connections, c.P.Rooms, c.P.Connections/c.P.Rooms, c.P.Rate, c.P.Size, c.P.Duration)
}

// Run connects everybody and lets them talk.
func (c Chat) Run(ctx context.Context, s *Stage) error {
	if err := takesMessages(s.Nodes[0]); err != nil {
		return err
	}
	if err := s.gather(ctx, c.P, worker.ModeChat); err != nil {
		return err
	}
	if err := s.settle(ctx, c.P.Settle); err != nil {
		return err
	}
	rate := c.P.Rate * float64(c.P.Rooms)
	n := max(1, int(rate*c.P.Duration.Seconds()))
	var err error
	s.Result.Delivery, s.Result.Client, err = s.exchange(ctx, c.P, worker.ModeChat, n, rate, c.P.Connections/c.P.Rooms)
	return err
}

// Direct has users write to each other, or a backend to users.
type Direct struct {
	P       Parameters
	Backend bool // publish through Redis instead of sending
}

// Name is users.
func (Direct) Name() string { return "users" }

// Parameters are what it was set to.
func (d Direct) Parameters() Parameters { return d.P }

// Validate tells what is wrong with the parameters.
func (d Direct) Validate() error { return d.P.messages() }

// What says what is done.
func (d Direct) What() string {
	who := "each to one other"
	if d.Backend {
		who = "from a backend"
	}
	return fmt.Sprintf("%d users get direct messages of about %d bytes, %s, %v a second in all for %v",
		d.P.Connections, d.P.Size, who, d.P.Rate, d.P.Duration)
}

// Run connects everybody and lets them write.
func (d Direct) Run(ctx context.Context, s *Stage) error {
	if err := takesMessages(s.Nodes[0]); err != nil {
		return err
	}
	if err := s.gather(ctx, d.P, worker.ModeUser); err != nil {
		return err
	}
	if err := s.settle(ctx, d.P.Settle); err != nil {
		return err
	}
	n := max(1, int(d.P.Rate*d.P.Duration.Seconds()))
	var err error
	if !d.Backend {
		s.Result.Delivery, s.Result.Client, err = s.exchange(ctx, d.P, worker.ModeUser, n, d.P.Rate, 1)
		return err
	}
	plan := Plan{Rate: d.P.Rate, N: n, Burst: 1, Streams: d.P.Connections, Size: d.P.Size, Channel: d.channel}
	s.Result.Delivery, s.Result.Client, err = s.publish(ctx, plan, worker.ModeUser, 1)
	return err
}

// channel is that of the user to whom a stream goes.
func (d Direct) channel(stream int) (channel, room string) {
	b := worker.AppendUser([]byte("websocket:user:"), worker.Partner(stream, d.P.Connections))
	return string(b), ""
}
