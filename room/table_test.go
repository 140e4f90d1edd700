package room

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A table does what a map does, also when many keys have one home and when it
// grows and shrinks.
func TestTable_AgreesWithAMap(t *testing.T) {
	t.Parallel()
	for _, homes := range []uint32{1, 3, 64, 1 << 30} {
		t.Run(fmt.Sprintf("homes=%d", homes), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(1, uint64(homes)))
			var got table[*list]
			want := map[Key]*list{}
			for step := range 4000 {
				name := fmt.Sprint(rng.IntN(300))
				key := Key{Kind(rng.IntN(3)), name}
				sum := (uint32(len(name))*7919 + uint32(name[0])*31 + uint32(key.Kind)) % homes
				if l := want[key]; l != nil && rng.IntN(4) > 0 == (step/1000%2 == 1) {
					got.remove(l)
					delete(want, key)
				} else if l == nil {
					l = &list{name: key.Name, kind: key.Kind, hash: sum}
					got.put(l)
					want[key] = l
				}
				if got.get(key, sum) != want[key] {
					t.Fatalf("step %d: get(%v) = %p, want %p", step, key, got.get(key, sum), want[key])
				}
			}
			n := 0
			for l := range got.all() {
				if want[l.key()] != l {
					t.Errorf("all() yields %v, which is not there", l.key())
				}
				n++
			}
			if n != len(want) || got.count != n {
				t.Errorf("all() yields %d entries of %d, want %d", n, got.count, len(want))
			}
		})
	}
}

func TestTable_GivesMemoryBack(t *testing.T) {
	t.Parallel()
	var tab table[*list]
	lists := make([]*list, 10_000)
	for i := range lists {
		lists[i] = &list{name: fmt.Sprint(i), hash: uint32(i) * 2654435761}
		tab.put(lists[i])
	}
	full := len(tab.slots)
	for _, l := range lists {
		tab.remove(l)
	}
	if full < 10_000 || len(tab.slots) > minSlots || tab.count != 0 {
		t.Errorf("%d slots when full, %d with %d entries when empty; want 10000 and more, %d", full, len(tab.slots), tab.count, minSlots)
	}
}
