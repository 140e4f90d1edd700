//go:build !race

package engine

import "testing"

// allocsPer is testing.AllocsPerRun over so many runs that what other goroutines
// allocate now and then does not count.
func allocsPer(f func()) float64 { return testing.AllocsPerRun(1000, f) }

// ignore is a Handler that allocates nothing.
type ignore struct{ Conn }

func (*ignore) OnMessage(Opcode, []byte) {}
func (*ignore) OnSlow()                  {}
func (*ignore) OnCaughtUp()              {}
func (*ignore) OnDeadline()              {}
func (*ignore) OnClose(CloseCode)        {}

// Not parallel, as all tests here: they count the allocations of the process.
func TestAllocs_FrameInIsFree(t *testing.T) {
	e := startEcho(t, nil)
	c := &ignore{}
	c.ep, c.handler = e.NewEndpoint(testLimits), c
	for name, frame := range map[string][]byte{
		"small text":     masked(0x81, []byte("hello")),
		"text of 60 KB":  masked(0x81, filled(60_000)),
		"pong":           masked(0x8A, []byte("x")),
		"three in a row": frames(0x81, "a", 0x82, "b", 0x81, "c"),
	} {
		buf := make([]byte, len(frame))
		got := allocsPer(func() {
			copy(buf, frame)
			c.feed(buf)
		})
		if got != 0 || c.has(flagDiscard) {
			t.Errorf("%s: %v allocations, want 0", name, got)
		}
	}
}

func TestAllocs_SendIsFree(t *testing.T) {
	for name, deflate := range map[string]bool{"plain": false, "deflate": true} {
		rec := draining(t, deflate)
		shared := NewFrame(OpText, filled(500))
		both := []*Frame{shared, shared}
		payload := filled(200)
		var scratch []byte
		for what, send := range map[string]func() error{
			"Send":     func() error { return rec.Send(shared) },
			"SendText": func() error { return rec.SendText(payload) },
			"SendAll":  func() (err error) { scratch, err = rec.SendAll(both, scratch); return err },
			"ping":     func() error { rec.ping(); return nil },
			"pong":     func() error { return rec.pong(payload[:5]) },
		} {
			got := allocsPer(func() {
				if err := send(); err != nil {
					t.Fatalf("%s, %s: %v", name, what, err)
				}
			})
			if got != 0 {
				t.Errorf("%s, %s: %v allocations, want 0", name, what, got)
			}
		}
	}
}

// Bytes that arrive in pieces cost their buffer, and nothing once it is complete.
func TestAllocs_PartialMessageIsDropped(t *testing.T) {
	frame := masked(0x81, filled(1000))
	buf := make([]byte, len(frame))
	var in *partial
	sink := &discard{}
	got := allocsPer(func() {
		copy(buf, frame)
		if err := readFrames(&in, buf[:300], testReadLimits, sink); err != nil {
			t.Fatalf("readFrames: %v", err)
		}
		if err := readFrames(&in, buf[300:], testReadLimits, sink); err != nil || in != nil {
			t.Fatalf("readFrames = %v, state %v", err, in)
		}
	})
	if got > 4 {
		t.Errorf("%v allocations for a message in two pieces, want at most 4", got)
	}
}
