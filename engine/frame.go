package engine

import (
	"encoding/binary"
	"iter"
	"math"
	"sync"
	"time"
)

// Opcode is the type of a frame (RFC 6455 §5.2).
type Opcode byte

// Opcodes of RFC 6455 §11.8.
const (
	OpContinuation Opcode = 0x0
	OpText         Opcode = 0x1
	OpBinary       Opcode = 0x2
	OpClose        Opcode = 0x8
	OpPing         Opcode = 0x9
	OpPong         Opcode = 0xA
)

func (o Opcode) control() bool { return o&0x8 != 0 }

// Wire layout of a frame header (RFC 6455 §5.2):
//
//	byte 0:  FIN RSV1 RSV2 RSV3 opcode(4)
//	byte 1:  MASK length(7)        126: 2 more bytes, 127: 8 more bytes
//	then:    extended length, then 4 bytes of masking key when MASK is set
const (
	finBit  = 0x80
	rsv1Bit = 0x40
	rsvBits = 0x70
	maskBit = 0x80

	maxControlPayload = 125
	maxHeader         = 14
)

// Frame is one message encoded for the wire, or several joined, immutable and
// shared by all its recipients. The compressed form is made at most once, when
// the first connection that negotiated it asks.
type Frame struct {
	plain []byte
	parts []*Frame // of a joined frame

	op      Opcode
	payload []byte // of a single frame: a part of plain
	longest int    // length in bytes of the longest payload

	class   Class
	watched bool                        // tell is set, or that of one of parts
	tell    func(to Handler, what Fate) // see Watch
	key     uint64                      // of ClassLatest
	dies    time.Duration               // of ClassDrop: when it is of no use any more, in sinceStart

	deflateOnce sync.Once
	deflated    []byte // set inside deflateOnce; aliases plain when not worth it
}

// NewFrame encodes payload, which is copied, as one unfragmented message.
func NewFrame(op Opcode, payload []byte) *Frame {
	plain := appendHeader(make([]byte, 0, len(payload)+10), op, false, len(payload))
	n := len(plain)
	plain = append(plain, payload...)
	return &Frame{plain: plain, op: op, payload: plain[n:], longest: len(payload)}
}

// Join returns a frame that sends all of frames, in order, with one write. It
// copies their bytes; joining one returns that one.
func Join(frames []*Frame) *Frame {
	if len(frames) == 1 {
		return frames[0]
	}
	n, longest, watched := 0, 0, false
	for _, f := range frames {
		n += len(f.plain)
		longest = max(longest, f.longest)
		watched = watched || f.watched
	}
	plain := make([]byte, 0, n)
	for _, f := range frames {
		plain = append(plain, f.plain...)
	}
	return &Frame{plain: plain, parts: append([]*Frame(nil), frames...), longest: longest, watched: watched}
}

// Len is the size on the wire, uncompressed, in bytes.
func (f *Frame) Len() int { return len(f.plain) }

// Messages is the number of messages in the frame, more than one when it was
// joined.
func (f *Frame) Messages() int { return max(1, len(f.parts)) }

// Payloads yields the payload of each message in the frame, in order. They are
// shared and must not be changed.
func (f *Frame) Payloads() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if f.parts == nil {
			yield(f.payload)
			return
		}
		for _, p := range f.parts {
			for payload := range p.Payloads() {
				if !yield(payload) {
					return
				}
			}
		}
	}
}

// compressed returns the bytes for connections with permessage-deflate.
func (f *Frame) compressed(d *deflater) []byte {
	f.deflateOnce.Do(func() {
		if f.parts == nil {
			f.deflated = d.encode(f)
			return
		}
		out := make([]byte, 0, len(f.plain)/2)
		for _, p := range f.parts {
			out = append(out, p.compressed(d)...)
		}
		f.deflated = out
	})
	return f.deflated
}

// appendHeader appends the header of an unmasked, final frame.
func appendHeader(dst []byte, op Opcode, rsv1 bool, length int) []byte {
	b0 := finBit | byte(op)
	if rsv1 {
		b0 |= rsv1Bit
	}
	switch {
	case length <= 125:
		return append(dst, b0, byte(length))
	case length <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(dst, b0, 126), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, b0, 127), uint64(length))
	}
}

// header is a parsed frame header as a client sends it.
type header struct {
	fin    bool
	rsv1   bool
	op     Opcode
	mask   [4]byte
	length int64
}

// headerLen returns how many bytes the header that begins with b has, or 0 when
// b is too short to tell.
func headerLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	n := 2
	switch b[1] &^ maskBit {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b[1]&maskBit != 0 {
		n += 4
	}
	return n
}

// checkStart refuses what the first two bytes alone show to be wrong, so that a
// peer cannot make us wait for the rest of a bad frame. deflate says whether
// RSV1 has a meaning on this connection (RFC 7692 §6).
func checkStart(b0, b1 byte, deflate bool) error {
	op := Opcode(b0 & 0x0F)
	rsv := b0 & rsvBits
	if deflate && (op == OpText || op == OpBinary) {
		rsv &^= rsv1Bit
	}
	switch {
	case rsv != 0:
		return protocolError("reserved bit set")
	case op > OpBinary && op < OpClose, op > OpPong:
		return protocolError("reserved opcode")
	case b1&maskBit == 0:
		return protocolError("client frame is not masked")
	case op.control() && b0&finBit == 0:
		return protocolError("fragmented control frame")
	case op.control() && b1&^maskBit > maxControlPayload:
		return protocolError("control frame too long")
	}
	return nil
}

// parseHeader reads a complete header that checkStart has accepted.
func parseHeader(b []byte) (header, error) {
	h := header{fin: b[0]&finBit != 0, rsv1: b[0]&rsv1Bit != 0, op: Opcode(b[0] & 0x0F)}
	rest := b[2:]
	switch n := b[1] &^ maskBit; n {
	case 126:
		h.length = int64(binary.BigEndian.Uint16(rest))
		rest = rest[2:]
		if h.length < 126 {
			return h, protocolError("length not in its shortest form")
		}
	case 127:
		u := binary.BigEndian.Uint64(rest)
		rest = rest[8:]
		if u <= 0xFFFF || u > math.MaxInt64 {
			return h, protocolError("length not in its shortest form or out of range")
		}
		h.length = int64(u)
	default:
		h.length = int64(n)
	}
	copy(h.mask[:], rest)
	return h, nil
}

// unmask applies the masking key to b, whose first byte is the pos-th of the
// payload (RFC 6455 §5.3).
func unmask(b []byte, key [4]byte, pos int64) {
	for len(b) > 0 && pos&3 != 0 {
		b[0] ^= key[pos&3]
		b, pos = b[1:], pos+1
	}
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	k |= k << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
}
