package pubsub

import (
	"iter"
	"maps"
)

// minPeak is the size below which a table does not care about its memory.
const minPeak = 64

// table is a map that gives memory back when it has lost most of its entries;
// a map by itself keeps the size of its largest day. The zero value is empty.
type table[K comparable, V any] struct {
	entries map[K]V
	peak    int // the most entries there were since entries was made
}

func (t *table[K, V]) len() int { return len(t.entries) }

func (t *table[K, V]) get(key K) (V, bool) {
	value, ok := t.entries[key]
	return value, ok
}

// put sets the value of key.
func (t *table[K, V]) put(key K, value V) {
	if t.entries == nil {
		t.entries = map[K]V{}
	}
	t.entries[key] = value
	t.peak = max(t.peak, len(t.entries))
}

// remove forgets key. When a quarter of the peak is left, it moves that to a
// map of its size: one move for three removals each at the most.
func (t *table[K, V]) remove(key K) {
	delete(t.entries, key)
	if t.peak < minPeak || len(t.entries) > t.peak/4 {
		return
	}
	fresh := make(map[K]V, len(t.entries))
	maps.Copy(fresh, t.entries)
	t.entries, t.peak = fresh, len(fresh)
}

// all returns the entries. The loop may remove the key it is at.
func (t *table[K, V]) all() iter.Seq2[K, V] { return maps.All(t.entries) }
