package engine

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// peer is a WebSocket client made of a bare TCP connection, so that it can break
// every rule; it shares no code with the engine.
type peer struct {
	t        testing.TB
	conn     *net.TCPConn
	br       *bufio.Reader
	response *http.Response
}

// wireFrame is a frame as it lies on the wire.
type wireFrame struct {
	b0      byte // FIN, RSV and opcode
	payload []byte
}

func (f wireFrame) String() string {
	p := f.payload
	if len(p) > 40 {
		return fmt.Sprintf("frame %#x %q... (%d bytes)", f.b0, p[:40], len(p))
	}
	return fmt.Sprintf("frame %#x %q", f.b0, p)
}

// handshake is a correct opening handshake for path, with more header lines.
func handshake(path string, headers ...string) string {
	lines := append([]string{
		"GET " + path + " HTTP/1.1", "Host: gateway.test", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
	}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// sampleAccept answers the key of RFC 6455 §1.3, which handshake sends.
const sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// dialTCP connects without sending anything.
func dialTCP(t testing.TB, e *Engine) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", e.Addr().String())
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatalf("SetDeadline: %v", err)
	}
	return &peer{t: t, conn: conn.(*net.TCPConn), br: bufio.NewReaderSize(conn, 64<<10)}
}

// dial connects and completes the opening handshake.
func dial(t testing.TB, e *Engine, path string, headers ...string) *peer {
	t.Helper()
	p := dialTCP(t, e)
	p.send([]byte(handshake(path, headers...)))
	p.readUpgrade()
	return p
}

func (p *peer) readUpgrade() {
	p.t.Helper()
	p.readResponse()
	if p.response.StatusCode != http.StatusSwitchingProtocols {
		p.t.Fatalf("handshake answered with %s, want 101", p.response.Status)
	}
}

func (p *peer) readResponse() {
	p.t.Helper()
	res, err := http.ReadResponse(p.br, nil)
	if err != nil {
		p.t.Fatalf("reading the response: %v", err)
	}
	p.response = res
}

// send writes raw bytes. That the server has closed meanwhile is no error here.
func (p *peer) send(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Logf("write: %v", err)
	}
}

// sendChopped writes b in pieces of size bytes, each a segment of its own.
func (p *peer) sendChopped(b []byte, size int) {
	p.t.Helper()
	for len(b) > 0 {
		n := min(size, len(b))
		p.send(b[:n])
		b = b[n:]
	}
}

// masked returns a frame as a client sends it. The key depends on the payload,
// so that a test sends the same bytes in every run.
func masked(b0 byte, payload []byte) []byte {
	key := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(payload)+uint32(b0))
	out := []byte{b0}
	switch n := len(payload); {
	case n <= 125:
		out = append(out, 0x80|byte(n))
	case n <= 0xFFFF:
		out = binary.BigEndian.AppendUint16(append(out, 0x80|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 0x80|127), uint64(n))
	}
	out = append(out, key[:]...)
	for i, c := range payload {
		out = append(out, c^key[i%4])
	}
	return out
}

// fragments cuts payload into frames of size bytes; b0 is of the first of them.
func fragments(b0 byte, payload []byte, size int) []byte {
	b0 &^= 0x80
	var out []byte
	for len(payload) > size {
		out = append(out, masked(b0, payload[:size])...)
		payload, b0 = payload[size:], 0
	}
	return append(out, masked(b0|0x80, payload)...)
}

// closePayload is the payload of a close frame.
func closePayload(code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

// read returns the next frame that is not a ping of the heartbeat, or the error
// that ended the stream.
func (p *peer) read() (wireFrame, error) {
	for {
		f, err := p.readAny()
		if err != nil || f.b0 != 0x89 {
			return f, err
		}
	}
}

// readAny returns the next frame, or the error that ended the stream.
func (p *peer) readAny() (wireFrame, error) {
	var head [10]byte
	if _, err := io.ReadFull(p.br, head[:2]); err != nil {
		return wireFrame{}, err
	}
	if head[1]&0x80 != 0 {
		return wireFrame{}, errors.New("the server masked a frame")
	}
	n := int(head[1])
	switch n {
	case 126:
		if _, err := io.ReadFull(p.br, head[2:4]); err != nil {
			return wireFrame{}, err
		}
		n = int(binary.BigEndian.Uint16(head[2:]))
	case 127:
		if _, err := io.ReadFull(p.br, head[2:10]); err != nil {
			return wireFrame{}, err
		}
		n = int(binary.BigEndian.Uint64(head[2:]))
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(p.br, payload)
	return wireFrame{head[0], payload}, err
}

// want fails the test unless the next frame is this one. Pings are left out,
// unless one is wanted.
func (p *peer) want(b0 byte, payload []byte) {
	p.t.Helper()
	next := p.read
	if b0 == 0x89 {
		next = p.readAny
	}
	got, err := next()
	want := wireFrame{b0, payload}
	if err != nil {
		p.t.Fatalf("got %v, want %v", err, want)
	}
	if got.b0 != b0 || string(got.payload) != string(payload) {
		p.t.Fatalf("got %v, want %v", got, want)
	}
}

// dropWithin is the time in which the server has to end TCP after the closing
// handshake, or after a plain answer. Usually it takes a millisecond, and Autobahn
// waits for a second; this is longer for the sake of a busy machine, where whoever has
// written the last byte may wait long for a processor until it can say that it was the
// last. It is shorter than testCloseTimeout and maxLater, so that no test passes because
// a timer of the engine cut the connection.
const dropWithin = 8 * time.Second

// wantClose fails the test unless the next frame is a close frame with one of
// codes (none given: without one) and the server then ends the stream, with FIN
// and not with a reset. It answers the close frame as clients do.
func (p *peer) wantClose(codes ...CloseCode) {
	p.t.Helper()
	got := p.readClose(codes)
	p.send(masked(0x88, got.payload[:min(2, len(got.payload))]))
	p.wantEOF()
}

// close sends a close frame; codes are those that the answer may have.
func (p *peer) close(payload []byte, codes ...CloseCode) {
	p.t.Helper()
	p.send(masked(0x88, payload))
	p.wantClosed(codes...)
}

// wantClosed is wantClose when the client has sent its close frame first.
func (p *peer) wantClosed(codes ...CloseCode) {
	p.t.Helper()
	p.readClose(codes)
	p.wantEOF()
}

func (p *peer) readClose(codes []CloseCode) wireFrame {
	p.t.Helper()
	got, err := p.read()
	if err != nil || got.b0 != 0x88 {
		p.t.Fatalf("got %v, %v, want a close frame with one of %v", got, err, codes)
	}
	if len(got.payload) == 0 && len(codes) == 0 {
		return got
	}
	if len(got.payload) < 2 || !slices.Contains(codes, CloseCode(binary.BigEndian.Uint16(got.payload))) {
		p.t.Fatalf("got %v, want one of %v", got, codes)
	}
	if !utf8.Valid(got.payload[2:]) {
		p.t.Fatalf("got %v: the reason is not UTF-8", got)
	}
	return got
}

// wantEOF fails the test unless the server ends the stream soon and cleanly. Then
// it closes the connection, as clients do.
func (p *peer) wantEOF() {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(dropWithin))
	if f, err := p.read(); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		p.t.Fatalf("got %v, %v, want EOF within %s", f, err, dropWithin)
	}
	_ = p.conn.Close()
}
