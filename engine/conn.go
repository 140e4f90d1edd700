package engine

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lesismal/nbio"
)

// Errors of sending.
var (
	// ErrClosed is returned when the connection is gone or its closing
	// handshake has begun.
	ErrClosed = errors.New("engine: connection closed")
	// ErrSlow is returned when the bytes waiting for the peer would exceed
	// its limit (see Limits). Nothing of the frame was sent; the connection's
	// handler has been told by OnSlow.
	ErrSlow = errors.New("engine: peer reads too slowly")
)

// Handler is what a connection is for. Its methods must not block.
type Handler interface {
	// OnMessage gets a complete text or binary message on the goroutine of the
	// connection's poller; text is valid UTF-8. The payload is only valid
	// during the call.
	OnMessage(op Opcode, payload []byte)
	// OnSlow is called on a sending goroutine when the write buffer is full. It
	// usually closes the connection.
	OnSlow()
	// OnCaughtUp is called when nothing waits for the peer any more, once however
	// often Conn.CaughtUp has reported false before, and not at all when the
	// connection is gone. It is called with locks of the
	// connection held, so it must not use the connection.
	OnCaughtUp()
	// OnDeadline is called on the wheel's goroutine when the time given to
	// SetDeadline has come.
	OnDeadline()
	// OnClose is the last call, on nbio's close goroutine: the connection is
	// gone. code is what the peer sent, or what was sent to it, or
	// CloseAbnormal when neither was.
	OnClose(code CloseCode)
}

// Conn is one WebSocket connection. It is meant to be embedded in what the
// application keeps per connection, so that both are one allocation; the zero
// value becomes alive in Engine.Upgrade. All methods may be called from any
// goroutine.
type Conn struct {
	// Set by Upgrade, then unchanged.
	nb      *nbio.Conn
	ep      *Endpoint
	handler Handler

	// in is what is left of an incomplete message. Owned by the poller.
	in *partial

	// wmu serialises senders, so that frames are never interleaved. It is taken
	// before nbio's connection lock.
	wmu    sync.Mutex
	behind *backlog // guarded by wmu; nil while the peer keeps up

	flags    atomic.Uint32 // flag bits below
	pending  atomic.Int32  // bytes that nbio holds for this connection
	seen     atomic.Uint32 // tick of the last inbound byte
	pinged   atomic.Uint32 // tick of the last ping
	deadline atomic.Uint32 // tick at which OnDeadline is due; 0: never

	slotIndex int32  // guarded by the wheel slot's mu
	slot      uint16 // set by wheel.add, then unchanged
	code      uint16 // close code; set once by whoever sets a close flag first

	windowBits uint8 // of the peer's inflater, with flagDeflate; set by Upgrade, then unchanged
}

// Bits of Conn.flags. They are only ever set, but for those of which it says more.
const (
	flagDeflate   = 1 << iota // permessage-deflate was negotiated
	flagCloseSent             // a close frame was sent or is queued
	flagPeerClose             // the peer's close frame has arrived
	flagDiscard               // whatever still comes in is ignored
	flagSlow                  // OnSlow has been called
	flagReplay                // a replay waits for the peer; cleared when nothing waits
	flagBehind                // there is a backlog; set and cleared with wmu held
	flagPumping               // a pump has been called; cleared when it comes
	flagPlain                 // no WebSocket: a request that is answered later
	flagHeld                  // the response to the handshake is held back; changed with wmu held
	flagTells                 // OnCaughtUp is to be called; cleared by who calls it, or need not
)

func (c *Conn) has(bit uint32) bool { return c.flags.Load()&bit != 0 }

// set sets a bit and reports whether this call was the one that did.
func (c *Conn) set(bit uint32) bool { return c.flags.Or(bit)&bit == 0 }

// Handler is what the connection is for, as given to Upgrade.
func (c *Conn) Handler() Handler { return c.handler }

// Compressed reports whether permessage-deflate was negotiated.
func (c *Conn) Compressed() bool { return c.has(flagDeflate) }

// Closing reports whether the closing handshake has begun from either side.
func (c *Conn) Closing() bool { return c.has(flagCloseSent | flagPeerClose) }

// SetDeadline has Handler.OnDeadline called once d has passed, give or take a
// second; it replaces an earlier deadline. A d of 0 or less means no deadline.
func (c *Conn) SetDeadline(d time.Duration) {
	if d <= 0 {
		c.deadline.Store(0)
		return
	}
	w := c.ep.engine.wheel
	t := w.tickAfter(min(d, 50*365*24*time.Hour))
	c.deadline.Store(t)
	if t < w.now.Load()+w.interval {
		w.at(t, dueEntry{conn: c})
	}
}

// Close begins the closing handshake (RFC 6455 §7.1.2): it sends a close frame,
// behind what is already queued, and cuts the connection when the peer has not
// answered after Config.CloseTimeout. Only the first call has an effect.
func (c *Conn) Close(r CloseReason) {
	if !c.beginClose(r) {
		return
	}
	c.ep.engine.wheel.after(c.ep.engine.cfg.CloseTimeout, dueEntry{conn: c, closing: true})
}

// beginClose sends the close frame unless one has been sent.
func (c *Conn) beginClose(r CloseReason) bool {
	var scratch [maxControlPayload + 2]byte
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if !c.set(flagCloseSent) {
		return false
	}
	if c.code == 0 {
		c.code = uint16(r.Code)
	}
	c.ep.engine.stats.closeSent(r.Code)
	frame := appendClose(scratch[:0], r)
	if c.behind != nil {
		_ = c.queueOwn(frame, true) // there is always room
		_ = c.respond()             // an error means that it is gone already
	} else {
		_ = c.writeLocked(frame) // an error means that it is gone already
	}
	return true
}

// finish ends a connection from which nothing more is wanted: its peer broke the
// protocol, or has sent its close frame. Our close frame, unless it has been
// sent, is followed by the end of our half of the stream; what still comes in is
// ignored (RFC 6455 §7.1.7). The descriptor is closed when the peer has ended its
// half too, or the wheel cuts it: closing at once, with bytes of the peer unread
// or under way, would answer them with a reset, which may overtake our close
// frame (§7.1.1). Called by the poller.
func (c *Conn) finish(r CloseReason) {
	c.flags.Or(flagDiscard)
	c.in = nil
	c.Close(r)
	// When something waits, onWritten or a pump ends our half behind it. Nobody
	// queues more: the close frame has been sent, and Close has waited for its sender.
	if c.pending.Load() == 0 && !c.has(flagBehind) {
		c.shutdown(false)
	}
}

// ping sends a ping frame. Called by the wheel.
func (c *Conn) ping() {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.Closing() {
		return
	}
	c.pinged.Store(c.ep.engine.wheel.now.Load())
	_ = c.writeLocked(pingFrame)
}

var pingFrame = []byte{finBit | byte(OpPing), 0}

// expire is called by the wheel when the deadline has come, unless it has been
// moved.
func (c *Conn) expire(now uint32) {
	if c.Closing() {
		return
	}
	if d := c.deadline.Load(); d != 0 && d <= now && c.deadline.CompareAndSwap(d, 0) {
		c.handler.OnDeadline()
	}
}
