package room

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"unsafe"

	"github.com/ginforge/gateway/engine"
)

// The benchmarks drive the workers from one goroutine, with connections that
// cost nothing, so they show what the hub itself takes for each recipient.

// nullConn takes everything and keeps nothing.
type nullConn struct{ sent int }

func (c *nullConn) Send(*engine.Frame) error { c.sent++; return nil }

func (c *nullConn) SendAll(frames []*engine.Frame, scratch []byte) ([]byte, error) {
	c.sent += len(frames)
	return scratch, nil
}

func (c *nullConn) Replay(frames []*engine.Frame, scratch []byte) ([]byte, error) {
	return c.SendAll(frames, scratch)
}

func (c *nullConn) Close(engine.CloseReason) {}
func (c *nullConn) CaughtUp() bool           { return true }

type nullDevice struct {
	Member
	conn nullConn
}

// crowd attaches n devices of as many users and joins all to keys.
func (w *world) crowd(n int, user func(i int) string, keys ...Key) []*nullDevice {
	devices := make([]*nullDevice, n)
	ignore := func(error) {}
	for i := range devices {
		d := &nullDevice{}
		d.Init(&d.conn, user(i), "name")
		w.Attach(&d.Member, ignore)
		for _, key := range keys {
			w.Join(&d.Member, key, false, ignore)
		}
		devices[i] = d
	}
	w.settle()
	return devices
}

// pump is settle for benchmarks: it reuses what it took.
type pump struct {
	w     *world
	batch [][]op
}

func newPump(w *world) *pump { return &pump{w, make([][]op, len(w.shards))} }

func (p *pump) run() {
	for i, s := range p.w.shards {
		if s.inbox.peek() > 0 {
			p.batch[i] = s.inbox.take(p.batch[i])
			s.work(p.batch[i])
		}
	}
}

// perRecipient reports the time for each of n recipients.
func perRecipient(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/recipient")
}

var sizes = []int{15, 150, 1500, 15000}

func BenchmarkHub_Deliver(b *testing.B) {
	for _, n := range sizes {
		for _, queued := range []int{1, 20} {
			b.Run(fmt.Sprintf("members=%d/queued=%d", n, queued), func(b *testing.B) {
				w := newWorld(b, nil)
				w.crowd(n, strconv.Itoa, Room("a"))
				p, frame := newPump(w), text("%0133d", 0)
				b.ReportAllocs()
				for b.Loop() {
					for range queued {
						w.Deliver(Room("a"), frame)
					}
					p.run()
				}
				perRecipient(b, n*queued)
			})
		}
	}
}

func BenchmarkHub_DeliverRooms(b *testing.B) {
	const rooms, members = 1000, 15
	for _, queued := range []int{1, rooms} {
		b.Run(fmt.Sprintf("rooms=%d/members=%d/queued=%d", rooms, members, queued), func(b *testing.B) {
			w := newWorld(b, nil)
			keys := make([]Key, rooms)
			for i := range keys {
				keys[i] = Room(strconv.Itoa(i))
				w.crowd(members, func(j int) string { return fmt.Sprint(i, "-", j) }, keys[i])
			}
			p, frame := newPump(w), text("%0133d", 0)
			b.ReportAllocs()
			next := 0
			for b.Loop() {
				for range queued {
					w.Deliver(keys[next%rooms], frame)
					next++
				}
				p.run()
			}
			perRecipient(b, members*queued)
		})
	}
}

func BenchmarkHub_DeliverUser(b *testing.B) {
	const users = 15000
	w := newWorld(b, nil)
	w.crowd(users, strconv.Itoa)
	keys := make([]Key, users)
	for i := range keys {
		keys[i] = User(strconv.Itoa(i))
	}
	p, frame := newPump(w), text("%0133d", 0)
	b.ReportAllocs()
	next := 0
	for b.Loop() {
		w.Deliver(keys[next%users], frame)
		next++
		p.run()
	}
}

func BenchmarkHub_JoinLeave(b *testing.B) {
	for _, n := range []int{0, 1500, 15000} {
		b.Run(fmt.Sprintf("others=%d", n), func(b *testing.B) {
			w := newWorld(b, nil)
			w.crowd(n, strconv.Itoa, Room("a"))
			d := &w.crowd(1, func(int) string { return "ann" })[0].Member
			p, done := newPump(w), func(error) {}
			b.ReportAllocs()
			for b.Loop() {
				w.Join(d, Room("a"), false, done)
				w.Leave(d, Room("a"), done)
				p.run()
				w.bus.log = w.bus.log[:0]
			}
		})
	}
}

func BenchmarkHub_AttachDetach(b *testing.B) {
	w := newWorld(b, func(c *Config) { c.Grace = 0 })
	w.crowd(15000, strconv.Itoa, Room("a"))
	p, done := newPump(w), func(error) {}
	b.ReportAllocs()
	for b.Loop() {
		d := &nullDevice{}
		d.Init(&d.conn, "ann", "Ann")
		w.Attach(&d.Member, done)
		w.Join(&d.Member, Room("a"), false, done)
		w.Detach(&d.Member)
		p.run()
		w.bus.log = w.bus.log[:0]
	}
}

// The heap that the tables take for one user with one device in one room of all,
// the application's own part (here a nullDevice and the pointer to it) not counted.
func BenchmarkHub_Memory(b *testing.B) {
	const n = 15000
	for b.Loop() {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = strconv.Itoa(i)
		}
		before := heap()
		w := newWorld(b, nil)
		devices := w.crowd(n, func(i int) string { return ids[i] }, Room("a"))
		w.bus.log, w.bus.wanted = nil, nil
		used := heap() - before
		runtime.KeepAlive(devices)
		own := unsafe.Sizeof(nullDevice{}) + unsafe.Sizeof(devices[0])
		b.ReportMetric(float64(used)/n-float64(own), "B/user")
		runtime.KeepAlive(w)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
