package engine

import (
	"net"

	"github.com/lesismal/nbio/nbhttp"
)

// takeover is a Conn as nbhttp sees it after the upgrade: an
// nbhttp.ParserCloser that gets the bytes of the socket in place of nbhttp's
// HTTP parser, which is then garbage. It is a type of its own so that Conn does
// not show these methods to applications.
type takeover Conn

var _ nbhttp.ParserCloser = (*takeover)(nil)

// UnderlayerConn implements nbhttp.ParserCloser.
func (t *takeover) UnderlayerConn() net.Conn { return t.nb }

// Parse implements nbhttp.ParserCloser: it gets what the poller has read, and
// what the HTTP parser had left over behind the upgrade request. It never
// returns an error: the connection is ended by its own close handshake.
func (t *takeover) Parse(data []byte) error {
	(*Conn)(t).feed(data)
	return nil
}

// CloseAndClean implements nbhttp.ParserCloser; the engine's own close callback
// does the work.
func (t *takeover) CloseAndClean(error) {}

// feed runs the frame reader over data. Called by the poller.
func (c *Conn) feed(data []byte) {
	e := c.ep.engine
	c.seen.Store(e.wheel.now.Load())
	e.stats.bytesIn.Add(uint64(len(data)))
	if c.has(flagDiscard) {
		return
	}
	defer c.recoverHandler()
	lim := readLimits{messageBytes: c.ep.limits.MessageBytes, deflate: c.has(flagDeflate)}
	if err := readFrames(&c.in, data, lim, (*connSink)(c)); err != nil {
		c.endReading(err)
	}
}

// recoverHandler ends a connection whose handler panicked, and only that one.
func (c *Conn) recoverHandler() {
	if r := recover(); r != nil {
		c.ep.engine.logPanic(r)
		c.finish(c.ep.engine.closing(CloseInternal, "internal error"))
	}
}

// endReading acts on the error that stopped the frame reader.
func (c *Conn) endReading(err error) {
	ce, ok := err.(*closeError) //nolint:errorlint // readFrames never wraps it
	if !ok {
		return // the peer's close frame, which has been answered
	}
	c.ep.engine.stats.protocolFails.Add(1)
	c.finish(c.ep.engine.closing(ce.code, ce.text))
}

// closing is the close frame for why, in the application's words.
func (e *Engine) closing(code CloseCode, why string) CloseReason {
	if e.cfg.CloseText != nil {
		why = e.cfg.CloseText(why)
	}
	return CloseReason{Code: code, Text: why}
}

// connSink is a Conn as the frame reader sees it.
type connSink Conn

func (s *connSink) message(op Opcode, compressed, checked bool, payload []byte) error {
	c := (*Conn)(s)
	c.ep.engine.stats.framesIn.Add(1)
	if c.has(flagCloseSent) {
		return nil // RFC 6455 §1.4: data after our close frame is of no use
	}
	if compressed {
		return c.ep.engine.deflater.inflate(payload, c.ep.limits.MessageBytes, func(plain []byte) error {
			return c.deliver(op, false, plain)
		})
	}
	return c.deliver(op, checked, payload)
}

func (c *Conn) deliver(op Opcode, checked bool, payload []byte) error {
	if op == OpText && !checked && validPrefix(payload) != len(payload) {
		return errNotUTF8
	}
	c.handler.OnMessage(op, payload)
	return nil
}

func (s *connSink) control(op Opcode, payload []byte) error {
	c := (*Conn)(s)
	c.ep.engine.stats.framesIn.Add(1)
	switch op {
	case OpPing:
		return c.pong(payload)
	case OpClose:
		return c.peerClosed(payload)
	default: // a pong: that bytes came is all there is to know
		return nil
	}
}

func (c *Conn) pong(payload []byte) error {
	buf := encodePool.Get().(*[]byte)
	defer encodePool.Put(buf)
	*buf = append(appendHeader((*buf)[:0], OpPong, false, len(payload)), payload...)
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.has(flagCloseSent) {
		return nil // nothing follows our close frame (RFC 6455 §5.5.1)
	}
	if c.waiting() > 2*c.ep.limits.WriteBufferBytes {
		return nil // a peer that sends pings and never reads gets no more answers
	}
	_ = c.writeLocked(*buf)
	return nil
}

// errPeerClosed stops the frame reader behind a close frame.
var errPeerClosed = ErrClosed

// peerClosed answers the peer's close frame with the same code, unless it is the
// answer to ours, and ends the connection.
func (c *Conn) peerClosed(payload []byte) error {
	code, err := parseClose(payload)
	if err != nil {
		return err
	}
	c.ep.engine.stats.closesByPeerCodes.of(code).Add(1)
	c.flags.Or(flagPeerClose)
	c.wmu.Lock()
	if c.code == 0 || !c.has(flagCloseSent) {
		c.code = uint16(code)
	}
	c.wmu.Unlock()
	c.finish(CloseReason{Code: code})
	return errPeerClosed
}
