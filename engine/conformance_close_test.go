package engine

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestConformance7_Close(t *testing.T) {
	t.Parallel()
	normal := closePayload(1000, "")
	const hello = "Hello World!"
	big := strings.Repeat("BAsd7&jh23", 26215)[:256<<10]
	cases := []conformanceCase{
		{"7.1.1", func(p *peer) { p.send(frames(0x81, hello)); wants(textFrame(hello))(p) }},
		{"7.1.2", func(p *peer) { p.send(frames(0x88, string(normal), 0x88, string(normal))); p.wantClosed(1000) }},
		{"7.1.3", func(p *peer) { p.send(frames(0x88, string(normal), 0x89, "")); p.wantClosed(1000) }},
		{"7.1.4", func(p *peer) { p.send(frames(0x88, string(normal), 0x81, hello)); p.wantClosed(1000) }},
		{"7.1.5", func(p *peer) {
			p.send(frames(0x01, "fragment1", 0x88, string(normal), 0x80, "fragment2"))
			p.wantClosed(1000)
		}},
		{"7.1.6", func(p *peer) {
			p.send(frames(0x81, big, 0x81, hello, 0x88, string(normal), 0x89, ""))
			p.want(0x81, []byte(big))
			p.want(0x81, []byte(hello))
			p.wantClosed(1000)
		}},
		{"7.3.1", func(p *peer) { p.close(nil) }},
		{"7.3.2", fails(frames(0x88, "a"), CloseProtocol)},
		{"7.3.3", func(p *peer) { p.close(normal, 1000) }},
		{"7.3.4", func(p *peer) { p.close(closePayload(1000, "Hello World!"), 1000) }},
		{"7.3.5", func(p *peer) { p.close(closePayload(1000, strings.Repeat("*", 123)), 1000) }},
		{"7.3.6", fails(frames(0x88, string(closePayload(1000, strings.Repeat("*", 124)))), CloseProtocol)},
		{"7.5.1", fails(frames(0x88, string(closePayload(1000, kosme+"\xed\xa0\x80edited"))), CloseInvalidData)},
	}
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999, 1012, 1013, 1014} {
		cases = append(cases, conformanceCase{fmt.Sprintf("7.7.%d (%d)", i+1, code), func(p *peer) {
			p.close(closePayload(code, ""), CloseCode(code))
		}})
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 1015, 5000, 65535} {
		cases = append(cases, conformanceCase{
			fmt.Sprintf("7.9.%d (%d)", i+1, code), fails(frames(0x88, string(closePayload(code, ""))), CloseProtocol),
		})
	}
	runConformance(t, nil, nil, cases)
}

// Bytes that come behind a close frame, or behind what broke the protocol, must
// not turn the end of the stream into a reset that overtakes our close frame.
func TestConformance_DataAfterTheEndIsNotAnsweredWithAReset(t *testing.T) {
	t.Parallel()
	rest := frames(0x82, strings.Repeat("x", 2<<20))
	after := func(first []byte) []byte { return append(append([]byte(nil), first...), rest...) }
	runConformance(t, nil, nil, []conformanceCase{
		{"behind close", func(p *peer) {
			p.send(after(frames(0x88, string(closePayload(1000, "")))))
			p.wantClosed(1000)
		}},
		{"behind a bad opcode", func(p *peer) { p.send(after(frames(0x83, ""))); p.wantClose(CloseProtocol) }},
		{"behind bad text", func(p *peer) { p.send(after(frames(0x81, "\xff"))); p.wantClose(CloseInvalidData) }},
	})
}

// A client that closes before it has read what it asked for gets all of it, then
// the answer to its close frame, and then the end of the stream without delay.
func TestConformance_CloseWaitsForASlowReader(t *testing.T) {
	t.Parallel()
	e := startEcho(t, nil)
	p := dial(t, e, "/echo")
	message := []byte(strings.Repeat("0123456789abcdef", 1<<16)) // 1 MiB
	const n = 12
	for range n {
		p.send(masked(0x82, message))
	}
	p.send(masked(0x88, closePayload(1000, "")))
	eventually(t, func() error {
		if e.Stats().ClosesSeen[1000] == 0 {
			return errors.New("the server has not read the close frame")
		}
		return nil
	})
	if e.Stats().PendingBytes == 0 {
		t.Fatal("nothing waits for the slow reader")
	}
	for range n {
		p.want(0x82, message)
	}
	p.wantClosed(1000)
	eventually(t, func() error {
		if got := e.Stats(); got.PendingBytes != 0 || got.WebSockets != 0 || got.Open != 0 {
			return fmt.Errorf("pending %d, WebSockets %d, open %d, want 0", got.PendingBytes, got.WebSockets, got.Open)
		}
		return nil
	})
}

// A client that ends its half of the stream right behind its close frame, or
// without one, is answered as far as can be and let go.
func TestConformance_HalfClosedByTheClient(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, testLimits, nil)
	for name, tt := range map[string]struct {
		stream []byte
		want   CloseCode
	}{
		"behind close":      {frames(0x81, "last words", 0x88, string(closePayload(4001, ""))), 4001},
		"behind a message":  {frames(0x81, "last words"), CloseAbnormal},
		"behind a half one": {frames(0x81, "last words", 0x01, "a"), CloseAbnormal},
	} {
		p := dial(t, e, "/ws")
		p.send(tt.stream)
		if err := p.conn.CloseWrite(); err != nil {
			t.Fatalf("CloseWrite: %v", err)
		}
		if _, err := io.Copy(io.Discard, p.conn); err != nil {
			t.Errorf("%s: connection ended with %v, want EOF", name, err)
		}
		rec := receive(t, conns, "connection")
		if got := receive(t, rec.closed, "OnClose"); got != tt.want {
			t.Errorf("%s: OnClose(%d), want %d", name, got, tt.want)
		}
		if got := receive(t, rec.messages, "message"); string(got) != "last words" {
			t.Errorf("%s: message = %q", name, got)
		}
	}
}

func TestClose_HandshakeBegunByTheServer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer []byte // to our close frame
	}{
		"answered":                {masked(0x88, closePayload(4200, ""))},
		"answered otherwise":      {masked(0x88, closePayload(1000, ""))},
		"answered without a code": {masked(0x88, nil)},
		"answered behind data":    {frames(0x81, "too late", 0x89, "no pong", 0x88, "")},
		"answered wrongly":        {frames(0x83, "")},
		"not answered":            {nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			within := dropWithin
			e, conns := startRecorder(t, testLimits, func(c *Config) {
				if tt.answer == nil { // the others have time to answer
					c.CloseTimeout, within = time.Second, patience
				}
			})
			p, rec := connect(t, e, conns)
			rec.Close(CloseReason{4200, "shutting down"})
			rec.Close(CloseReason{4300, "again"}) // has no effect
			if err := rec.Send(NewFrame(OpText, []byte("late"))); !errors.Is(err, ErrClosed) {
				t.Errorf("Send after Close = %v, want ErrClosed", err)
			}
			p.want(0x88, closePayload(4200, "shutting down"))
			p.send(tt.answer)
			_ = p.conn.SetReadDeadline(time.Now().Add(within))
			if _, err := p.read(); !errors.Is(err, io.EOF) {
				t.Errorf("after the close frame: %v, want EOF", err)
			}
			_ = p.conn.Close()
			if got := receive(t, rec.closed, "OnClose"); got != 4200 {
				t.Errorf("OnClose(%d), want 4200", got)
			}
			if len(rec.messages) > 0 {
				t.Error("a message that came after Close was delivered")
			}
		})
	}
}
