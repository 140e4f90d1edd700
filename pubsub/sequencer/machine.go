package sequencer

// Role is what a node does in a partition.
type Role uint8

// Roles.
const (
	// Following: hears, counts, and keeps what may not be in the logs yet.
	Following Role = iota
	// Electing: has the lease, and waits to hear its own first mark.
	Electing
	// Leading: appends what it hears.
	Leading
)

// String names the role.
func (r Role) String() string { return [...]string{"following", "electing", "leading"}[r] }

// maxMarks is how many of the marks last heard a machine remembers the places
// of. A leader counts from the last that it heard, so that few can be between
// that and its own.
const maxMarks = 32

// Limits bound what a Machine keeps.
type Limits struct {
	Messages int // at least 1
	Bytes    int // of payloads and channels
}

// Message is a bare message as it was heard.
type Message struct {
	Channel string // without the prefix: "room:chat:1"
	Payload string
}

func (m Message) bytes() int { return len(m.Channel) + len(m.Payload) }

// Item is a message that may not be in its log yet.
type Item struct {
	Message
	Number  Number // Count is 0 while it is not known
	heard   uint64 // its place in the segment, from 1; see Machine
	segment uint64
}

// Counters count what a Machine had to give up.
type Counters struct {
	// Overflowed counts messages that this node was to append, and dropped
	// because more wait than Limits allow.
	Overflowed uint64
	// Unidentified counts messages of which it is not known whether a former
	// leader has appended them, and which are given up so that none comes
	// twice. It takes two faults at a time.
	Unidentified uint64
}

// Machine is what a node knows of one partition of the channels, and the whole
// of the protocol: see DESIGN.md. It does no I/O, starts nothing and reads no
// clock. The caller tells it what happens, in the order in which it happens,
// asks what to append and which marks to publish, and does so. It is not safe
// for concurrent use.
//
// The messages heard on one connection without interruption are a segment. A
// node counts them from its beginning; a leader's mark says what that is in the
// count that all share.
type Machine struct {
	// Fixed by NewMachine.
	node   string
	limits Limits

	role     Role
	term     uint64 // of the lease held, or held last
	highest  uint64 // the greatest term that a mark was heard of
	start    string // Electing: the mark that will make this node the leader
	lapsed   bool   // the lease may be over
	settling bool   // a new chain's leader lets others finish the chain before
	due      bool   // somebody has asked for a mark

	// The segment.
	where    string // names what is heard: see Begin
	segment  uint64 // counts segments
	heard    uint64 // messages in it
	marks    []heardMark
	anchored bool   // chain and base are known
	chain    uint64 // what is counted in, or was last
	base     int64  // what the chain counted before the segment: count = heard + base
	covered  bool   // all that may not be in the logs is in this segment
	logged   Number // up to where a leader said that all is in the logs

	// items are in order: those of earlier chains and segments first, those
	// without a number last. The first owed ones this node is to append,
	// whoever leads by now; of them the first flying ones are being appended.
	items        []Item
	bytes        int
	owed, flying int

	told     told // what the last mark of this node said
	counters Counters
}

// heardMark is a mark and how many messages of the segment came before it.
type heardMark struct {
	id    string
	heard uint64
}

// told is what a leader's mark says.
type told struct{ done, heard uint64 }

// NewMachine returns the machine of a node that has not heard anything yet.
func NewMachine(node string, limits Limits) *Machine {
	return &Machine{node: node, limits: limits}
}

// Begin notes that a segment begins: what is told from now on was heard without
// interruption. where names what is heard, and from which server in which of
// its lives: only nodes that say the same hear the same messages in the same
// order, and can count together. When it is not what it was, that server has
// gone, or this node from it; either way nobody waits for what is left, and it
// is to be appended.
func (m *Machine) Begin(where string) {
	m.Break()
	m.segment++
	if m.where != where {
		m.owed = len(m.items)
	}
	m.where = where
}

// Break notes that the segment has ended: something may have been missed. A
// leader leads no longer. It appends what it had heard; a follower keeps that,
// as the leader may not come to it.
func (m *Machine) Break() {
	m.role, m.lapsed, m.settling, m.due = Following, false, false, false
	if i := m.numbered(); i < len(m.items) {
		m.counters.Unidentified += uint64(len(m.items) - i) //nolint:gosec // not negative
		m.cut(i)
	}
	m.unanchor()
	m.heard = 0
}

// unanchor forgets what the messages of the segment are in the common count.
func (m *Machine) unanchor() { m.marks, m.anchored, m.covered = nil, false, false }

// Hear takes the next message of the partition.
func (m *Machine) Hear(msg Message) {
	m.heard++
	it := Item{Message: msg, heard: m.heard, segment: m.segment}
	if m.anchored {
		it.Number = Number{m.chain, uint64(int64(m.heard) + m.base)} //nolint:gosec // base is at least -heard
	}
	m.items = append(m.items, it)
	m.bytes += msg.bytes()
	m.claim()
	m.bound()
}

