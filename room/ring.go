package room

import "github.com/ginforge/gateway/engine"

// kept is a message of a log in memory: as members get it, and as the store had
// it, to be put back there.
type kept struct {
	frame          *engine.Frame
	token, payload string
	since          uint32 // tick from which on it has been here
}

func (k kept) size() int { return k.frame.Len() + len(k.token) + len(k.payload) }

// ring is the latest messages of a log, without a hole. The zero ring is empty.
type ring struct {
	first   uint64 // offset of entries[0]
	entries []kept
	bytes   int // the size of all entries
}

// push adds the message behind the last; into an empty ring, any.
func (r *ring) push(offset uint64, k kept) {
	if len(r.entries) == 0 {
		r.first = offset
	}
	r.entries = append(r.entries, k)
	r.bytes += k.size()
}

// drop forgets the oldest message.
func (r *ring) drop() {
	r.bytes -= r.entries[0].size()
	r.entries[0] = kept{}
	r.entries = r.entries[1:]
	r.first++
}

// precede puts older messages, which end right before the ring's, in front.
func (r *ring) precede(older ring) {
	if len(older.entries) == 0 {
		return
	}
	r.first = older.first
	r.entries = append(older.entries[:len(older.entries):len(older.entries)], r.entries...)
	r.bytes += older.bytes
}

// after returns the messages behind offset, and whether the ring has all of them
// up to last.
func (r *ring) after(offset, last uint64) (entries []kept, all bool) {
	switch {
	case offset >= last:
		return nil, true
	case len(r.entries) == 0 || offset+1 < r.first:
		return nil, false
	}
	return r.entries[offset+1-r.first:], true
}
