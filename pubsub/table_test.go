package pubsub

import "testing"

func TestTable_GivesMemoryBack(t *testing.T) {
	const entries, left, limit = 100_000, 10, 8192
	before := heap()
	var tab table[int, int]
	for i := range entries {
		tab.put(i, -i)
	}
	for i := range tab.all() { // which allows for it
		if i >= left {
			tab.remove(i)
		}
	}
	if tab.len() != left {
		t.Errorf("len() = %d, want %d", tab.len(), left)
	}
	for i := range left {
		if v, ok := tab.get(i); v != -i || !ok {
			t.Errorf("get(%d) = %d, %v, want %d, true", i, v, ok, -i)
		}
	}
	if got := heap() - before; got > limit {
		t.Errorf("%d bytes for %d entries, want at most %d", got, left, limit)
	}
	if _, ok := tab.get(entries - 1); ok {
		t.Error("a removed entry is there")
	}
}
