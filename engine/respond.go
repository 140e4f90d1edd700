package engine

import (
	"sync"
	"time"
)

// A write to a socket costs more than everything else in a handshake, and wakes the
// peer. So the response may be held back for a moment, to go out in one write with
// the first frame, which most applications send at once. It waits in front of
// everything in the connection's backlog, which nothing moves on meanwhile.

// respondWithin is how long a response is held back at most, rounded up to the
// wheel's ticks.
const respondWithin = time.Second

// heldResponses are frames for responses and what is queued with them; a handshake
// in a storm should leave as little garbage as it can.
var heldResponses = sync.Pool{New: func() any {
	return &Frame{class: classOwn, plain: make([]byte, 0, maxKeptResponse)}
}}

// maxKeptResponse is how large a response with a greeting may have been, in bytes, for
// its memory to be used again.
const maxKeptResponse = 768

// hold keeps the response to the handshake back. The caller holds wmu.
func (c *Conn) hold(key, protocol, extensions string) {
	f := heldResponses.Get().(*Frame)
	f.plain = appendResponse(f.plain[:0], key, protocol, extensions)
	c.behind = newBacklog(c)
	c.behind.push(f)
	c.flags.Or(flagHeld)
	c.ep.engine.wheel.after(respondWithin, dueEntry{conn: c, held: true})
}

// respond writes the response that was held back, if it was and still is, together
// with what has been queued behind it. The caller holds wmu.
func (c *Conn) respond() error {
	if !c.has(flagHeld) {
		return nil
	}
	c.flags.And(^uint32(flagHeld))
	c.flags.Or(flagBehind)
	c.ep.engine.stats.behind.Add(1)
	// A greeting joins the response in its frame (see own): mostly there is no other.
	f := c.behind.frames[c.behind.head]
	if err := c.writePart(f.plain); err != nil {
		return ErrClosed // what waits is written off when the close is reported
	}
	if cap(f.plain) <= maxKeptResponse {
		heldResponses.Put(f)
	}
	c.callPump()
	return nil
}

// dropHeld forgets a response that nobody waits for any more. The caller holds wmu.
func (c *Conn) dropHeld() {
	c.flags.And(^uint32(flagHeld))
	for len(c.behind.frames) > c.behind.head {
		c.behind.unpush() // it is nobody's loss, and not counted as one
	}
	c.behind.free()
	c.behind = nil
}

// respondLate writes a response for which no frame has come. Called by the wheel.
func (c *Conn) respondLate() {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	_ = c.respond() // an error means that the peer is gone: OnClose will come
}
