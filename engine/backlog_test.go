package engine

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// stalled is a connection without a socket whose peer reads nothing.
func stalled(limit int) *Conn {
	return &Conn{ep: &Endpoint{engine: &Engine{}, limits: Limits{WriteBufferBytes: limit}}}
}

// sized is a message whose text says what it is, of 100 bytes on the wire.
func sized(format string, args ...any) *Frame {
	return NewFrame(OpText, fmt.Appendf(nil, "%-98s", fmt.Sprintf(format, args...)))
}

// texts takes everything that waits.
func texts(b *backlog) (list []string) {
	if b.crowded {
		b.expire()
	}
	for !b.empty() {
		list = append(list, strings.TrimSpace(string(b.take().plain[2:])))
	}
	return list
}

func want(t *testing.T, b *backlog, texts_ ...string) {
	t.Helper()
	if got := texts(b); !slices.Equal(got, texts_) {
		t.Errorf("what waits is\n\t%q\nwant\n\t%q", got, texts_)
	}
	if s := &b.conn.ep.engine.stats; b.bytes != 0 || b.fading != 0 || b.dropped != 0 || len(b.latest) != 0 || s.pending.Load() != 0 || s.crowded.Load() != 0 || len(b.conn.ep.engine.slow.since) != 0 {
		t.Errorf("when nothing waits there are %d bytes, %d fading, %d dropped, %d latest, %d in sum, %d crowded, %d slow",
			b.bytes, b.fading, b.dropped, len(b.latest), s.pending.Load(), s.crowded.Load(), len(b.conn.ep.engine.slow.since))
	}
}

func (c *Conn) losses(class Class, why int) uint64 {
	return c.ep.engine.stats.losses[class][why].Load()
}

// Below half of the limit everything waits in order, whatever its class.
func TestBacklog_BelowHalf(t *testing.T) {
	b := newBacklog(stalled(1000))
	b.add(sized("a1").Latest(1), false)
	b.add(sized("a2").Latest(1), false)
	b.add(sized("old").DropAfter(0), false)
	b.add(sized("must"), false)
	want(t, b, "a1", "a2", "old", "must")
}

// Above half, only the latest of each key waits, also of those that came before.
func TestBacklog_LatestPerKey(t *testing.T) {
	c := stalled(1000)
	b := newBacklog(c)
	for n := range 4 {
		b.add(sized("a%d", n).Latest(1), false)
		b.add(sized("must%d", n), false)
	}
	for n := range 1000 {
		if !b.add(sized("b%d", n).Latest(2), false) {
			t.Fatalf("b%d is refused", n)
		}
	}
	b.add(sized("a9").Latest(1), false)
	if len(b.frames) > 4*keptFrames {
		t.Errorf("there are %d places for 6 frames", len(b.frames))
	}
	want(t, b, "must0", "must1", "must2", "must3", "b999", "a9")
	if n := c.losses(ClassLatest, lostSuperseded); n != 999+4 {
		t.Errorf("%d were superseded, want 1003", n)
	}
}

func TestBacklog_DropsWhatIsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := stalled(1000)
		b := newBacklog(c)
		b.add(sized("short").DropAfter(time.Second), false)
		b.add(sized("long").DropAfter(time.Minute), false)
		time.Sleep(2 * time.Second)
		for n := range 4 {
			b.add(sized("must%d", n), false)
		}
		if n := c.losses(ClassDrop, lostExpired); n != 1 {
			t.Errorf("%d have expired above half, want 1", n)
		}
		time.Sleep(time.Minute)
		want(t, b, "must0", "must1", "must2", "must3")
	})
}

// What must arrive takes the place of what may be dropped, the oldest first, and
// is refused when there is nothing of that left.
func TestBacklog_MakesRoomForWhatMustArrive(t *testing.T) {
	c := stalled(1000)
	b := newBacklog(c)
	for n := range 10 {
		b.add(sized("drop%d", n).DropAfter(time.Hour), false)
	}
	b.add(sized("must0"), false)
	if n := c.losses(ClassDrop, lostEvicted); n != 3 {
		t.Errorf("%d were evicted, want 3: what is needed, and an eighth of the limit", n)
	}
	for n := range 9 {
		if !b.add(sized("must%d", n+1), false) {
			t.Fatalf("must%d is refused though there is something to drop", n+1)
		}
	}
	if b.add(sized("must"), false) || b.add(sized("state").Latest(1), false) || b.own(make([]byte, 10), false) {
		t.Error("more is let in than the limit")
	}
	if !b.add(sized("drop").DropAfter(time.Hour), false) {
		t.Error("a frame that may be dropped is refused, want it dropped")
	}
	if !b.own([]byte("xxclose"), true) {
		t.Error("what is exempt is refused")
	}
	want(t, b, "must0", "must1", "must2", "must3", "must4", "must5", "must6", "must7", "must8", "must9", "close")
}

