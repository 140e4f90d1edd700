package room

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ginforge/gateway/engine"
)

// log is the log of a room or user as this node knows it: how far its members
// have heard, and what came too early. It turns what Redis pushes, which may be
// lost, doubled or late, and what is read from the store into one sequence
// without a gap:
//
//	pushed ──► take ──┬─ the next one ──────────► advance ──► inboxes of the shards
//	                  ├─ heard before: dropped      ▲
//	                  └─ too early: held ──► read ──┘ absorb
//
// Everything that reaches members is put into the shards' inboxes under mu, and so
// is the admission of a new member with what it is replayed: what it is replayed
// ends exactly where what it hears begins.
//
// Nothing waits while it holds mu. It is taken before a bucket's mu, logs.mu and
// an inbox's, and never after them.
type log struct {
	logs *logs
	key  Key

	refs int    // guarded by logs.mu: shards with members, or users' lists
	idle uint32 // guarded by logs.mu: tick at which refs fell to 0

	stale atomic.Bool // nobody was here for a while: look at the store before admitting anybody
	// resumed: messages may have been lost, as the bus was disconnected.
	resumed atomic.Bool
	quiet   atomic.Uint32 // tick of the latest sign that pos is where the store is

	mu       sync.Mutex // guards the fields below
	gone     bool       // forgotten; a new log may have taken its place
	state    logState
	busy     bool     // a request is under way
	quietly  bool     // workers that sleep are woken by Hub.Flush
	failed   uint32   // requests that have failed in a row
	pos      Position // of the latest message that is in the shards' inboxes
	kept     ring     // the messages up to pos
	heard    uint64   // the newest offset of pos.Epoch that is known to exist
	early    early    // pushed, and behind a gap or of an epoch that is not known yet
	wanted   uint32   // counts what asks for a look at the store, whatever heard says
	looked   uint32   // wanted when the request was made that has looked last
	past     past     // being read, for those who want older messages than kept has
	mend     uint64   // with stateBehind: where the store's log ends
	joins    []*joining
	retry    uint32 // tick before which no request is made
	replayed uint32 // tick of the latest replay
}

type logState uint8

const (
	// stateNew: nothing is known, and nobody was admitted.
	stateNew logState = iota
	// stateKnown: pos is right.
	stateKnown
	// stateRenewed: the log has lost what members have not heard; they are told
	// once it is known where it goes on.
	stateRenewed
	// stateBehind: the store has lost messages that members have heard.
	stateBehind
)

// take brings a pushed message, and returns the shards that got something. It
// reports false when the log is forgotten.
func (l *log) take(epoch string, e Entry) (reached uint64, alive bool) {
	l.mu.Lock()
	if l.gone {
		l.mu.Unlock()
		return 0, false
	}
	l.quietly = true
	reached = l.takeLocked(epoch, e)
	l.quietly = false
	l.unlock()
	return reached, true
}

func (l *log) takeLocked(epoch string, e Entry) (reached uint64) {
	switch {
	case l.state != stateKnown:
		l.early.hold(epoch, e)
	case epoch != l.pos.Epoch:
		l.early.hold(epoch, e)
		l.look()
	case e.Offset <= l.pos.Offset:
		l.logs.stats.duplicates.Add(1)
	case e.Payload == "": // nothing but where the log ends
		l.heard = max(l.heard, e.Offset)
	case e.Offset > l.pos.Offset+1:
		l.logs.stats.early.Add(1)
		l.early.hold(epoch, e)
		l.heard = max(l.heard, e.Offset)
	default:
		l.quiet.Store(l.logs.now.Load())
		reached = l.advance(e) | l.drain()
	}
	return reached
}

// look has the store looked at, by a request that is made from now on. The caller
// holds mu.
func (l *log) look() { l.wanted++ }

// due reports whether the store is still to be looked at. The caller holds mu.
func (l *log) due() bool { return l.looked < l.wanted }

// unseen reports whether it is, or has messages that are still to be read. The
// caller holds mu.
func (l *log) unseen() bool { return l.due() || l.pos.Offset < l.heard }

// advance hands the next message to the shards. The caller holds mu.
func (l *log) advance(e Entry) (reached uint64) {
	k := l.keptOf(e)
	l.pos.Offset = e.Offset
	l.heard = max(l.heard, e.Offset)
	l.keep(e.Offset, k)
	if l.key.Kind == KindUser {
		l.missedBy(k.frame.Len())
	}
	return l.logs.push(l.key, k.frame, l.quietly)
}

// keptOf makes what is kept of an entry.
func (l *log) keptOf(e Entry) kept {
	return kept{l.logs.cfg.Frame(l.key, e.Offset, e.Payload), e.Token, e.Payload, l.logs.now.Load()}
}

