package engine

import (
	"sync"
	"time"
)

// backlog is what waits for a peer that does not keep up: the shared frames
// themselves, so that a thousand stalled readers of one room hold its messages
// once. It exists while there is something in it. What the socket has cut short,
// the rest of one frame, waits in nbio, and control frames join it there, in
// front of the backlog.
//
// Guarded by the connection's wmu.
type backlog struct {
	conn    *Conn
	frames  []*Frame // from head on; nil where one was dropped
	head    int
	dropped int // nils from head on
	bytes   int // of the frames on the wire
	fading  int // frames of ClassDrop

	// crowded is whether more than half of what may wait does, or did a short time
	// ago; latest is where the frames of ClassLatest are, by key, while it is.
	crowded bool
	latest  map[uint64]int
}

var backlogs = sync.Pool{New: func() any { return new(backlog) }}

// keptBacklog is how many frames' places a backlog keeps when it is used again.
const keptBacklog = 256

func newBacklog(c *Conn) *backlog {
	b := backlogs.Get().(*backlog)
	b.conn = c
	return b
}

// free gives an empty backlog back.
func (b *backlog) free() {
	frames := b.frames[:0]
	if cap(frames) > keptBacklog {
		frames = nil
	}
	*b = backlog{frames: frames}
	backlogs.Put(b)
}

// waiting is everything that waits for the peer, what nbio has included.
func (b *backlog) waiting() int { return b.bytes + int(b.conn.pending.Load()) }

// add queues a frame, and drops others for it if it must and may. It reports
// whether there was room for it, or it was of no use any more. What is exempt is
// let in in any case.
func (b *backlog) add(f *Frame, exempt bool) bool {
	limit := b.conn.writeLimit()
	if b.crowded && f.class == ClassLatest {
		if at, ok := b.latest[f.key]; ok {
			b.drop(at, lostSuperseded)
		}
		b.latest[f.key] = len(b.frames)
	}
	b.push(f)
	b.conn.tellOf(f, FateWaits)
	if !b.crowded && b.waiting() > limit/2 {
		b.crowd()
	}
	if !exempt && b.waiting() > limit && !b.makeRoom(limit) && b.frames[len(b.frames)-1] != nil {
		b.unpush()
		return false
	}
	if b.dropped > len(b.frames)/2 && len(b.frames) > keptFrames {
		b.compact()
	}
	return true
}

// keptFrames is how many places are not worth compacting.
const keptFrames = 64

func (b *backlog) push(f *Frame) {
	b.frames = append(b.frames, f)
	b.count(f, 1)
}

// unpush takes back the frame that was added last.
func (b *backlog) unpush() {
	last := len(b.frames) - 1
	f := b.frames[last]
	b.frames[last] = nil
	b.frames = b.frames[:last]
	if b.latest[f.key] == last && f.class == ClassLatest {
		delete(b.latest, f.key)
	}
	b.count(f, -1)
}

// count notes that f is there, or no more.
func (b *backlog) count(f *Frame, by int) {
	n := by * len(b.conn.wire(f))
	b.bytes += n
	b.conn.ep.engine.stats.pending.Add(int64(n))
	if f.class == ClassDrop {
		b.fading += by
	}
}

// drop removes the frame at a place.
func (b *backlog) drop(at int, why int) {
	f := b.frames[at]
	b.frames[at] = nil
	b.dropped++
	b.count(f, -1)
	b.conn.ep.engine.stats.lost(f.class, why, 1)
	b.conn.tellOf(f, lostAs(why))
}

// crowd begins to hold frames to their classes, those in the backlog first.
func (b *backlog) crowd() {
	b.crowded = true
	b.latest = map[uint64]int{}
	b.conn.ep.engine.stats.crowded.Add(1)
	b.conn.ep.engine.stats.crowdings.Add(1)
	b.conn.ep.engine.slow.enter(b.conn)
	for i := b.head; i < len(b.frames); i++ {
		f := b.frames[i]
		if f == nil || f.class != ClassLatest {
			continue
		}
		if at, ok := b.latest[f.key]; ok {
			b.drop(at, lostSuperseded)
		}
		b.latest[f.key] = i
	}
	b.expire()
}

