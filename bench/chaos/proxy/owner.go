package proxy

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Owned returns the local addresses of a process's TCP sockets over IPv4, from
// /proc: it tells whose connections are those that a proxy sees.
func Owned(pid int) (map[netip.AddrPort]bool, error) {
	inodes, err := sockets(pid)
	if err != nil {
		return nil, err
	}
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return nil, fmt.Errorf("proxy: sockets of process %d: %w", pid, err)
	}
	defer f.Close()
	owned := make(map[netip.AddrPort]bool)
	lines := bufio.NewScanner(f)
	lines.Scan() // the headings
	for lines.Scan() {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && inodes[fields[9]] {
			if addr, ok := parseHex(fields[1]); ok {
				owned[addr] = true
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("proxy: sockets of process %d: %w", pid, err)
	}
	return owned, nil
}

// sockets returns the inodes of a process's sockets.
func sockets(pid int) (map[string]bool, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("proxy: sockets of process %d: %w", pid, err)
	}
	inodes := make(map[string]bool)
	for _, f := range files {
		target, err := os.Readlink(filepath.Join(dir, f.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes, nil
}

// parseHex reads an address as /proc/net/tcp has it: the four bytes in the order
// of the machine, which is little-endian here, and the port.
func parseHex(s string) (netip.AddrPort, bool) {
	var ip, port uint32
	if n, _ := fmt.Sscanf(s, "%08X:%04X", &ip, &port); n != 2 {
		return netip.AddrPort{}, false
	}
	addr := netip.AddrFrom4([4]byte{byte(ip), byte(ip >> 8), byte(ip >> 16), byte(ip >> 24)})
	return netip.AddrPortFrom(addr, uint16(port)), true
}
