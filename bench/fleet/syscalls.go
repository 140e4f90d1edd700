package fleet

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The two calls made for each message. The sockets never block, so that the Go
// scheduler need not be told: it saves about 100 ns a message, on a machine that
// the client shares with what it measures.

func read(fd int32, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}

func write(fd int32, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}
