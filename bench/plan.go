package bench

import (
	"fmt"

	"github.com/ginforge/gateway/bench/worker"
)

// Plan says what is published when. It is an open loop: instant k comes at
// Start + k/Rate, whatever the server makes of those before, and what is
// published then carries that time, so that a server which stalls is charged for
// everything that it kept waiting.
type Plan struct {
	Window  uint32
	Start   int64   // in nanoseconds of fleet.Now
	Rate    float64 // instants a second
	N       int     // instants in all
	Burst   int     // messages of one stream back to back at each instant
	Streams int     // which take turns: instant k belongs to stream k % Streams
	Size    int     // about the bytes of a message
	Channel func(stream int) (channel, room string)
}

// Due returns when instant k is.
func (p Plan) Due(k int) int64 { return p.Start + int64(float64(k)*1e9/p.Rate) }

// Messages is the number of messages in the plan.
func (p Plan) Messages() int { return p.N * p.Burst }

// Validate tells what is wrong with a plan.
func (p Plan) Validate() error {
	switch {
	case p.Rate <= 0:
		return fmt.Errorf("bench: rate %v, want more than 0", p.Rate)
	case p.N < 1 || p.Burst < 1 || p.Streams < 1:
		return fmt.Errorf("bench: %d instants of %d messages in %d streams, want at least one of each", p.N, p.Burst, p.Streams)
	}
	return nil
}

// stamps calls publish for each message of instant k.
func (p Plan) stamps(k int, publish func(worker.Stamp)) {
	stream, turn := k%p.Streams, k/p.Streams
	for b := range p.Burst {
		publish(worker.Stamp{Window: p.Window, Stream: uint32(stream), Seq: uint32(turn*p.Burst + b), Sent: p.Due(k)})
	}
}
