package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/ginforge/gateway/bench/fleet"
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

// Publisher publishes through Redis, over a connection of its own and in the
// plainest way: it shares no code with the gateway.
type Publisher struct {
	conn    net.Conn
	w       *bufio.Writer
	replies chan error // the end of the reader, with what Redis complained of
	payload []byte
}

// DialPublisher connects to the Redis at addr.
func DialPublisher(ctx context.Context, addr string) (*Publisher, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("bench: publish: %w", err)
	}
	p := &Publisher{conn: conn, w: bufio.NewWriterSize(conn, 1<<20), replies: make(chan error, 1)}
	go p.readReplies()
	return p, nil
}

// readReplies reads how many subscribers each message reached until the
// connection ends.
func (p *Publisher) readReplies() {
	var complaint error
	for lines := bufio.NewReader(p.conn); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			p.replies <- complaint
			return
		}
		switch {
		case complaint != nil:
		case strings.HasPrefix(line, "-"):
			complaint = fmt.Errorf("bench: publish: Redis says %s", strings.TrimSpace(line[1:]))
		case line == ":0\r\n":
			complaint = errors.New("bench: publish: a message reached no server: nobody is subscribed to its channel")
		}
	}
}

// Run carries out a plan and returns how late it was at worst.
func (p *Publisher) Run(ctx context.Context, plan Plan, published func(messages int)) (late *worker.Histogram, err error) {
	late = worker.NewHistogram()
	for k := range plan.N {
		if err := sleepUntil(ctx, plan.Due(k)); err != nil {
			return late, err
		}
		late.Record(time.Duration(fleet.Now() - plan.Due(k)))
		plan.stamps(k, func(s worker.Stamp) { p.add(plan, s) })
		// What is due by now leaves together, as it would from many backends.
		if k+1 == plan.N || plan.Due(k+1) > fleet.Now() {
			if err := p.w.Flush(); err != nil {
				return late, fmt.Errorf("bench: publish: %w", err)
			}
		}
		published((k + 1) * plan.Burst)
	}
	return late, nil
}

// sleepUntil waits until a time of fleet.Now.
func sleepUntil(ctx context.Context, at int64) error {
	wait := time.Duration(at - fleet.Now())
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add writes PUBLISH in Redis's protocol (RESP).
func (p *Publisher) add(plan Plan, s worker.Stamp) {
	channel, room := plan.Channel(int(s.Stream))
	p.payload = worker.AppendMessage(p.payload[:0], s, room, plan.Size)
	b := append(p.w.AvailableBuffer(), "*3\r\n$7\r\nPUBLISH\r\n$"...)
	b = strconv.AppendInt(b, int64(len(channel)), 10)
	b = append(append(append(b, "\r\n"...), channel...), "\r\n$"...)
	b = strconv.AppendInt(b, int64(len(p.payload)), 10)
	b = append(append(append(b, "\r\n"...), p.payload...), "\r\n"...)
	_, _ = p.w.Write(b) // Flush repeats the error
}

// Close ends the connection and returns the first thing that Redis complained
// of.
func (p *Publisher) Close() error {
	_ = p.conn.Close() // which ends the reader
	return <-p.replies
}
