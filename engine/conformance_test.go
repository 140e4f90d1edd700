package engine

import (
	"fmt"
	"strings"
	"testing"
)

// The conformance suite follows the cases of the Autobahn test suite, under its
// numbers, with a client over bare TCP against the echo endpoint. For each case it
// checks what comes back, the close code, and that the server ends TCP cleanly and
// at once.

// conformanceCase sends something to the echo endpoint and checks what comes back.
type conformanceCase struct {
	id  string
	run func(p *peer)
}

func runConformance(t *testing.T, edit func(*Config), headers []string, cases []conformanceCase) {
	t.Helper()
	e := startEcho(t, edit)
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			p := dial(t, e, "/echo", headers...)
			p.t = t
			c.run(p)
		})
	}
}

// echoed sends one message, wants it back and closes.
func echoed(op byte, payload []byte) func(*peer) {
	return func(p *peer) {
		p.send(masked(op, payload))
		p.want(op, payload)
		p.close(closePayload(1000, ""), 1000)
	}
}

// fails sends stream, wants the answers (frames that the server sends) and then
// that the server fails the connection with code.
func fails(stream []byte, code CloseCode, answers ...wireFrame) func(*peer) {
	return func(p *peer) {
		p.send(stream)
		for _, a := range answers {
			p.want(a.b0, a.payload)
		}
		p.wantClose(code)
	}
}

// chopped has another case's stream arrive in segments of one byte.
func chopped(stream []byte, then func(*peer)) func(*peer) {
	return func(p *peer) {
		p.sendChopped(stream, 1)
		then(p)
	}
}

// wants reads frames and closes.
func wants(answers ...wireFrame) func(*peer) {
	return func(p *peer) {
		for _, a := range answers {
			p.want(a.b0, a.payload)
		}
		p.close(closePayload(1000, ""), 1000)
	}
}

func textFrame(s string) wireFrame   { return wireFrame{0x81, []byte(s)} }
func binaryFrame(s string) wireFrame { return wireFrame{0x82, []byte(s)} }
func pongFrame(s string) wireFrame   { return wireFrame{0x8A, []byte(s)} }

func TestConformance1_Framing(t *testing.T) {
	t.Parallel()
	var cases []conformanceCase
	for group, op := range map[string]byte{"1.1": 0x81, "1.2": 0x82} {
		for i, size := range []int{0, 125, 126, 127, 128, 65535, 65536, 65536} {
			payload := []byte(strings.Repeat("*", size))
			c := conformanceCase{fmt.Sprintf("%s.%d", group, i+1), echoed(op, payload)}
			if i == 7 { // in segments of 997 bytes
				c.run = func(p *peer) {
					p.sendChopped(masked(op, payload), 997)
					wants(wireFrame{op, payload})(p)
				}
			}
			cases = append(cases, c)
		}
	}
	runConformance(t, nil, nil, cases)
}

func TestConformance2_Pings(t *testing.T) {
	t.Parallel()
	var ten []byte
	var tenPongs []wireFrame
	for i := range 10 {
		ten = append(ten, frames(0x89, fmt.Sprintf("payload-%d", i))...)
		tenPongs = append(tenPongs, pongFrame(fmt.Sprintf("payload-%d", i)))
	}
	longest := strings.Repeat("\xfe", 125)
	runConformance(t, nil, nil, []conformanceCase{
		{"2.1", func(p *peer) { p.send(frames(0x89, "")); wants(pongFrame(""))(p) }},
		{"2.2", func(p *peer) { p.send(frames(0x89, "Hello, world!")); wants(pongFrame("Hello, world!"))(p) }},
		{"2.3", func(p *peer) { p.send(frames(0x89, "\x00\xff\xfe\xfd")); wants(pongFrame("\x00\xff\xfe\xfd"))(p) }},
		{"2.4", func(p *peer) { p.send(frames(0x89, longest)); wants(pongFrame(longest))(p) }},
		{"2.5", fails(frames(0x89, longest+"x"), CloseProtocol)},
		{"2.6", chopped(frames(0x89, longest), wants(pongFrame(longest)))},
		{"2.7", func(p *peer) { p.send(frames(0x8A, "")); wants()(p) }},
		{"2.8", func(p *peer) { p.send(frames(0x8A, "unsolicited")); wants()(p) }},
		{"2.9", func(p *peer) { p.send(frames(0x8A, "unsolicited", 0x89, "ping")); wants(pongFrame("ping"))(p) }},
		{"2.10", func(p *peer) { p.send(ten); wants(tenPongs...)(p) }},
		{"2.11", chopped(ten, wants(tenPongs...))},
	})
}

func TestConformance3_ReservedBits(t *testing.T) {
	t.Parallel()
	hello := "Hello, world!"
	rsv := func(n int, op int) int { return op | n<<4 }
	bad := frames(0x81, hello, rsv(4, 0x81), hello, 0x89, "")
	runConformance(t, nil, nil, []conformanceCase{
		{"3.1", fails(frames(rsv(1, 0x81), hello), CloseProtocol)},
		{"3.2", fails(frames(0x81, hello, rsv(2, 0x81), hello, 0x89, ""), CloseProtocol, textFrame(hello))},
		{"3.3", func(p *peer) {
			for _, frame := range [][]byte{frames(0x81, hello), frames(rsv(3, 0x81), hello), frames(0x89, "")} {
				p.send(frame)
			}
			p.want(0x81, []byte(hello))
			p.wantClose(CloseProtocol)
		}},
		{"3.4", chopped(bad, func(p *peer) { p.want(0x81, []byte(hello)); p.wantClose(CloseProtocol) })},
		{"3.5", fails(frames(rsv(5, 0x82), "\x00\xff\xfe\xfd"), CloseProtocol)},
		{"3.6", fails(frames(rsv(6, 0x89), hello), CloseProtocol)},
		{"3.7", fails(frames(rsv(7, 0x88), ""), CloseProtocol)},
	})
}

