package pubsub

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Messages that come close behind others are left unread for a while and then
// read together: what is read together wakes every shard once, and the clients of
// a machine that sleeps between two messages cost the kernel a wake-up for each
// write.

// plenty is how much a read must bring for the next one to follow at once: that is
// worth waking everybody for, and a stream of such must not be held up.
const plenty = readBufferBytes / 2

// gathering is what the reader of a link knows of its last read.
type gathering struct {
	socket    syscall.RawConn // nil where there is none, in tests
	readAt    time.Time       // when the last read returned
	bytes     int             // what it brought
	delivered bool            // messages were among it
}

// gatherOn returns the gathering of a connection, which may be wrapped.
func gatherOn(conn net.Conn) gathering {
	var g gathering
	for {
		switch c := conn.(type) {
		case syscall.Conn:
			g.socket, _ = c.SyscallConn() // an error means that it is closed
			return g
		case interface{ NetConn() net.Conn }: // TLS
			conn = c.NetConn()
		case tied:
			conn = c.Conn
		default:
			return g
		}
	}
}

// noteRead notes a read of n bytes.
func (g *gathering) noteRead(n int) {
	g.readAt, g.bytes, g.delivered = time.Now(), n, false
}

// coalesce lets messages gather that come close behind the last ones.
func (l *link) coalesce() {
	if !l.delivered || l.bytes >= plenty {
		return
	}
	if d := l.bus.cfg.Coalesce - time.Since(l.readAt); d > 0 {
		l.announceFrom(readBufferBytes)
		pause(l.ctx, d)
		l.announceFrom(1)
	}
}

// announceFrom has the kernel keep to itself what arrives, until there are so many
// bytes or the connection ends. Without that each message that nobody wants yet
// wakes a thread of the runtime, which waits for all connections, and puts it to
// sleep again: with a message a millisecond, a tenth of what their delivery to 15
// members took. It is SO_RCVLOWAT of socket(7); a failure costs no more than that.
func (g *gathering) announceFrom(bytes int) {
	if g.socket == nil {
		return
	}
	_ = g.socket.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, bytes)
	})
}
