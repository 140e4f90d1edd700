package engine

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// CloseCode is the status code of a close frame (RFC 6455 §7.4).
type CloseCode uint16

// Codes of RFC 6455 §7.4.1. CloseNoStatus and CloseAbnormal never travel in a
// frame: they say that a close frame had no code, or that there was none.
const (
	CloseNormal      CloseCode = 1000
	CloseGoingAway   CloseCode = 1001
	CloseProtocol    CloseCode = 1002
	CloseUnsupported CloseCode = 1003
	CloseNoStatus    CloseCode = 1005
	CloseAbnormal    CloseCode = 1006
	CloseInvalidData CloseCode = 1007
	ClosePolicy      CloseCode = 1008
	CloseTooBig      CloseCode = 1009
	CloseInternal    CloseCode = 1011
)

// maxCloseReason is what a close frame has room for beside the code: a control
// frame carries at most 125 bytes (RFC 6455 §5.5).
const maxCloseReason = maxControlPayload - 2

// CloseReason is what a close frame says: a code and a text of at most 123
// bytes.
type CloseReason struct {
	Code CloseCode
	Text string
}

// closeError ends a connection with a code; it is what the frame reader returns.
type closeError struct {
	code CloseCode
	text string
}

func (e *closeError) Error() string {
	return fmt.Sprintf("engine: close %d: %s", e.code, e.text)
}

func protocolError(text string) error { return &closeError{CloseProtocol, text} }

// sendable reports whether a peer may put code on the wire.
func (c CloseCode) sendable() bool {
	switch {
	case c >= 1000 && c <= 1003, c >= 1007 && c <= 1014:
		return true
	default:
		return c >= 3000 && c <= 4999
	}
}

// parseClose reads the payload of a close frame and returns its code, or the
// code with which a malformed one must be answered as an error.
func parseClose(payload []byte) (CloseCode, error) {
	switch {
	case len(payload) == 0:
		return CloseNoStatus, nil
	case len(payload) == 1:
		return 0, protocolError("close payload of one byte")
	}
	code := CloseCode(binary.BigEndian.Uint16(payload))
	if !code.sendable() {
		return 0, protocolError("close code not allowed")
	}
	if !utf8.Valid(payload[2:]) {
		return 0, &closeError{CloseInvalidData, "close reason is not UTF-8"}
	}
	return code, nil
}

// appendClose appends a close frame. CloseNoStatus makes one without payload; a
// text that does not fit is cut at a character.
func appendClose(dst []byte, r CloseReason) []byte {
	if r.Code == CloseNoStatus || r.Code == 0 {
		return append(dst, finBit|byte(OpClose), 0)
	}
	text := r.Text
	for len(text) > maxCloseReason || (len(text) > 0 && !utf8.ValidString(text)) {
		text = text[:min(len(text), maxCloseReason+1)-1]
	}
	dst = append(dst, finBit|byte(OpClose), byte(2+len(text)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.Code))
	return append(dst, text...)
}
