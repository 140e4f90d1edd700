package pubsub

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// TestNameSet_IsASet compares it with a map, over names that come and go and
// sizes that grow and shrink.
func TestNameSet_IsASet(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var set nameSet
	model := map[string]struct{}{}
	for _, most := range []int{1, 10, 1000, 50, 5000, 3} { // names to choose from
		for range 20_000 {
			name := fmt.Sprint(random.IntN(most))
			if name == "0" {
				name = ""
			}
			_, known := model[name]
			if set.has(name) != known {
				t.Fatalf("has(%q) = %v among %d", name, !known, len(model))
			}
			if random.IntN(3) > 0 {
				if added := set.add(name); added == known {
					t.Fatalf("add(%q) = %v among %d", name, added, len(model))
				}
				model[name] = struct{}{}
			} else {
				set.remove(name)
				delete(model, name)
			}
		}
		got, want := slices.Sorted(set.all()), slices.Sorted(maps.Keys(model))
		if !slices.Equal(got, want) || set.len() != len(want) {
			t.Fatalf("of %d names: holds %d %q, want %d %q", most, set.len(), got, len(want), want)
		}
		for name := range model { // leave few for the next
			if len(model) > most/100 {
				set.remove(name)
				delete(model, name)
			}
		}
	}
}

func TestNameSet_IsSmall(t *testing.T) {
	const names, perSlot = 100_000, int(unsafe.Sizeof("") + 1)
	var set nameSet
	check := func(most int) {
		if got := len(set.tags) * perSlot; set.len() > 100 && got > most*set.len() {
			t.Errorf("%d names take %d bytes, want at most %d each", set.len(), got, most)
		}
	}
	for i := range names {
		set.add(fmt.Sprint(i))
		check(30)
	}
	for i := range names {
		set.remove(fmt.Sprint(i))
		check(4*perSlot + 1)
	}
	if set.len() != 0 || len(set.tags) != minSlots {
		t.Errorf("%d names in %d slots are left, want 0 in %d", set.len(), len(set.tags), minSlots)
	}
}

// TestNameSet_AddTakesTheNewName: a user's devices come and go, and with each
// the memory of its name.
func TestNameSet_AddTakesTheNewName(t *testing.T) {
	first, second := string([]byte("alice")), string([]byte("alice"))
	var set nameSet
	set.add(first)
	set.add(second)
	for name := range set.all() {
		if unsafe.StringData(name) != unsafe.StringData(second) {
			t.Error("the set holds on to the first caller's name")
		}
	}
}

func BenchmarkNameSet_AddRemove(b *testing.B) {
	names := make([]string, 20_000)
	var set nameSet
	for i := range names {
		names[i] = fmt.Sprintf("user%011d", i)
		set.add(names[i])
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		name := names[i%len(names)]
		set.remove(name)
		set.add(name)
	}
}
