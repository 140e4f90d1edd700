package pubsub

import (
	"hash/maphash"
	"iter"
	"math/bits"
)

// minSlots is the least size of a nameSet that is not empty.
const minSlots = 8

// nameSeed makes what hashes alike differ from process to process.
var nameSeed = maphash.MakeSeed()

// nameSet is a set of names. There is one entry for each user and room of the
// node, so it is made for little memory: 17 bytes a slot, 7/12 to 7/8 of them
// taken, which is 19 to 29 bytes a name. A map[string]struct{} has 25 bytes a
// slot, 7/16 to 7/8 of them taken, and keeps the size of its largest day.
//
// A name is in the first free slot from its home on, which its hash says. The
// zero value is an empty set.
type nameSet struct {
	tags  []uint8  // by slot: 0 when it is free, else from the hash, to compare before the name
	names []string // by slot
	count int      // slots taken
}

func (s *nameSet) len() int { return s.count }

func (s *nameSet) has(name string) bool {
	_, _, found := s.find(name)
	return found
}

// add reports whether name was not there. If it was, its memory is now that of
// the name given.
func (s *nameSet) add(name string) (added bool) {
	slot, tag, found := s.find(name)
	if !found && (s.count+1)*8 > len(s.tags)*7 {
		s.resize(len(s.tags) * 3 / 2)
		slot, tag, _ = s.find(name)
	}
	s.tags[slot], s.names[slot] = tag, name
	if !found {
		s.count++
	}
	return !found
}

// remove forgets name. What is beyond it and not at home moves up, so that a
// free slot always ends a search.
func (s *nameSet) remove(name string) {
	gap, _, found := s.find(name)
	if !found {
		return
	}
	for slot := s.after(gap); s.tags[slot] != 0; slot = s.after(slot) {
		home, _ := s.home(s.names[slot])
		if s.distance(home, slot) >= s.distance(gap, slot) {
			s.tags[gap], s.names[gap] = s.tags[slot], s.names[slot]
			gap = slot
		}
	}
	s.tags[gap], s.names[gap] = 0, ""
	s.count--
	if s.count < len(s.tags)/4 {
		s.resize(s.count * 2)
	}
}

// all returns the names, in no order. The loop must not change the set.
func (s *nameSet) all() iter.Seq[string] {
	return func(yield func(string) bool) {
		for slot, tag := range s.tags {
			if tag != 0 && !yield(s.names[slot]) {
				return
			}
		}
	}
}

// find returns the slot of name, or the free one where it would be.
func (s *nameSet) find(name string) (slot int, tag uint8, found bool) {
	if len(s.tags) == 0 {
		return 0, 0, false
	}
	slot, tag = s.home(name)
	for s.tags[slot] != 0 {
		if s.tags[slot] == tag && s.names[slot] == name {
			return slot, tag, true
		}
		slot = s.after(slot)
	}
	return slot, tag, false
}

// home returns where the search for name begins, and its tag.
func (s *nameSet) home(name string) (slot int, tag uint8) {
	hash := maphash.String(nameSeed, name)
	high, _ := bits.Mul64(hash, uint64(len(s.tags))) // hash, scaled from 2^64 to the slots
	return int(high), uint8(hash) | 1
}

// after returns the next slot, around the end.
func (s *nameSet) after(slot int) int {
	if slot++; slot < len(s.tags) {
		return slot
	}
	return 0
}

// distance returns how many slots to is after from, around the end.
func (s *nameSet) distance(from, to int) int {
	if to < from {
		to += len(s.tags)
	}
	return to - from
}

// resize moves the names to slots of another number.
func (s *nameSet) resize(slots int) {
	slots = max(slots, minSlots)
	if slots == len(s.tags) {
		return
	}
	old := *s
	s.tags, s.names = make([]uint8, slots), make([]string, slots)
	for name := range old.all() {
		slot, tag, _ := s.find(name)
		s.tags[slot], s.names[slot] = tag, name
	}
}