// Answers of one peer are kept together, in their place among the others.
func TestBacklog_Own(t *testing.T) {
	b := newBacklog(stalled(1 << 20))
	for range 1000 {
		b.own([]byte("12345678"), false)
	}
	b.add(sized("must"), false)
	b.own([]byte("xxanswer"), false)
	if n := len(b.frames); n > 2+8000/maxOwn+1 {
		t.Errorf("1000 answers take %d frames", n)
	}
	if b.bytes != 8108 {
		t.Errorf("%d bytes wait, want 8108", b.bytes)
	}
	got := texts(b)
	if strings.Join(got[:len(got)-2], "") != strings.Repeat("12345678", 1000)[2:] && got[len(got)-2] != "must" || got[len(got)-1] != "answer" {
		t.Errorf("what waits ends with %q, want the answers, must, answer", got[len(got)-2:])
	}
}

func TestBacklog_WriteOff(t *testing.T) {
	c := stalled(1000)
	b := newBacklog(c)
	for n := range 8 {
		b.add(sized("must%d", n), false)
	}
	b.take()
	b.writeOff()
	if s := &c.ep.engine.stats; s.pending.Load() != 0 || s.crowded.Load() != 0 || c.losses(ClassMust, lostGone) != 7 {
		t.Errorf("%d bytes wait, %d are crowded, %d were lost; want 0, 0, 7", s.pending.Load(), s.crowded.Load(), c.losses(ClassMust, lostGone))
	}
}

// TestBacklog_Model adds and takes at random, and looks at what must always hold:
// what must arrive does, in order; nothing arrives twice; of a key the latest
// arrives last; no more waits than may.
func TestBacklog_Model(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		limit := 1000 + rnd.IntN(20_000)
		c := stalled(limit)
		b := newBacklog(c)
		var musts, gotMusts []string
		latest, gotLatest, seen := map[string]string{}, map[string]string{}, map[string]bool{}
		take := func() {
			text := strings.TrimSpace(string(b.take().plain[2:]))
			if seen[text] {
				t.Fatalf("seed %d: %s arrives twice", seed, text)
			}
			seen[text] = true
			switch text[0] {
			case 'm':
				gotMusts = append(gotMusts, text)
			case 'k':
				gotLatest[text[:2]] = text
			}
		}
		for n := range 2000 {
			switch rnd.IntN(7) {
			case 0, 1:
				if text := fmt.Sprint("m", n); b.add(sized("%s", text), false) {
					musts = append(musts, text)
				}
			case 2, 3:
				k := rnd.IntN(5)
				if text := fmt.Sprintf("k%d-%d", k, n); b.add(sized("%s", text).Latest(uint64(k)), false) {
					latest[text[:2]] = text
				} else {
					delete(latest, text[:2]) // the connection would be closed
				}
			case 4:
				if !b.add(sized("d%d", n).DropAfter(time.Hour), false) {
					t.Fatalf("seed %d: what may be dropped is refused", seed)
				}
			default:
				for range rnd.IntN(4) {
					if !b.empty() {
						take()
					}
				}
			}
			if b.bytes > limit || b.bytes < 0 || b.bytes%100 != 0 {
				t.Fatalf("seed %d: %d bytes wait, the limit is %d", seed, b.bytes, limit)
			}
		}
		for !b.empty() {
			take()
		}
		if !slices.Equal(musts, gotMusts) {
			t.Fatalf("seed %d: of what must arrive %d came, want %d in order", seed, len(gotMusts), len(musts))
		}
		for k, text := range latest {
			if gotLatest[k] != text {
				t.Fatalf("seed %d: the last of %s is %q, want %q", seed, k, gotLatest[k], text)
			}
		}
		want(t, b)
	}
}