// uncrowd ends it.
func (b *backlog) uncrowd() {
	if b.crowded {
		b.crowded, b.latest = false, nil
		b.conn.ep.engine.slow.leave(b.conn)
		b.conn.ep.engine.stats.crowded.Add(-1)
	}
}

// expire drops what has become too old.
func (b *backlog) expire() {
	if b.fading == 0 {
		return
	}
	now := sinceStart()
	for i := b.head; i < len(b.frames) && b.fading > 0; i++ {
		if f := b.frames[i]; f != nil && f.expired(now) {
			b.drop(i, lostExpired)
		}
	}
}

func (f *Frame) expired(now time.Duration) bool { return f.class == ClassDrop && f.dies <= now }

// makeRoom drops frames of ClassDrop, those that are too old first and then the
// oldest, until an eighth of limit is free: the next frames need not look for them
// again. It reports whether no more than limit waits.
func (b *backlog) makeRoom(limit int) bool {
	b.expire()
	for i := b.head; i < len(b.frames) && b.fading > 0 && b.waiting() > limit-limit/8; i++ {
		if f := b.frames[i]; f != nil && f.class == ClassDrop {
			b.drop(i, lostEvicted)
		}
	}
	return b.waiting() <= limit
}

// own queues a copy of what is encoded for this peer alone, behind everything
// else. It reports whether there was room.
func (b *backlog) own(text []byte, exempt bool) bool {
	limit := b.conn.writeLimit()
	if !exempt && b.waiting()+len(text) > limit && !b.makeRoom(limit-len(text)) {
		return false
	}
	if last := len(b.frames) - 1; last >= b.head && b.frames[last] != nil && b.frames[last].class == classOwn &&
		len(b.frames[last].plain)+len(text) <= maxOwn {
		f := b.frames[last]
		f.plain = append(f.plain, text...)
		b.bytes += len(text)
		b.conn.ep.engine.stats.pending.Add(int64(len(text)))
		return true
	}
	b.push(&Frame{plain: append([]byte(nil), text...), class: classOwn})
	return true
}

// maxOwn bounds the answers that are kept together, since a frame for each would
// take more memory than the answer.
const maxOwn = 4 << 10

// gather appends the first frames to dst, up to max bytes or one frame, without
// those that are too old by now. They stay until they are taken.
func (b *backlog) gather(dst []byte, most int) []byte {
	if b.crowded {
		b.expire()
	}
	for _, f := range b.frames[b.head:] {
		if f == nil {
			continue
		}
		w := b.conn.wire(f)
		if len(dst) > 0 && len(dst)+len(w) > most {
			break
		}
		dst = append(dst, w...)
	}
	return dst
}

// empty reports whether there is nothing.
func (b *backlog) empty() bool { return b.head+b.dropped == len(b.frames) }

// take removes the first frame, which there must be.
func (b *backlog) take() *Frame {
	for b.frames[b.head] == nil {
		b.head++
		b.dropped--
	}
	f := b.frames[b.head]
	if f.class == ClassLatest && b.latest[f.key] == b.head {
		delete(b.latest, f.key)
	}
	b.frames[b.head] = nil
	b.head++
	b.count(f, -1)
	if b.crowded && b.waiting() < b.conn.writeLimit()/4 {
		b.uncrowd()
	}
	if b.head > keptFrames && b.head > len(b.frames)/2 {
		b.compact()
	}
	return f
}

// compact removes the places in which there is nothing.
func (b *backlog) compact() {
	kept := b.frames[:0]
	for _, f := range b.frames[b.head:] {
		if f == nil {
			continue
		}
		if b.crowded && f.class == ClassLatest {
			b.latest[f.key] = len(kept)
		}
		kept = append(kept, f)
	}
	clear(b.frames[len(kept):])
	b.frames, b.head, b.dropped = kept, 0, 0
}

// writeOff empties the backlog of a connection that has ended.
func (b *backlog) writeOff() {
	for i := b.head; i < len(b.frames); i++ {
		if f := b.frames[i]; f != nil {
			b.drop(i, lostGone)
		}
	}
	clear(b.frames)
	b.uncrowd()
}
