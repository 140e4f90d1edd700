package worker

import (
	"time"

	"github.com/ginforge/gateway/bench/fleet"
)

// outflow is what the clients still have to send, in an open loop.
type outflow struct {
	Send
	next int // the message that is due next
}

// due returns when message k is to be sent.
func (o *outflow) due(k int) int64 { return o.At + int64(float64(k)*1e9/o.Rate) }

// maxSends bounds what is sent before the loop looks for events again.
const maxSends = 64

// tick does what is due and returns when there is more to do (fleet.Options).
func (c *crowd) tick(now int64) int64 {
	next := c.rejoinDue(now)
	if message := c.sendDue(now); next == 0 || message != 0 && message < next {
		next = message
	}
	return next
}

// sendDue sends the messages that are due and returns when the next one is.
func (c *crowd) sendDue(now int64) int64 {
	o := &c.outflow
	for range maxSends {
		if o.next >= o.N {
			return 0
		}
		due := o.due(o.next)
		if due > now {
			return due
		}
		c.late.Record(time.Duration(now - due))
		c.send(o.next%c.cfg.Count, uint32(o.next/c.cfg.Count), due)
		o.next++
	}
	return fleet.Now()
}

// send has connection i send its message number seq, which was due at the time
// given.
func (c *crowd) send(i int, seq uint32, due int64) {
	from := c.cfg.First + i
	s := Stamp{Window: c.window, Stream: uint32(from), Seq: seq, Sent: due}
	b := c.out[:0]
	if c.cfg.Mode == ModeUser {
		b = append(b, `{"type":"user_message","to":"`...)
		b = AppendUser(b, Partner(from, c.cfg.Total))
	} else {
		b = append(b, `{"type":"room_message","room":"`...)
		b = append(b, RoomName(from%c.cfg.Rooms, c.cfg.Rooms)...)
	}
	b = append(b, `","content":`...)
	b = appendContent(b, s, c.outflow.Size-len(b)-1)
	c.out = append(b, '}')
	if err := c.fleet.Send(i, c.out); err != nil {
		c.sendFailed++
		return
	}
	c.Sent++
}
