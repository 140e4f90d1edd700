package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ginforge/gateway/bench/fleet"
	"github.com/ginforge/gateway/bench/worker"
)

// Publisher publishes through Redis, over a connection of its own and in the
// plainest way: it shares no code with the gateway.
type Publisher struct {
	conn    net.Conn
	w       *bufio.Writer
	payload []byte
	ended   chan struct{} // closed when Redis has ended the connection, or Close

	mu        sync.Mutex // guards complaint
	complaint error      // the first
}

// DialPublisher connects to the Redis at addr.
func DialPublisher(ctx context.Context, addr string) (*Publisher, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("bench: publish: %w", err)
	}
	p := &Publisher{conn: conn, w: bufio.NewWriterSize(conn, 1<<20), ended: make(chan struct{})}
	go p.readReplies()
	return p, nil
}

// readReplies reads how many subscribers each message reached until the
// connection ends.
func (p *Publisher) readReplies() {
	defer close(p.ended)
	for lines := bufio.NewReader(p.conn); ; {
		line, err := lines.ReadString('\n')
		switch {
		case err != nil:
			return
		case strings.HasPrefix(line, "-"):
			p.complain(fmt.Errorf("bench: publish: Redis says %s", strings.TrimSpace(line[1:])))
		case line == ":0\r\n":
			p.complain(errors.New("bench: publish: a message reached no server: nobody is subscribed to its channel"))
		}
	}
}

// complain keeps the first complaint.
func (p *Publisher) complain(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.complaint == nil {
		p.complaint = err
	}
}

func (p *Publisher) complained() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.complaint
}

// Run carries out a plan and returns by how much messages were late. published is
// called with how many have left.
func (p *Publisher) Run(ctx context.Context, plan Plan, published func(messages int)) (late *worker.Histogram, err error) {
	if err := plan.Validate(); err != nil {
		return nil, err
	}
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
	<-p.ended
	return p.complained()
}
