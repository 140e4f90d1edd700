package pubsub

import (
	"context"
	"net"
	"syscall"
)

// tied is a connection that closes when a context ends, which go-redis does not look
// at while it waits for an answer.
type tied struct {
	net.Conn
	untie func() bool
}

// tiedSocket is one of which go-redis asks the system, before it uses it again,
// whether the other end has closed it.
type tiedSocket struct {
	tied
	syscall.Conn
}

// tie returns conn, which closes when ctx ends.
func tie(ctx context.Context, conn net.Conn) net.Conn {
	t := tied{conn, context.AfterFunc(ctx, func() { _ = conn.Close() })}
	if socket, ok := conn.(syscall.Conn); ok { // not with TLS
		return tiedSocket{t, socket}
	}
	return t
}

// Close closes the connection, which ctx then has no hold on any more.
func (t tied) Close() error {
	t.untie()
	return t.Conn.Close()
}
