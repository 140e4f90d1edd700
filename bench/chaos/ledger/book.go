package ledger

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Source says how a message was published.
type Source uint8

// The sources.
const (
	Durable Source = iota // by the backends' Go client
	Bare                  // PUBLISH, in any language
	Stream                // XADD, in any language
	Member                // room_message of a client
	numSources
)

// Sources are all sources, in order.
var Sources = []Source{Durable, Bare, Stream, Member}

// String is the source in tables.
func (s Source) String() string {
	return [...]string{"Go client", "PUBLISH", "XADD", "room_message"}[s]
}

// Stamp tells a message from all others of a run. Messages carry it in their
// content as "chaos":[LOG,N].
type Stamp struct {
	Log int // as Book.Open returned it
	N   int // its number in the log, from 0 in the order of Publish
}

// Position is a place in a log: a life of it, and a number that grows by one.
type Position struct {
	Epoch  string
	Offset uint64
}

// status is what a message's publisher knows.
type status uint8

const (
	pending status = iota // no answer: it may have been taken
	acknowledged
	refused
)

// message is one published message.
type message struct {
	at        time.Time
	answered  time.Time // when it was acknowledged
	source    Source
	status    status
	publisher int
	after     int // the last of its publisher's that was acknowledged before this was sent, or -1
	epoch     int // of its place; an index into log.epochs
	offset    uint64
	received  int // by how many seats
}

// log is what is known of one room or inbox.
type log struct {
	name     string
	messages []message
	epochs   []string
	places   map[place]int // who is where
	last     map[int]int   // by publisher: its last acknowledged message
	seats    []*Seat
}

// place is a position with the epoch's index.
type place struct {
	epoch  int
	offset uint64
}

// Book is the books of one run.
type Book struct {
	now func() time.Time

	mu     sync.Mutex // guards the fields below, and all seats
	logs   []*log
	risks  []risk
	counts Counts
	events []string // the first few faults, in words
}

// Counts are what is known while a run goes on.
type Counts struct {
	Published    int // messages whose publisher was told that they were taken
	Refused      int // messages whose publisher was told that they were not, and gave up
	Delivered    int // messages that a seat had not had before
	Duplicated   int
	OutOfOrder   int
	Dropped      int // not beyond the receiver's position, where that is allowed
	Gaps         int // offsets jumped over on a line; repaired unless also lost
	Unnumbered   int // messages without an offset in a log that must have them
	Unrecovered  int // recovered: false
	Strange      int // stamps that nobody has published
	NewEpochs    int // epochs besides the first of each log
	BySource     [numSources]int
	Misdelivered int // messages of a log in which the receiver has no seat
	Misdated     int // messages with a time at which they were not sent
}

// New returns empty books; now is time.Now outside of tests.
func New(now func() time.Time) *Book { return &Book{now: now} }

// Open begins the books of a log and returns its number.
func (b *Book) Open(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.logs = append(b.logs, &log{name: name, places: make(map[place]int), last: make(map[int]int)})
	return len(b.logs) - 1
}

// Publish notes that a publisher is about to send a message to a log. A message
// that is sent again with the same id keeps its stamp and is not noted again.
func (b *Book) Publish(logID int, source Source, publisher int) Stamp {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.logs[logID]
	after, known := l.last[publisher]
	if !known {
		after = -1
	}
	l.messages = append(l.messages, message{at: b.now(), source: source, publisher: publisher, after: after})
	return Stamp{Log: logID, N: len(l.messages) - 1}
}

// Acknowledge notes that the publisher was told that its message was taken.
func (b *Book) Acknowledge(s Stamp) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.logs[s.Log]
	m := &l.messages[s.N]
	if m.status == acknowledged {
		return
	}
	m.status, m.answered = acknowledged, b.now()
	l.last[m.publisher] = max(s.N, l.last[m.publisher])
	b.counts.Published++
	b.counts.BySource[m.source]++
}

// Refuse notes that the publisher was told that its message was not taken, and
// has given it up.
func (b *Book) Refuse(s Stamp) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.logs[s.Log].messages[s.N].status = refused
	b.counts.Refused++
}

// Counts returns what is known so far.
func (b *Book) Counts() Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts
}

// maxEvents bounds what is kept in words: the first faults tell most.
const maxEvents = 100

// noteLocked keeps a fault in words, and once what many receivers see.
func (b *Book) noteLocked(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(b.events) < maxEvents && !slices.ContainsFunc(b.events, func(e string) bool { return strings.HasSuffix(e, " "+text) }) {
		b.events = append(b.events, b.now().Format("15:04:05.000 ")+text)
	}
}
