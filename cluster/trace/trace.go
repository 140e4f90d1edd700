// Package trace records what becomes of single messages on a node: where they came
// in, which place they got, and which sockets they were written to. A message is
// known by the id in its envelope, which whoever looks for it names before it is
// published. While nobody does, that costs one atomic load for each message.
package trace

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of a Recorder.
const (
	TTL        = time.Minute // after which nothing more is recorded of a message
	KeptFor    = 5 * TTL     // after which what was recorded is forgotten
	MaxArmed   = 16          // messages at a time
	MaxEvents  = 512         // of a message; further ones are counted
	MinIDBytes = 4
	MaxIDBytes = 128
)

var (
	// ErrID is returned for an id that cannot be looked for.
	ErrID = errors.New("trace: an id is 4 to 128 bytes without quotes, backslashes and control characters")
	// ErrTooMany is returned when MaxArmed messages are looked for already.
	ErrTooMany = errors.New("trace: too many messages are looked for")
)

// Stage is a point in the way of a message.
type Stage string

// Stages, in the order in which a message passes them.
const (
	Ingress  Stage = "ingress"  // the gateway has got it, Via something
	Appended Stage = "appended" // it has a place in a log
	Received Stage = "received" // a node that has recipients has got it from Redis
	Waits    Stage = "waits"    // a socket did not take it yet
	Written  Stage = "written"  // a socket has taken it
	Dropped  Stage = "dropped"  // it will not be written to a socket, for Reason
	Acked    Stage = "acked"    // a device has confirmed it
)

