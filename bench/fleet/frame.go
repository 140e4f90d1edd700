package fleet

import (
	"encoding/binary"
	"fmt"
)

const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA
)

// frames handles the complete frames in data and returns what is left.
//
// Wire layout of a server's frame (RFC 6455 §5.2): as a client's, but never
// masked.
func (f *Fleet) frames(i int, data []byte) ([]byte, error) {
	for len(data) >= 2 && f.conns[i].state == stateOpen {
		head, length := 2, uint64(data[1]&0x7F)
		switch {
		case data[0]&0xF0 != 0x80 || data[1]&0x80 != 0:
			return nil, fmt.Errorf("%w: header %x", ErrProtocol, data[:2])
		case length == 126 && len(data) >= 4:
			head, length = 4, uint64(binary.BigEndian.Uint16(data[2:]))
		case length == 127 && len(data) >= 10:
			head, length = 10, binary.BigEndian.Uint64(data[2:])
		case length >= 126:
			return data, nil
		}
		if uint64(len(data)-head) < length {
			if length > uint64(len(f.buf)-head) {
				return nil, fmt.Errorf("%w: message of %d bytes", ErrProtocol, length)
			}
			return data, nil
		}
		op, payload := data[0]&0x0F, data[head:head+int(length)]
		data = data[head+int(length):]
		if err := f.frame(i, op, payload); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (f *Fleet) frame(i int, op byte, payload []byte) error {
	switch op {
	case opText, opBinary:
		f.handler.Message(i, payload)
		return nil
	case opPing:
		return f.send(i, opPong, payload)
	case opPong:
		return nil
	case opClose:
		if len(payload) >= 2 {
			f.conns[i].code = binary.BigEndian.Uint16(payload)
			if f.closing != nil {
				f.closing.Closing(i, int(f.conns[i].code), payload[2:])
			}
		}
		return f.send(i, opClose, payload)
	default:
		return fmt.Errorf("%w: opcode %d", ErrProtocol, op)
	}
}

// Send sends a text message on connection i; it is an error when the socket does
// not take it as a whole, since this client keeps no send queue.
func (f *Fleet) Send(i int, payload []byte) error { return f.send(i, opText, payload) }

// Shut sends a close frame with code 1000 on connection i; the server ends it, and
// Handler.Closed is called.
func (f *Fleet) Shut(i int) error {
	return f.send(i, opClose, binary.BigEndian.AppendUint16(nil, 1000))
}

// send writes one masked frame. The masking key is zero, which RFC 6455 §5.3
// would not have in a browser; a server cannot tell.
func (f *Fleet) send(i int, op byte, payload []byte) error {
	c := &f.conns[i]
	if c.state != stateOpen {
		return fmt.Errorf("fleet: connection %d is not open", i)
	}
	b := append(f.out[:0], 0x80|op)
	switch n := len(payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n <= 0xFFFF:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(append(b, 0, 0, 0, 0), payload...)
	f.out = b
	n, errno := write(c.fd, b)
	if errno != 0 {
		return fmt.Errorf("fleet: send: %w", errno)
	}
	if n < len(b) {
		return fmt.Errorf("fleet: the socket took %d of %d bytes", n, len(b))
	}
	return nil
}
