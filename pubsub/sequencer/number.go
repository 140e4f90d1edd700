package sequencer

import (
	"fmt"
	"strconv"
	"strings"
)

// Number is the place of a bare message among all of its partition. Every node
// that can tell comes to the same one.
type Number struct {
	// Chain is the term of the leader who began to count; later leaders that
	// heard all since go on counting. A later chain is greater.
	Chain uint64
	// Count is the place in the chain, from 1; 0 when it is not known.
	Count uint64
}

// Less reports whether n comes before m.
func (n Number) Less(m Number) bool {
	return n.Chain < m.Chain || n.Chain == m.Chain && n.Count < m.Count
}

// String returns the number as Redis compares it: as text of one length.
func (n Number) String() string { return fmt.Sprintf("%016x.%016x", n.Chain, n.Count) }

// chainOf returns the chain of a number as Redis has it, 0 for none.
func chainOf(number string) uint64 {
	text, _, _ := strings.Cut(number, ".")
	chain, err := strconv.ParseUint(text, 16, 64)
	if err != nil {
		return 0
	}
	return chain
}