// drain hands over what was too early and no longer is. The caller holds mu.
func (l *log) drain() (reached uint64) {
	if l.early.epoch != l.pos.Epoch {
		return 0
	}
	for len(l.early.entries) > 0 {
		e := l.early.entries[0]
		if e.Offset > l.pos.Offset+1 {
			break
		}
		l.early.drop()
		if e.Offset == l.pos.Offset+1 {
			reached |= l.advance(e)
		}
	}
	return reached
}

// unlock does what is due, releases mu, and makes the request that follows, if
// any.
func (l *log) unlock() {
	l.serve()
	r, due := l.next()
	l.mu.Unlock()
	if due {
		l.logs.start(l, r)
	}
	l.openInboxes()
}

// skipTo moves on to offset, since what is before it is lost, and tells members.
// The caller holds mu.
func (l *log) skipTo(offset uint64) (reached uint64) {
	l.logs.stats.lost.Add(1)
	l.clearKept()
	l.past = past{}
	l.pos.Offset = offset
	return l.logs.push(l.key, l.logs.cfg.Renewed(l.key, l.pos), false)
}

// keep remembers a message, and forgets older ones beyond the bounds, but never
// the latest: if the store loses it, it can be put back. The caller holds mu.
func (l *log) keep(offset uint64, k kept) {
	before := l.kept.bytes
	l.kept.push(offset, k)
	l.logs.keptBytes.Add(int64(l.kept.bytes - before))
	l.trim()
}

// What a log keeps in memory: as much as may be replayed while members ask for
// that, and little otherwise.
const (
	keptEntries   = 64
	keptBytes     = 128 << 10
	inboxEntries  = 8
	inboxBytes    = 16 << 10
	maxKeptBytes  = 128 << 20 // of all logs
	demandedTicks = 10        // how long after a replay more is kept
)

func (l *log) trim() {
	before := l.kept.bytes
	entries, bytes := keptEntries, keptBytes
	switch {
	case l.key.Kind == KindUser && len(l.joins) == 0:
		entries, bytes = inboxEntries, inboxBytes
	case l.key.Kind == KindRoom && l.demanded():
		entries, bytes = l.logs.cfg.Size(l.key), 3*l.logs.cfg.ReplayBytes
	}
	oldest := l.logs.now.Load() - ticks(l.logs.cfg.TTL(l.key))
	for r := &l.kept; len(r.entries) > 1 && (len(r.entries) > entries || r.bytes > bytes || int32(oldest-r.entries[0].since) > 0 ||
		l.logs.keptBytes.Load()-int64(before-r.bytes) > maxKeptBytes); {
		r.drop()
	}
	l.logs.keptBytes.Add(int64(l.kept.bytes - before))
}

// demanded reports whether members have lately been replayed something, or wait
// for it.
func (l *log) demanded() bool {
	return l.past.reading || l.replayed != 0 && l.logs.now.Load()-l.replayed <= demandedTicks
}

func (l *log) clearKept() {
	l.logs.keptBytes.Add(-int64(l.kept.bytes))
	l.kept = ring{}
}

// early is what was pushed and has to wait, bounded: what does not fit is read
// from the store like anything else that is missing. Of one epoch, the latest
// that was heard of.
type early struct {
	epoch   string
	entries []Entry // ascending
	bytes   int
}

const (
	maxEarlyEntries = 512
	maxEarlyBytes   = 1 << 20
)

func (e *early) hold(epoch string, x Entry) {
	if epoch != e.epoch {
		*e = early{epoch: strings.Clone(epoch)} // it may be a part of a whole message
	}
	i, held := slices.BinarySearchFunc(e.entries, x.Offset, func(x Entry, offset uint64) int {
		return cmp.Compare(x.Offset, offset)
	})
	if held || x.Payload == "" || len(e.entries) >= maxEarlyEntries || e.bytes+len(x.Payload) > maxEarlyBytes {
		return
	}
	e.entries = slices.Insert(e.entries, i, x)
	e.bytes += len(x.Payload)
}

// drop forgets the first.
func (e *early) drop() {
	e.bytes -= len(e.entries[0].Payload)
	e.entries[0] = Entry{}
	e.entries = e.entries[1:]
	if len(e.entries) == 0 {
		e.entries = nil
	}
}

// past is the messages that are being read from the store to be replayed, page by
// page, until they meet what is kept.
type past struct {
	reading bool
	next    uint64 // the next page is behind this offset
	ring    ring
	// floor is the least offset that can be replayed, as far as is known: what is
	// before it is no longer in the store, or too much to be replayed.
	floor uint64
}

// frames returns the frames of entries, and the bytes they take on the wire.
func frames(entries []kept) (frames []*engine.Frame, bytes int) {
	frames = make([]*engine.Frame, len(entries))
	for i, k := range entries {
		frames[i] = k.frame
		bytes += k.frame.Len()
	}
	return frames, bytes
}
