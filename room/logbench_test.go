package room

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/ginforge/gateway/engine"
)

// logCrowd is a world with n members of a log.
func logCrowd(b *testing.B, n int) *logWorld {
	w := newLogWorld(b, nil)
	frame := text("%0133d", 0)
	w.logs.cfg.Frame = func(Key, uint64, string) *engine.Frame { return frame }
	for i := range n {
		d := &nullDevice{}
		d.Init(&d.conn, strconv.Itoa(i), "name")
		w.Attach(&d.Member, func(error) {})
		w.JoinLog(&d.Member, logged, false, nil, func(Admission, error) {})
	}
	w.settle()
	return w
}

// What the log adds to BenchmarkHub_Deliver.
func BenchmarkHub_DeliverLog(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			w := logCrowd(b, n)
			p := newPump(w.world)
			offset := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				offset++
				w.DeliverLog(logged, "e1", Entry{Offset: offset, Payload: "x"})
				p.run()
			}
			perRecipient(b, n)
		})
	}
}

// A herd that comes back to a room, each with 50 messages to be replayed.
func BenchmarkHub_Replay(b *testing.B) {
	const herd, missed = 500, 50
	w := logCrowd(b, 1)
	p := newPump(w.world)
	for i := range uint64(missed) {
		w.DeliverLog(logged, "e1", Entry{Offset: i + 1, Payload: "x"})
	}
	p.run()
	devices := w.crowd(herd, strconv.Itoa)
	b.ReportAllocs()
	for b.Loop() {
		for _, d := range devices {
			w.JoinLog(&d.Member, logged, false, &Position{Epoch: "e1"}, func(Admission, error) {})
		}
		p.run()
		p.run()
	}
	perRecipient(b, herd)
}
