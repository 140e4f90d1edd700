package admission

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
	"unsafe"
)

// TestTable_Model does at random what gates do, beside a plain map.
func TestTable_Model(t *testing.T) {
	const most = 100 * numShards
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		table, model, refs := newTable[int](most), map[key]int{}, map[key]ref{}
		for step := range 20_000 {
			switch k := (key{rnd.Uint64N(3000), 7}); rnd.IntN(1000) {
			case 0:
				drop := rnd.IntN(3) // entries whose value is no multiple of it go
				keep := func(v int) bool { return drop > 0 && v%(drop+1) == 0 }
				table.sweep(func(v *int) bool { return keep(*v) })
				for k, v := range model {
					if !keep(v) {
						delete(model, k)
						delete(refs, k)
					}
				}
			default:
				r := table.with(k, func(v *int) { *v++ })
				if old, known := refs[k]; r == 0 || known && old != r {
					t.Fatalf("seed %d: with(%v) = %d, want %d", seed, k, r, old)
				}
				model[k]++
				refs[k] = r
			}
			if step%100 == 0 && table.len() != len(model) {
				t.Fatalf("seed %d: %d entries, want %d", seed, table.len(), len(model))
			}
		}
		for k, want := range model {
			table.withRef(refs[k], func(v *int) {
				if *v != want {
					t.Fatalf("seed %d: %v is %d, want %d", seed, k, *v, want)
				}
			})
		}
	}
}

func TestTable_IsBounded(t *testing.T) {
	table := newTable[int](MinEntries)
	kept, refused := 0, 0
	for i := range uint64(100_000) {
		if table.with(key{i}, func(*int) {}) == 0 {
			refused++
		} else {
			kept++
		}
	}
	if kept > MinEntries || kept < MinEntries*9/10 || table.len() != kept {
		t.Errorf("%d of %d entries are kept, %d refused", kept, MinEntries, refused)
	}
	table.sweep(func(*int) bool { return false })
	if table.with(key{1 << 40}, func(*int) {}) == 0 {
		t.Error("no place in a table that has been swept")
	}
}

// What a table has held it gives back.
func TestTable_GivesMemoryBack(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const n = 100_000
	table := newTable[source](2 * n)
	before := heap()
	for i := range uint64(n) {
		table.with(key{i}, func(*source) {})
	}
	full := heap() - before
	table.sweep(func(*source) bool { return false })
	left := heap() - before
	t.Logf("%d bytes for an address, %d when it is forgotten; a source has %d", full/n, left/n, unsafe.Sizeof(source{}))
	if full/n > 120 || left/n > 3 {
		t.Errorf("an address takes %d bytes, and %d when it is forgotten; want at most 120 and 3", full/n, left/n)
	}
	runtime.KeepAlive(table)
}

func TestQueue_Place(t *testing.T) {
	var q queue
	const period, most = 10 * time.Millisecond, time.Second
	for i := range 100 {
		if got, want := q.place(0, period, period, most), time.Duration(i+1)*period; got != want {
			t.Fatalf("place %d is in %s, want %s", i, got, want)
		}
	}
	for range 1000 { // the queue is longer than anybody may be sent away for
		if got := q.place(0, period, period, most); got < most/2 || got > most {
			t.Fatalf("place in %s, want %s to %s", got, most/2, most)
		}
	}
	if got := q.place(500*time.Millisecond, period, period, most); got != 510*time.Millisecond {
		t.Errorf("half a second later the next place is in %s, want 510ms", got)
	}
	if got := q.place(time.Hour, 2*time.Second, period, time.Minute); got != 2*time.Second {
		t.Errorf("place in %s, want not before 2s", got)
	}
}
