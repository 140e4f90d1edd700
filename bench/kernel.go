package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
)

// Kernel is what the kernel holds for sockets on the whole machine, in bytes. On
// a machine that runs both ends of each connection it holds both.
type Kernel struct {
	Slabs   map[string]int64 `json:"slabs,omitempty"` // pages of the caches in socketSlabs; needs root
	Slab    int64            `json:"slab"`            // pages of all caches, also those that have nothing to do with it
	Buffers int64            `json:"buffers"`         // what waits in TCP sockets (sockstat: mem)
	Sockets int64            `json:"sockets"`         // TCP sockets in use
}

// socketSlabs are the caches of what a TCP socket consists of.
var socketSlabs = map[string]bool{
	"TCP": true, "sock_inode_cache": true, "filp": true, "dentry": true,
	"eventpoll_epi": true, "eventpoll_pwq": true, "tcp_bind_bucket": true, "tcp_bind2_bucket": true,
	"skbuff_head_cache": true, "skbuff_small_head": true, "skbuff_fclone_cache": true,
	"tw_sock_TCP": true, "request_sock_TCP": true,
}

// ReadKernel reads /proc/net/sockstat, /proc/meminfo and, where it may,
// /proc/slabinfo.
func ReadKernel() (Kernel, error) {
	k := Kernel{Slabs: make(map[string]int64)}
	err := scanLines("/proc/net/sockstat", func(line string) {
		var inUse, orphan, timeWait, allocated, pages int64
		if n, _ := fmt.Sscanf(line, "TCP: inuse %d orphan %d tw %d alloc %d mem %d", &inUse, &orphan, &timeWait, &allocated, &pages); n == 5 {
			k.Sockets, k.Buffers = inUse, pages*int64(os.Getpagesize())
		}
	})
	if err != nil {
		return Kernel{}, err
	}
	err = scanLines("/proc/meminfo", func(line string) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "Slab: %d kB", &kilobytes); n == 1 {
			k.Slab = kilobytes << 10
		}
	})
	if err != nil {
		return Kernel{}, err
	}
	_ = scanLines("/proc/slabinfo", func(line string) { // then Slabs stays empty
		name, rest, _ := strings.Cut(line, " ")
		if !socketSlabs[name] {
			return
		}
		var active, objects, size, perSlab, pages, limit, batch, shared, activeSlabs, slabs, avail int64
		if n, _ := fmt.Sscanf(rest, "%d %d %d %d %d : tunables %d %d %d : slabdata %d %d %d",
			&active, &objects, &size, &perSlab, &pages, &limit, &batch, &shared, &activeSlabs, &slabs, &avail); n == 11 {
			k.Slabs[name] = slabs * pages * int64(os.Getpagesize())
		}
	})
	return k, nil
}

func scanLines(path string, line func(string)) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("bench: read the kernel's memory: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		line(lines.Text())
	}
	return nil
}

// Since returns how much more k is than before.
func (k Kernel) Since(before Kernel) Kernel {
	d := Kernel{
		Slabs: make(map[string]int64), Slab: k.Slab - before.Slab,
		Buffers: k.Buffers - before.Buffers, Sockets: k.Sockets - before.Sockets,
	}
	for name, bytes := range k.Slabs {
		if grown := bytes - before.Slabs[name]; grown != 0 {
			d.Slabs[name] = grown
		}
	}
	return d
}

// InSockets is the memory of the sockets themselves and of what waits in them:
// the caches by name where they could be read, else all caches.
func (k Kernel) InSockets() int64 {
	if len(k.Slabs) == 0 {
		return k.Slab + k.Buffers
	}
	sum := k.Buffers
	for _, bytes := range k.Slabs {
		sum += bytes
	}
	return sum
}
