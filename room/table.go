package room

import "iter"

// keyed is something that a table finds by its key.
type keyed interface {
	comparable
	key() Key
	sum() uint32 // of the key; see Hub.sum
}

// table is a set of pointers, found by key: open addressing with linear probing.
// A Go map would hold each key a second time, 32 bytes and its share of empty
// slots for every user and room; here a slot is one pointer. The zero table is
// empty.
type table[E keyed] struct {
	slots []E // a power of two of them, at most three quarters in use
	count int
}

// minSlots is the size of a table with one entry.
const minSlots = 8

// get returns the entry with the key, or nil.
func (t *table[E]) get(key Key, sum uint32) E {
	var none E
	if t.count == 0 {
		return none
	}
	for i := t.home(sum); ; i = t.next(i) {
		e := t.slots[i]
		if e == none || e.sum() == sum && e.key() == key {
			return e
		}
	}
}

// put adds an entry whose key the table does not have.
func (t *table[E]) put(e E) {
	if 4*(t.count+1) > 3*len(t.slots) {
		t.resize(max(minSlots, 2*len(t.slots)))
	}
	t.place(e)
	t.count++
}

// remove takes out an entry that the table has. Those behind it that it had
// pushed away from their home move up, so that no probe ends early.
func (t *table[E]) remove(e E) {
	var none E
	i := t.home(e.sum())
	for t.slots[i] != e {
		i = t.next(i)
	}
	t.count--
	for j := t.next(i); t.slots[j] != none; j = t.next(j) {
		// The entry in j may fill the gap unless its home lies behind the gap.
		if home := t.home(t.slots[j].sum()); t.distance(home, j) >= t.distance(i, j) {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = none
	if len(t.slots) > minSlots && 8*t.count < len(t.slots) {
		t.resize(len(t.slots) / 2)
	}
}

// all yields the entries, which must not be changed meanwhile.
func (t *table[E]) all() iter.Seq[E] {
	return func(yield func(E) bool) {
		var none E
		for _, e := range t.slots {
			if e != none && !yield(e) {
				return
			}
		}
	}
}

func (t *table[E]) resize(n int) {
	var none E
	old := t.slots
	t.slots = make([]E, n)
	for _, e := range old {
		if e != none {
			t.place(e)
		}
	}
}

func (t *table[E]) place(e E) {
	var none E
	i := t.home(e.sum())
	for t.slots[i] != none {
		i = t.next(i)
	}
	t.slots[i] = e
}

func (t *table[E]) home(sum uint32) int { return int(sum) & (len(t.slots) - 1) }
func (t *table[E]) next(i int) int      { return (i + 1) & (len(t.slots) - 1) }

// distance is how far a probe goes from slot i to slot j.
func (t *table[E]) distance(i, j int) int { return (j - i) & (len(t.slots) - 1) }