func TestConformance4_Opcodes(t *testing.T) {
	t.Parallel()
	var cases []conformanceCase
	for group, ops := range map[string][]int{"4.1": {3, 4, 5, 6, 7}, "4.2": {11, 12, 13, 14, 15}} {
		for i, op := range ops {
			var run func(*peer)
			switch b0 := 0x80 | op; i {
			case 0:
				run = fails(frames(b0, ""), CloseProtocol)
			case 1:
				run = fails(frames(b0, "reserved opcode payload"), CloseProtocol)
			case 2:
				run = fails(frames(0x81, "Hello, world!", b0, "", 0x89, ""), CloseProtocol, textFrame("Hello, world!"))
			case 3:
				run = fails(frames(0x81, "Hello, world!", b0, "payload", 0x89, ""), CloseProtocol, textFrame("Hello, world!"))
			default:
				run = chopped(frames(0x81, "Hello, world!", b0, "payload", 0x89, ""), func(p *peer) {
					p.want(0x81, []byte("Hello, world!"))
					p.wantClose(CloseProtocol)
				})
			}
			cases = append(cases, conformanceCase{fmt.Sprintf("%s.%d", group, i+1), run})
		}
	}
	runConformance(t, nil, nil, cases)
}

func TestConformance5_Fragmentation(t *testing.T) {
	t.Parallel()
	const f1, f2 = "fragment1", "fragment2"
	both := textFrame(f1 + f2)
	interleaved := frames(0x01, f1, 0x89, "ping payload", 0x80, f2)
	continued := frames(0x80, "non-continuation payload", 0x81, "Hello, world!")
	continuedOpen := frames(0x00, "non-continuation payload", 0x81, "Hello, world!")
	long := frames(0x01, f1, 0x00, f2, 0x89, "ping 1", 0x00, "fragment3", 0x00, "fragment4", 0x89, "ping 2", 0x80, "fragment5")
	whole := textFrame(f1 + f2 + "fragment3fragment4fragment5")
	again := func(stream []byte) []byte { return append(append([]byte(nil), stream...), frames(0x80, "x")...) }
	runConformance(t, nil, nil, []conformanceCase{
		{"5.1", fails(frames(0x09, f1, 0x80, f2), CloseProtocol)},
		{"5.2", fails(frames(0x0A, f1, 0x80, f2), CloseProtocol)},
		{"5.3", func(p *peer) { p.send(frames(0x01, f1, 0x80, f2)); wants(both)(p) }},
		{"5.4", func(p *peer) { p.send(frames(0x01, f1)); p.send(frames(0x80, f2)); wants(both)(p) }},
		{"5.5", chopped(frames(0x01, f1, 0x80, f2), wants(both))},
		{"5.6", func(p *peer) { p.send(interleaved); wants(pongFrame("ping payload"), both)(p) }},
		{"5.7", func(p *peer) {
			p.send(frames(0x01, f1, 0x89, "ping payload"))
			p.want(0x8A, []byte("ping payload"))
			p.send(frames(0x80, f2))
			wants(both)(p)
		}},
		{"5.8", chopped(interleaved, wants(pongFrame("ping payload"), both))},
		{"5.9", fails(continued, CloseProtocol)},
		{"5.10", func(p *peer) { p.send(continued[:30]); p.send(continued[30:]); p.wantClose(CloseProtocol) }},
		{"5.11", chopped(continued, func(p *peer) { p.wantClose(CloseProtocol) })},
		{"5.12", fails(continuedOpen, CloseProtocol)},
		{"5.13", func(p *peer) { p.send(continuedOpen[:30]); p.send(continuedOpen[30:]); p.wantClose(CloseProtocol) }},
		{"5.14", chopped(continuedOpen, func(p *peer) { p.wantClose(CloseProtocol) })},
		{"5.15", fails(frames(0x01, f1, 0x80, f2, 0x00, "fragment3", 0x81, "fragment4"), CloseProtocol, both)},
		{"5.16", fails(frames(0x00, f1, 0x01, f2, 0x80, "fragment3", 0x00, f1), CloseProtocol)},
		{"5.17", fails(frames(0x80, f1, 0x01, f2, 0x80, "fragment3"), CloseProtocol)},
		{"5.18", fails(frames(0x01, f1, 0x81, f2), CloseProtocol)},
		{"5.19", func(p *peer) {
			p.send(long)
			wants(pongFrame("ping 1"), pongFrame("ping 2"), whole)(p)
		}},
		{"5.20", func(p *peer) {
			for _, part := range [][]byte{
				frames(0x01, f1, 0x00, f2, 0x89, "ping 1"), frames(0x00, "fragment3", 0x00, "fragment4", 0x89, "ping 2"), frames(0x80, "fragment5"),
			} {
				p.send(part)
			}
			wants(pongFrame("ping 1"), pongFrame("ping 2"), whole)(p)
		}},
		{"closed in a message", func(p *peer) { p.send(frames(0x01, f1)); p.close(closePayload(1000, ""), 1000) }},
		{"after the end", fails(again(long), CloseProtocol, pongFrame("ping 1"), pongFrame("ping 2"), whole)},
		{"not masked", fails([]byte("\x81\x05hello"), CloseProtocol)},
		{"not masked, later", fails(append(frames(0x81, "a"), "\x89\x00"...), CloseProtocol, textFrame("a"))},
		{"binary", func(p *peer) { p.send(frames(0x02, "\xff", 0x80, "\xfe")); wants(binaryFrame("\xff\xfe"))(p) }},
	})
}
