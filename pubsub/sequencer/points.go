package sequencer

import "math"

// maxPoints is how many points of a segment are remembered.
const maxPoints = 8

// point is a place in a segment of which something is known about the time: its
// beginning, or a probe of this node's.
type point struct {
	id    string // of the probe, or only a name
	since int64  // Redis' time was this or later, Unix ms
	count int64  // messages of the segment that came before; -1 while the probe was not heard
}

// points are in order. They are what a node without the count has to tell what
// the leader before cannot have appended: what came after a place that is later
// than the end of its lease.
type points []point

// ask notes that a probe is sent, now.
func (p points) ask(id string, now int64) points {
	if len(p) == maxPoints {
		p = append(p[:1:1], p[2:]...) // the beginning is worth most
	}
	// A copy, as a round of the keeper may be looking at the list.
	return append(p[:len(p):len(p)], point{id, now, -1})
}

// heard notes where a probe came.
func (p points) heard(id string, count int64) points {
	heard := append(points(nil), p...)
	for i := range heard {
		if heard[i].id == id && heard[i].count < 0 {
			heard[i].count = count
		}
	}
	return heard
}

// after returns the first place that was later than Redis' time t; -1 for none.
func (p points) after(t int64) int64 {
	first := int64(math.MaxInt64)
	for _, at := range p {
		if at.since > t && at.count >= 0 {
			first = min(first, at.count)
		}
	}
	if first == math.MaxInt64 {
		return -1
	}
	return first
}

// asked reports whether a place later than t is known, or will be when its
// probe arrives.
func (p points) asked(t int64) bool {
	for _, at := range p {
		if at.since > t {
			return true
		}
	}
	return false
}

// same reports whether both are of one segment, whose beginning is not forgotten.
func (p points) same(q points) bool {
	return len(p) > 0 && len(q) > 0 && p[0] == q[0]
}
