package engine

import (
	"context"
	"sync"
)

// A peer's backlog moves on when the socket has taken what nbio held. nbio tells
// so on the poller and under its own lock, where nothing may be written; so a
// goroutine of its own, one for each poller, writes the next part. It has nothing
// to do while all peers keep up.
//
// Nothing is forgotten: who queues a frame first sets flagBehind and then looks
// whether nbio still holds something; nbio's report first counts what is written
// and then looks at flagBehind. One of the two sees the other and calls.

// pump writes backlogs.
type pump struct {
	mu    sync.Mutex
	conns []*Conn // guarded by mu: whose turn it is; each has flagPumping
	wake  chan struct{}
}

func newPumps(n int) []*pump {
	pumps := make([]*pump, n)
	for i := range pumps {
		pumps[i] = &pump{wake: make(chan struct{}, 1)}
	}
	return pumps
}

// call has the backlog of c moved on. It does not block and may be called with
// nbio's lock held.
func (e *Engine) call(c *Conn) {
	if !c.set(flagPumping) {
		return
	}
	p := e.pumps[c.nb.Hash()%len(e.pumps)]
	p.mu.Lock()
	p.conns = append(p.conns, c)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // it is awake
	}
}

// run moves backlogs on until ctx ends; what waits then is cut with its
// connection.
func (p *pump) run(ctx context.Context) {
	var turn []*Conn
	var scratch []byte
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		p.mu.Lock()
		turn, p.conns = p.conns, turn[:0]
		p.mu.Unlock()
		for i, c := range turn {
			scratch = c.moveOn(scratch)
			turn[i] = nil
		}
		if cap(turn) > 1<<10 {
			turn = nil
		}
	}
}

// maxPumpBytes bounds one write of a pump, or one frame does.
const maxPumpBytes = 64 << 10

// moveOn writes what it can of a backlog and returns the scratch space, grown.
func (c *Conn) moveOn(scratch []byte) []byte {
	c.flags.And(^uint32(flagPumping)) // from here on calls are not for what is done below
	for more := true; more; {
		scratch, more = c.moveOnOnce(scratch[:0]) // senders get in between
	}
	return scratch
}

func (c *Conn) moveOnOnce(scratch []byte) (_ []byte, more bool) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	switch {
	case c.pending.Load() > 0:
		return scratch, false // nbio will report
	case c.behind == nil:
		c.caughtUp(func() { c.shutdown(false) })
		return scratch, false
	}
	scratch = c.behind.gather(scratch, maxPumpBytes)
	return scratch, c.writePart(scratch) == nil // else it is gone: OnClose will come
}

// writePart makes one write of what stands first in the backlog. The caller holds
// wmu, and nbio holds nothing.
func (c *Conn) writePart(part []byte) error {
	n, err := c.writeSocket(part, single)
	if err != nil {
		return err
	}
	c.ep.engine.stats.sent(n)
	b := c.behind
	for sent := 0; sent < len(part); {
		f := b.take()
		w := c.wire(f)
		sent += len(w)
		if sent > n { // here the socket has stopped
			if err := c.leaveToNbio(w[max(0, len(w)-(sent-n)):]); err != nil {
				return err
			}
			break
		}
		c.tellOf(f, FateWritten)
	}
	if b.empty() {
		c.noBacklog()
	}
	return nil
}

// noBacklog gives the backlog back, which is empty. The caller holds wmu.
func (c *Conn) noBacklog() {
	c.behind.uncrowd()
	c.behind.free()
	c.behind = nil
	c.flags.And(^uint32(flagBehind))
	c.ep.engine.stats.behind.Add(-1)
}

// keep has those of the frames wait of which the socket has not taken the first n
// bytes: the rest of the one in which it stopped in nbio, which sends it when the
// socket is writable, all others in the backlog. The caller holds wmu, and nothing
// waits: so all are let in, however large.
func (c *Conn) keep(frames []*Frame, n int) (err error) {
	stopped := false
	for i, f := range frames {
		deflated := c.deflates(f)
		leaves(frames[i:i+1], func(f *Frame) bool {
			switch w := c.form(f, deflated); {
			case stopped:
				c.backlog().add(f, true)
			case n >= len(w):
				n -= len(w)
				c.tellOf(f, FateWritten)
			default:
				stopped = true
				c.tellOf(f, FateWaits)
				err = c.leaveToNbio(w[n:])
			}
			return err == nil
		})
	}
	c.callPump()
	return err
}

// queue has frames wait behind what waits already. The caller holds wmu.
func (c *Conn) queue(frames []*Frame) error {
	b, refused := c.backlog(), false
	leaves(frames, func(f *Frame) bool {
		if refused = refused || !b.add(f, false); refused {
			c.ep.engine.stats.lost(f.class, lostRefused, 1)
			c.tellOf(f, FateRefused)
		}
		return true
	})
	if b.empty() { // all were dropped
		c.noBacklog()
	}
	c.callPump()
	if refused {
		return ErrSlow
	}
	return nil
}

// queueOwn has what is encoded for this peer alone wait behind what waits already.
// The caller holds wmu.
func (c *Conn) queueOwn(text []byte, exempt bool) error {
	b := c.backlog()
	ok := b.own(text, exempt)
	if b.empty() {
		c.noBacklog()
	}
	c.callPump()
	if !ok {
		c.ep.engine.stats.lost(classOwn, lostRefused, 1)
		return ErrSlow
	}
	return nil
}

// backlog is the connection's backlog, made if there is none. The caller holds wmu.
func (c *Conn) backlog() *backlog {
	if c.behind == nil {
		c.behind = newBacklog(c)
		c.flags.Or(flagBehind)
		c.ep.engine.stats.behind.Add(1)
	}
	return c.behind
}

// callPump has the backlog moved on if nbio does not hold anything any more, whose
// report might have been made before there was a backlog. A response that is held
// back is not the pump's.
func (c *Conn) callPump() {
	if c.behind != nil && c.pending.Load() == 0 && !c.has(flagHeld) {
		c.ep.engine.call(c)
	}
}

// caughtUp does what is due when nothing waits any more: endStream ends our half
// of the stream.
func (c *Conn) caughtUp(endStream func()) {
	if c.has(flagReplay) {
		c.flags.And(^uint32(flagReplay))
	}
	if c.has(flagTells) && c.flags.And(^uint32(flagTells))&flagTells != 0 {
		c.handler.OnCaughtUp()
	}
	const finished = flagDiscard | flagCloseSent
	if c.flags.Load()&finished == finished {
		endStream()
	}
}
