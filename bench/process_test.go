package bench

import (
	"os"
	"testing"
	"time"
)

func TestReadUsage_Self(t *testing.T) {
	before, err := ReadUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 20*time.Millisecond; { // uses CPU
	}
	after, err := ReadUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after.CPU <= before.CPU || after.CPU > before.CPU+10*time.Second {
		t.Errorf("CPU %v, then %v", before.CPU, after.CPU)
	}
	exact, err := ReadResident(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if off := exact - after.Resident; after.Threads < 1 || off > 4<<20 || off < -4<<20 {
		t.Errorf("%d threads, %d bytes resident by one count, %d by the other", after.Threads, after.Resident, exact)
	}
}

func TestReadUsage_NoProcess(t *testing.T) {
	if _, err := ReadUsage(1 << 30); err == nil {
		t.Error("usage of a process that does not exist")
	}
	if _, err := ReadResident(1 << 30); err == nil {
		t.Error("memory of a process that does not exist")
	}
}

func TestKernel_Since(t *testing.T) {
	before := Kernel{Slabs: map[string]int64{"TCP": 1000, "filp": 50}, Slab: 5000, Buffers: 100, Sockets: 7}
	after := Kernel{Slabs: map[string]int64{"TCP": 3000, "filp": 50}, Slab: 8000, Buffers: 400, Sockets: 9}
	d := after.Since(before)
	if d.Slabs["TCP"] != 2000 || len(d.Slabs) != 1 || d.Slab != 3000 || d.Buffers != 300 || d.Sockets != 2 {
		t.Errorf("Since = %+v", d)
	}
	if got := d.InSockets(); got != 2300 {
		t.Errorf("InSockets() = %d, want the named caches and the buffers, 2300", got)
	}
	if got := (Kernel{Slab: 3000, Buffers: 300}).InSockets(); got != 3300 {
		t.Errorf("InSockets() without names = %d, want all caches and the buffers, 3300", got)
	}
}

func TestReadKernel(t *testing.T) {
	k, err := ReadKernel()
	if err != nil || k.Slab == 0 {
		t.Errorf("ReadKernel() = %+v, %v", k, err)
	}
}