// bound drops the oldest messages beyond the limits, but none that are being
// appended.
func (m *Machine) bound() {
	for len(m.items)-m.flying > m.limits.Messages || m.bytes > m.limits.Bytes && len(m.items) > m.flying+1 {
		if m.owed > m.flying {
			m.counters.Overflowed++
		}
		m.remove(1)
	}
}

// HearMark takes the next mark of the partition.
func (m *Machine) HearMark(mark Mark) {
	m.marks = append(m.marks, heardMark{mark.ID, m.heard})
	if len(m.marks) > maxMarks {
		m.marks = m.marks[1:]
	}
	if mark.Term == 0 {
		m.due = true
		return
	}
	if mark.Term < m.highest {
		return // somebody who leads no longer, and does not know
	}
	m.highest = mark.Term
	if mark.Term > m.term && m.role != Following {
		m.Depose()
	}
	m.anchor(mark)
	if mark.ID == m.start && m.role == Electing && m.anchored {
		m.lead(mark.Chain == m.term)
	}
}

// anchor learns from a leader's mark what the messages of the segment are in
// the common count, and which of them are in their logs.
func (m *Machine) anchor(mark Mark) {
	from, known := m.position(mark.From)
	if known && m.chain <= mark.Chain && (!m.anchored || m.chain < mark.Chain) {
		m.adopt(mark.Chain, int64(mark.Count)-int64(from)) //nolint:gosec // messages, not 2^63
	}
	if mark.Where != m.where {
		// Others count other messages, and append these.
		m.cut(m.owed)
		m.unanchor()
		return
	}
	if m.anchored && m.chain == mark.Chain {
		m.covered = m.covered || int64(mark.Done) >= m.base //nolint:gosec // as above
		m.logged = Number{mark.Chain, mark.Done}
		m.trim()
	}
}

// position returns how many messages of the segment came before a mark.
func (m *Machine) position(id string) (heard uint64, ok bool) {
	for i := len(m.marks) - 1; i >= 0; i-- {
		if m.marks[i].id == id {
			return m.marks[i].heard, true
		}
	}
	return 0, false
}

// adopt numbers the messages of the segment in a chain that has counted base
// messages before it. What came before the chain began belongs to the chain
// before, if this node knew its numbers: whoever leads now did not hear it, or
// leaves it to those who did.
func (m *Machine) adopt(chain uint64, base int64) {
	former := m.chain
	m.anchored, m.chain, m.base = true, chain, base
	kept, owed := m.items[:0], 0
	for i, it := range m.items {
		count := int64(it.heard) + base //nolint:gosec // messages, not 2^63
		ours := it.segment == m.segment
		switch {
		case i < m.flying: // heard under a lease, so nobody else counts it
			owed++
		case ours && count > 0:
			it.Number = Number{chain, uint64(count)}
		case it.Number.Count == 0, !ours && i >= m.owed && former != chain && base > 0:
			m.counters.Unidentified++
			m.bytes -= it.bytes()
			continue
		case former != chain || i < m.owed:
			owed++
		}
		kept = append(kept, it)
	}
	clear(m.items[len(kept):])
	m.items, m.owed = kept, owed
}

// trim lets go of what a leader says to be in the logs.
func (m *Machine) trim() {
	n := m.flying
	for n < len(m.items) && m.isLogged(m.items[n].Number) {
		n++
	}
	m.remove(n - m.flying)
}

func (m *Machine) isLogged(n Number) bool {
	return n.Count != 0 && n.Chain == m.logged.Chain && n.Count <= m.logged.Count
}

// remove lets go of the first n items that are not being appended.
func (m *Machine) remove(n int) {
	for _, it := range m.items[m.flying : m.flying+n] {
		m.bytes -= it.bytes()
	}
	copy(m.items[n:], m.items[:m.flying])
	m.shift(n)
	m.owed = max(m.owed-n, m.flying)
}

// shift forgets the first n items.
func (m *Machine) shift(n int) {
	clear(m.items[:n])
	m.items = m.items[n:]
}

// cut lets go of the items from i on.
func (m *Machine) cut(i int) {
	for _, it := range m.items[i:] {
		m.bytes -= it.bytes()
	}
	clear(m.items[i:])
	m.items = m.items[:i]
}

// numbered returns how many items have a number: those without come last.
func (m *Machine) numbered() int {
	n := len(m.items)
	for n > 0 && m.items[n-1].Number.Count == 0 {
		n--
	}
	return n
}

// Stats returns what waits, and what was given up.
func (m *Machine) Stats() (messages, bytes int, c Counters) { return len(m.items), m.bytes, m.counters }