// A stalled reader that reads again gets all that must arrive, in order, and of
// everything else the latest.
func TestSend_StalledReaderGetsTheLatest(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, Limits{MessageBytes: 1000, WriteBufferBytes: 1 << 20}, nil)
	p, rec := connect(t, e, conns)
	const keys, size = 4, 1000
	fill := 0
	for ; rec.waitingNow() < 1<<18; fill++ { // it must be behind
		if err := rec.Send(numbered(fill, size)); err != nil {
			t.Fatalf("Send %d: %v", fill, err)
		}
	}
	const rounds = 20_000
	must := fill
	for n := range rounds {
		frames := []*Frame{numbered(1_000_000+n, size).Latest(uint64(n % keys))}
		if n%100 == 0 {
			frames = append(frames, numbered(must, size))
			must++
		}
		if err := rec.Send(Join(frames)); err != nil {
			t.Fatalf("round %d: %v", n, err)
		}
	}
	if s := e.Stats(); s.Behind != 1 || s.Crowded != 1 || s.PendingBytes > 1<<20 {
		t.Errorf("%d are behind, %d crowded, %d bytes wait; want 1, 1 and less than the limit", s.Behind, s.Crowded, s.PendingBytes)
	}
	if slow := e.Slow(9); len(slow) != 1 || slow[0].Handler != Handler(rec) || slow[0].Bytes < 1<<18 || slow[0].Bytes > 1<<20 || time.Since(slow[0].Since) < 0 {
		t.Errorf("slow are %+v, want this connection", slow)
	}
	next, states := 0, []int{}
	for next < must || len(states) < keys || states[len(states)-1] != rounds-1 {
		f, err := p.read()
		if err != nil {
			t.Fatalf("after %d frames and the states %v: %v", next, states, err)
		}
		n := int(f.payload[0])<<24 | int(f.payload[1])<<16 | int(f.payload[2])<<8 | int(f.payload[3])
		switch {
		case n >= 1_000_000:
			states = append(states, n-1_000_000)
		case n != next:
			t.Fatalf("frame %d came, want %d", n, next)
		default:
			next++
		}
	}
	if len(states) > 2000 {
		t.Errorf("%d of %d states came, want the latest, and those from before it was crowded", len(states), rounds)
	}
	if tail := states[len(states)-keys:]; !slices.Equal(tail, []int{rounds - 4, rounds - 3, rounds - 2, rounds - 1}) {
		t.Errorf("the last states are %v, want those of the last %d rounds", tail, keys)
	}
	eventually(t, func() error {
		if s := e.Stats(); s.Behind != 0 || s.Crowded != 0 || s.PendingBytes != 0 {
			return fmt.Errorf("%d are behind, %d crowded, %d bytes wait after all was read", s.Behind, s.Crowded, s.PendingBytes)
		}
		if slow := e.Slow(9); len(slow) != 0 {
			return fmt.Errorf("slow are %+v after all was read", slow)
		}
		return nil
	})
}

// Readers that stall share what waits for them.
func TestSend_StalledReadersShareFrames(t *testing.T) {
	e, conns := startRecorder(t, Limits{MessageBytes: 1000, WriteBufferBytes: 1 << 20}, nil)
	const readers, size = 50, 10_000
	recs := make([]*recorder, readers)
	for i := range recs {
		_, recs[i] = connect(t, e, conns)
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for n := 0; e.Stats().PendingBytes < readers*800_000; n++ {
		f := numbered(n, size)
		for _, rec := range recs {
			_ = rec.Send(f) // ErrSlow when one's socket took less than others'
		}
	}
	waits, grew := e.Stats().PendingBytes, heap()-before
	t.Logf("%d bytes wait for %d readers, in %d bytes of heap", waits, readers, grew)
	if grew > waits/8 {
		t.Errorf("the heap grew by %d bytes for %d that wait, want little", grew, waits)
	}
}

func TestSlowLog(t *testing.T) {
	var out strings.Builder
	log, s, l := zerolog.New(&out), &counters{}, slowLog{ticks: slowEvery}
	lines := func() int { return strings.Count(out.String(), "\n") }
	l.tick(log, s)
	if lines() != 0 {
		t.Errorf("a line though nobody is slow: %s", out.String())
	}
	for range 3 * slowEvery {
		s.crowdings.Add(5)
		l.tick(log, s)
	}
	if lines() != 3 {
		t.Errorf("%d lines in %d seconds, want one in %d:\n%s", lines(), 3*slowEvery, slowEvery, out.String())
	}
}
