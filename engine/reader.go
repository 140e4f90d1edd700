package engine

import "unicode/utf8"

// frameSink receives what the frame reader has put together. Payloads are only
// valid during the call. An error stops the reader and is returned by it.
type frameSink interface {
	// message gets a complete data message. checked says that text has already
	// been found to be UTF-8.
	message(op Opcode, compressed, checked bool, payload []byte) error
	// control gets the payload of a close, ping or pong frame.
	control(op Opcode, payload []byte) error
}

// readLimits is what the frame reader has to know of a connection.
type readLimits struct {
	messageBytes int
	deflate      bool
}

// partial is the state between two reads while a frame or a fragmented message
// is incomplete. A connection that rests between two messages has none. Owned
// by the poller of its connection.
type partial struct {
	// The frame being read: its header bytes until complete, then hdr.
	head      [maxHeader]byte
	numHead   int
	inPayload bool
	hdr       header
	got       int64  // payload bytes received of it
	ctl       []byte // payload of a control frame

	// The message being read; op is 0 when there is none.
	op         Opcode
	compressed bool
	buf        []byte
	checked    int // buf[:checked] is valid UTF-8
}

// resting reports whether nothing is worth keeping.
func (p *partial) resting() bool { return p.numHead == 0 && p.op == 0 }

// readFrames feeds data, in which payloads are unmasked in place, to the state
// in *in and calls sink for every complete frame or message. *in is made when
// data ends inside a message and dropped when that message is complete. The
// error is a *closeError, or what sink returned.
func readFrames(in **partial, data []byte, lim readLimits, sink frameSink) error {
	for len(data) > 0 {
		if *in == nil || (*in).numHead == 0 {
			used, err := readWhole(*in, data, lim, sink)
			if err != nil {
				return err
			}
			if used > 0 {
				data = data[used:]
				continue
			}
		}
		if *in == nil {
			*in = &partial{}
		}
		used, err := (*in).read(data, lim, sink)
		if err != nil {
			return err
		}
		data = data[used:]
		if (*in).resting() {
			*in = nil
		}
	}
	return nil
}

// readWhole handles, without copying, a frame that lies in data as a whole: any
// control frame, or an unfragmented message. It returns 0 for everything else.
func readWhole(in *partial, data []byte, lim readLimits, sink frameSink) (int, error) {
	if len(data) < 2 {
		return 0, nil
	}
	if err := checkStart(data[0], data[1], lim.deflate); err != nil {
		return 0, err
	}
	n := headerLen(data)
	if len(data) < n {
		return 0, nil
	}
	h, err := parseHeader(data)
	if err != nil {
		return 0, err
	}
	open := in != nil && in.op != 0
	if err := checkFrame(h, open, 0, lim); err != nil && !open {
		return 0, err
	}
	if int64(len(data)-n) < h.length || (!h.op.control() && (open || !h.fin)) {
		return 0, nil
	}
	end := n + int(h.length)
	payload := data[n:end]
	unmask(payload, h.mask, 0)
	if h.op.control() {
		return end, sink.control(h.op, payload)
	}
	return end, sink.message(h.op, h.rsv1, false, payload)
}

// checkFrame refuses a data frame that does not fit the message it belongs to,
// before any of its payload is kept. open says that a fragmented message is in
// progress, of which have bytes are held.
func checkFrame(h header, open bool, have int, lim readLimits) error {
	if h.op.control() {
		return nil
	}
	switch {
	case open && h.op != OpContinuation:
		return protocolError("new message inside a fragmented one")
	case !open && h.op == OpContinuation:
		return protocolError("continuation without a message")
	}
	limit := lim.messageBytes
	if h.rsv1 {
		limit = deflatedLimit(limit)
	}
	if h.length > int64(limit-have) {
		return &closeError{CloseTooBig, "message too big"}
	}
	return nil
}

// read consumes data up to the end of the current header or frame.
func (p *partial) read(data []byte, lim readLimits, sink frameSink) (int, error) {
	used := 0
	if !p.inPayload {
		n, done, err := p.readHeader(data, lim)
		if err != nil || !done {
			return n, err
		}
		used = n
	}
	n, err := p.readPayload(data[used:], sink)
	return used + n, err
}

// readHeader collects header bytes and, when they are complete, begins the
// frame.
func (p *partial) readHeader(data []byte, lim readLimits) (used int, done bool, err error) {
	for used < len(data) {
		p.head[p.numHead] = data[used]
		p.numHead++
		used++
		if p.numHead == 2 {
			if err := checkStart(p.head[0], p.head[1], lim.deflate); err != nil {
				return used, false, err
			}
		}
		if p.numHead >= 2 && p.numHead == headerLen(p.head[:p.numHead]) {
			return used, true, p.beginFrame(lim)
		}
	}
	return used, false, nil
}

func (p *partial) beginFrame(lim readLimits) error {
	h, err := parseHeader(p.head[:p.numHead])
	if err != nil {
		return err
	}
	if p.compressed {
		lim.messageBytes = deflatedLimit(lim.messageBytes)
	}
	if err := checkFrame(h, p.op != 0, len(p.buf), lim); err != nil {
		return err
	}
	p.hdr, p.got, p.inPayload = h, 0, true
	if h.op == OpText || h.op == OpBinary {
		p.op, p.compressed, p.checked = h.op, h.rsv1, 0
	}
	return nil
}

// readPayload takes what data has of the current frame's payload, and hands the
// frame on when it is complete.
func (p *partial) readPayload(data []byte, sink frameSink) (int, error) {
	n := int(min(int64(len(data)), p.hdr.length-p.got))
	chunk := data[:n]
	unmask(chunk, p.hdr.mask, p.got)
	p.got += int64(n)
	if p.hdr.op.control() {
		p.ctl = append(p.ctl, chunk...)
	} else {
		p.buf = append(p.buf, chunk...)
		if err := p.checkText(false); err != nil {
			return n, err
		}
	}
	if p.got < p.hdr.length {
		return n, nil
	}
	return n, p.endFrame(sink)
}

func (p *partial) endFrame(sink frameSink) error {
	p.numHead, p.inPayload = 0, false
	if p.hdr.op.control() {
		ctl := p.ctl
		p.ctl = nil
		return sink.control(p.hdr.op, ctl)
	}
	if !p.hdr.fin {
		return nil
	}
	if err := p.checkText(true); err != nil {
		return err
	}
	op, compressed, buf := p.op, p.compressed, p.buf
	p.op, p.compressed, p.buf = 0, false, nil
	return sink.message(op, compressed, !compressed, buf)
}

// checkText validates the text received since the last call, so that bad UTF-8
// is refused as soon as it is seen (RFC 6455 §8.1). A character may still be
// incomplete at the end unless final is set.
func (p *partial) checkText(final bool) error {
	if p.op != OpText || p.compressed {
		return nil
	}
	rest := p.buf[p.checked:]
	n := validPrefix(rest)
	p.checked += n
	if rest = rest[n:]; len(rest) > 0 && (final || utf8.FullRune(rest)) {
		return errNotUTF8
	}
	return nil
}

// validPrefix returns the length of the longest prefix of b that is made of
// complete, valid characters.
func validPrefix(b []byte) int {
	if utf8.Valid(b) {
		return len(b)
	}
	n := 0
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		n += size
	}
	return n
}

var errNotUTF8 = &closeError{CloseInvalidData, "text is not UTF-8"}
