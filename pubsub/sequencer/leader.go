package sequencer

// Electable reports whether Elect makes sense: a node that does not know the
// chain must have heard its own probe, to count from.
func (m *Machine) Electable() bool { return m.anchored || len(m.marks) > 0 }

// Elect notes that this node has the lease of the partition since term, and
// returns the mark, with this id, that it is to publish. It leads from when it
// hears that mark: by then it has heard whatever the leader before has said.
//
// free is a place in the segment, in messages heard: no leader before can have
// appended what comes after it. -1 says that there is none but the mark's own. It
// matters only to a node that does not know the chain. Elect may be repeated
// while the mark does not arrive.
func (m *Machine) Elect(term uint64, free int64, id string) Mark {
	m.role, m.term, m.start, m.lapsed, m.settling = Electing, term, id, false, false
	mark := Mark{ID: id, Node: m.node, Term: term, Where: m.where, Chain: term, From: id}
	last := len(m.marks) - 1
	switch {
	case m.anchored:
		mark.Chain, mark.From = m.chain, ""
		if last >= 0 {
			mark.From, mark.Count = m.marks[last].id, m.count(m.marks[last].heard)
		}
		if m.covered {
			mark.Done = m.done()
		}
	case free >= 0 && last >= 0: // its own probe, as a rule
		mark.From, mark.Count = m.marks[last].id, uint64(max(int64(m.marks[last].heard)-free, 0)) //nolint:gosec // not negative
	}
	return mark
}

// lead begins to lead. In a chain of its own, fresh, it does not append before
// Settle: there may be others who have to end the chain before.
func (m *Machine) lead(fresh bool) {
	m.role, m.start, m.told = Leading, "", told{}
	m.settling = fresh
	m.claim()
}

// claim has this node append all that it has, if it leads.
func (m *Machine) claim() {
	if m.role == Leading && !m.lapsed && !m.settling {
		m.owed = len(m.items)
	}
}

// Settle lets the leader of a new chain begin to append.
func (m *Machine) Settle() {
	m.settling = false
	m.claim()
}

// Settling reports whether a leader waits for Settle.
func (m *Machine) Settling() bool { return m.role == Leading && m.settling }

// Lapse notes that the lease may be over, as it could not be renewed in time.
// What is heard from now on, somebody else may have to append. It must be
// called, when it is due, before anything else is told.
func (m *Machine) Lapse() { m.lapsed = true }

// Renew notes that the lease was never anybody else's after all.
func (m *Machine) Renew() {
	m.lapsed = false
	m.claim()
}

// Depose notes that the lease is somebody else's. What this node was to append
// before it still appends.
func (m *Machine) Depose() { m.role, m.start, m.lapsed, m.settling = Following, "", false, false }

// Take returns the next messages to append, at most so many of at most so many
// bytes but at least one, none while others are being appended. Landed must
// follow.
func (m *Machine) Take(messages, bytes int) []Item {
	if m.flying > 0 {
		return nil
	}
	n := 0
	for ; n < min(m.owed, messages); n++ {
		if bytes -= m.items[n].bytes(); bytes < 0 && n > 0 {
			break
		}
	}
	m.flying = n
	return append([]Item(nil), m.items[:n]...)
}

// Landed notes that the first n of the messages taken need no more care: each is
// in its log, or never will be. The others will be taken again.
func (m *Machine) Landed(n int) {
	for _, it := range m.items[:n] {
		m.bytes -= it.bytes()
	}
	m.shift(n)
	m.owed -= n
	m.flying = 0
	m.trim() // what was behind them
}

// MarkDue reports whether a leader has something new to tell, and whether
// somebody waits for it.
func (m *Machine) MarkDue() (due, urgent bool) {
	if m.role != Leading || len(m.marks) == 0 {
		return false, false
	}
	return m.due || m.told != m.tell(), m.due
}

// tell returns what a mark would say now.
func (m *Machine) tell() told { return told{m.done(), m.heard} }

// Mark returns the mark with this id for a leader to publish now.
func (m *Machine) Mark(id string) Mark {
	m.due, m.told = false, m.tell()
	last := m.marks[len(m.marks)-1]
	return Mark{
		ID: id, Node: m.node, Term: m.term, Where: m.where,
		Chain: m.chain, From: last.id, Count: m.count(last.heard), Done: m.told.done,
	}
}

// count returns what a place in the segment is in the common count.
func (m *Machine) count(heard uint64) uint64 {
	return uint64(max(int64(heard)+m.base, 0)) //nolint:gosec // messages, not 2^63
}

// done returns up to where all messages of the chain are in their logs.
func (m *Machine) done() uint64 {
	for _, it := range m.items {
		if it.Number.Chain == m.chain && it.Number.Count != 0 {
			return it.Number.Count - 1
		}
	}
	return m.count(m.heard)
}

// Role returns what the node does in the partition.
func (m *Machine) Role() Role { return m.role }

// Heard returns how many messages of the segment the node has heard.
func (m *Machine) Heard() int64 { return int64(m.heard) } //nolint:gosec // messages, not 2^63

// Term returns the term of the lease that the node holds, or held last.
func (m *Machine) Term() uint64 { return m.term }

// Anchored reports whether the node knows the common count, so that it can go on
// with it.
func (m *Machine) Anchored() bool { return m.anchored }

// Ready reports whether the node could take over without a loss.
func (m *Machine) Ready() bool { return m.anchored && m.covered }

// Owed returns how many messages the node has to append.
func (m *Machine) Owed() int { return m.owed }