// Event is one thing that happened to a message.
type Event struct {
	At      int64  `json:"at"` // Unix time in microseconds, by the node's clock
	Node    string `json:"node"`
	Stage   Stage  `json:"stage"`
	Via     string `json:"via,omitempty"` // of Ingress: publish, xadd, api, frame
	Channel string `json:"channel,omitempty"`
	Epoch   string `json:"epoch,omitempty"`
	Offset  uint64 `json:"offset,omitempty"`
	User    string `json:"user_id,omitempty"`
	Device  string `json:"device_id,omitempty"`
	Client  string `json:"client_id,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// Report is what is known of a message.
type Report struct {
	ID     string    `json:"id"`
	Until  time.Time `json:"until"`  // when recording ends, or has ended
	Events []Event   `json:"events"` // in the order of their times
	// Skipped counts events beyond MaxEvents, by stage.
	Skipped map[Stage]uint64 `json:"skipped,omitempty"`
}

// Recorder is a node's. Its methods may be called from any goroutine.
type Recorder struct {
	node string
	now  func() time.Time
	idOf func(payload string) string

	armed atomic.Int32 // how many messages are looked for, or were lately

	mu     sync.Mutex // guards the fields below
	traces map[string]*record
}

// record is what is known of one message.
type record struct {
	quoted  string // the id as it stands in JSON
	until   time.Time
	events  []Event
	skipped map[Stage]uint64
}

// New makes the Recorder of a node. now is the time, time.Now but in tests. idOf
// reads the id of a payload's envelope, "" when it has none; it is called, from any
// goroutine, only for payloads that may be what is looked for.
func New(node string, now func() time.Time, idOf func(payload string) string) *Recorder {
	return &Recorder{node: node, now: now, idOf: idOf, traces: map[string]*record{}}
}

// Arm begins to look for a message, or looks for it longer, for TTL. It returns
// ErrID or ErrTooMany.
func (r *Recorder) Arm(id string) (until time.Time, err error) {
	return r.ArmUntil(id, r.now().Add(TTL))
}

// ArmUntil is Arm until a time, but for TTL at most: a node joins those that look
// for the message already. It never ends a search sooner than it would end.
func (r *Recorder) ArmUntil(id string, end time.Time) (until time.Time, err error) {
	if err := CheckID(id); err != nil {
		return time.Time{}, err
	}
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	t := r.traces[id]
	if t == nil {
		if r.live(now) >= MaxArmed {
			return time.Time{}, fmt.Errorf("%w: %d", ErrTooMany, MaxArmed)
		}
		t = &record{quoted: `"` + id + `"`}
		r.traces[id] = t
	}
	if latest := now.Add(TTL); end.After(latest) {
		end = latest
	}
	if end.After(t.until) {
		t.until = end
	}
	r.armed.Store(int32(len(r.traces))) //nolint:gosec // few
	return t.until, nil
}

// live counts the messages that are looked for. The caller holds mu.
func (r *Recorder) live(now time.Time) (n int) {
	for _, t := range r.traces {
		if now.Before(t.until) {
			n++
		}
	}
	return n
}

// CheckID returns ErrID for an id that cannot be looked for.
func CheckID(id string) error {
	if len(id) < MinIDBytes || len(id) > MaxIDBytes ||
		strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c == '"' || c == '\\' || c == 0x7f }) {
		return ErrID
	}
	return nil
}

// forget drops what is old. The caller holds mu.
func (r *Recorder) forget(now time.Time) {
	for id, t := range r.traces {
		if now.Sub(t.until) > KeptFor-TTL {
			delete(r.traces, id)
		}
	}
	if len(r.traces) > 2*MaxArmed { // of many that are over, the oldest
		over := slices.SortedFunc(maps.Keys(r.traces), func(a, b string) int { return r.traces[a].until.Compare(r.traces[b].until) })
		for _, id := range over[:len(over)-2*MaxArmed] {
			delete(r.traces, id)
		}
	}
	r.armed.Store(int32(len(r.traces))) //nolint:gosec // few
}

// Find returns the id of a message that is looked for, when the payload is that
// message; "" otherwise. With nothing to look for it costs one atomic load.
func (r *Recorder) Find(payload string) string {
	if !r.Armed() {
		return ""
	}
	return r.find(payload)
}

// FindBytes is Find.
func (r *Recorder) FindBytes(payload []byte) string {
	if !r.Armed() {
		return ""
	}
	return r.find(string(payload))
}

// Armed reports whether anything is looked for, or was lately.
func (r *Recorder) Armed() bool { return r.armed.Load() != 0 }

func (r *Recorder) find(payload string) string {
	now := r.now()
	if !r.mayBe(payload, now) {
		return ""
	}
	id := r.idOf(payload)
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.traces[id]; t == nil || !now.Before(t.until) {
		return ""
	}
	return id
}

// mayBe reports whether a payload has the id of a message that is looked for, at
// whatever place, or text that is escaped, in which an id may be too. Most payloads
// have neither, and need not be decoded.
func (r *Recorder) mayBe(payload string, now time.Time) (maybe bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	live := false
	for _, t := range r.traces {
		if !now.Before(t.until) {
			continue
		}
		live = true
		if strings.Contains(payload, t.quoted) {
			return true
		}
	}
	if !live {
		r.forget(now)
	}
	return live && strings.IndexByte(payload, '\\') >= 0
}

// Note records an event of a message that Find has found. It sets At and Node.
func (r *Recorder) Note(id string, e Event) {
	e.At, e.Node = r.now().UnixMicro(), r.node
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.traces[id]; t != nil {
		t.add(e)
	}
}

func (t *record) add(e Event) {
	if len(t.events) < MaxEvents {
		t.events = append(t.events, e)
		return
	}
	if t.skipped == nil {
		t.skipped = map[Stage]uint64{}
	}
	t.skipped[e.Stage]++
}

// Ack records that a device has confirmed what is in its user's inbox up to offset.
// channel is that of the inbox.
func (r *Recorder) Ack(channel string, e Event) {
	if !r.Armed() {
		return
	}
	now := r.now()
	e.At, e.Node, e.Stage, e.Channel = now.UnixMicro(), r.node, Acked, channel
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.traces {
		if now.Before(t.until) && t.waitsFor(channel, e) {
			t.add(e)
		}
	}
}

// waitsFor reports whether e confirms the message, and is the first to do so for
// the device.
func (t *record) waitsFor(channel string, e Event) bool {
	here := false
	for _, old := range t.events {
		switch {
		case old.Stage == Acked && old.Client == e.Client && old.Device == e.Device:
			return false
		case old.Stage == Received && old.Channel == channel && old.Offset != 0 && old.Offset <= e.Offset:
			here = true
		}
	}
	return here
}

// Report returns what this node has recorded of a message; false when it was not
// looked for, or that was long ago.
func (r *Recorder) Report(id string) (Report, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.traces[id]
	if t == nil {
		return Report{}, false
	}
	report := Report{ID: id, Until: t.until.UTC(), Events: slices.Clone(t.events)}
	for stage, n := range t.skipped {
		report.skip(stage, n)
	}
	return report, true
}

func (r *Report) skip(stage Stage, n uint64) {
	if r.Skipped == nil {
		r.Skipped = map[Stage]uint64{}
	}
	r.Skipped[stage] += n
}

// Merge makes one report of those of several nodes, with at most so many events.
func Merge(id string, reports []Report, events int) Report {
	all := Report{ID: id, Events: []Event{}}
	for _, r := range reports {
		if r.Until.After(all.Until) {
			all.Until = r.Until
		}
		all.Events = append(all.Events, r.Events...)
		for stage, n := range r.Skipped {
			all.skip(stage, n)
		}
	}
	slices.SortStableFunc(all.Events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	for _, e := range all.Events[min(events, len(all.Events)):] {
		all.skip(e.Stage, 1)
	}
	all.Events = all.Events[:min(events, len(all.Events))]
	return all
}
