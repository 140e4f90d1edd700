package engine

import (
	"fmt"
	"runtime"
	"testing"
)

// draining is a connection whose peer reads and drops everything.
func draining(t testing.TB, deflate bool) *recorder {
	t.Helper()
	e, conns := startRecorder(t, Limits{MessageBytes: 64 << 10, WriteBufferBytes: 1 << 30},
		func(c *Config) { c.Compression.Enabled = deflate })
	p := dial(t, e, "/ws", "Sec-WebSocket-Extensions: permessage-deflate")
	rec := receive(t, conns, "connection")
	go func() {
		buf := make([]byte, 1<<20)
		for {
			if _, err := p.conn.Read(buf); err != nil {
				return
			}
		}
	}()
	return rec
}

// discard is a frameSink that does nothing.
type discard struct{}

func (*discard) message(Opcode, bool, bool, []byte) error { return nil }
func (*discard) control(Opcode, []byte) error             { return nil }

func BenchmarkUnmask(b *testing.B) {
	for _, size := range []int{16, 125, 1024, 64 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			buf := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				unmask(buf, [4]byte{1, 2, 3, 4}, 0)
			}
		})
	}
}

func BenchmarkReadFrames(b *testing.B) {
	for _, size := range []int{16, 133, 1024, 16 << 10} {
		frame := masked(0x82, filled(size)) // binary: what is unmasked twice is no text
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) { benchmarkReadFrames(b, frame, len(frame)) })
	}
	frame := masked(0x82, filled(1024))
	b.Run("size=1024/in-two-pieces", func(b *testing.B) { benchmarkReadFrames(b, frame, 300) })
}

func benchmarkReadFrames(b *testing.B, frame []byte, cut int) {
	lim := readLimits{messageBytes: 64 << 10}
	sink := &discard{}
	var in *partial
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		for _, piece := range [][]byte{frame[:cut], frame[cut:]} {
			if err := readFrames(&in, piece, lim, sink); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// sendPaced sends, and waits when a megabyte does: what costs is to bring bytes to
// the peer.
func (r *recorder) sendPaced(b *testing.B, f *Frame) {
	for r.ep.engine.stats.pending.Load() > 1<<20 {
		runtime.Gosched()
	}
	if err := r.Send(f); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkConn_Send writes a shared frame to a peer that reads all the time: what
// it measures above all is write(2).
func BenchmarkConn_Send(b *testing.B) {
	for _, size := range []int{16, 133, 1024, 16 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			rec := draining(b, false)
			f := NewFrame(OpText, filled(size))
			b.SetBytes(int64(f.Len()))
			b.ReportAllocs()
			for b.Loop() {
				rec.sendPaced(b, f)
			}
		})
	}
	b.Run("size=133/joined=20", func(b *testing.B) {
		rec := draining(b, false)
		var parts []*Frame
		for range 20 {
			parts = append(parts, NewFrame(OpText, filled(133)))
		}
		f := Join(parts)
		b.SetBytes(int64(f.Len()))
		b.ReportAllocs()
		for b.Loop() {
			rec.sendPaced(b, f)
		}
	})
}

func BenchmarkDeflate(b *testing.B) {
	d := newDeflater(Compression{Level: 1})
	for _, size := range []int{300, 4096, 64 << 10} {
		payload := testText(size)
		body := deflated(b, 6, payload)
		b.Run(fmt.Sprintf("encode/size=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				d.encode(&Frame{op: OpText, payload: payload})
			}
		})
		b.Run(fmt.Sprintf("inflate/size=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.inflate(body, 64<<10, func([]byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
