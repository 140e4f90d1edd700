package engine

import (
	"errors"
	"net/netip"
	"time"

	"github.com/lesismal/nbio"
	"golang.org/x/sys/unix"
)

// The acceptor is ours and not nbhttp's, for four reasons: nbhttp sets a read
// deadline after it has given the connection to a poller, which may by then
// have upgraded it; it keeps every connection in a map behind one lock; a limit
// should be checked before anything is allocated; and a connection that went
// through package net costs more system calls and memory (see listener.go).

const (
	minAcceptBackoff = 5 * time.Millisecond
	maxAcceptBackoff = time.Second
)

// acceptLoop accepts until the listener is closed. It outlives a shortage of
// files by waiting.
func (e *Engine) acceptLoop() {
	defer e.listener.free()
	backoff := minAcceptBackoff
	for {
		fd, from, err := e.listener.accept()
		switch {
		case err == nil:
			backoff = minAcceptBackoff
			e.admit(fd, from)
		case errors.Is(err, errListenerClosed):
			return
		default:
			e.stats.acceptErrors.Add(1)
			e.limitedLog.warn(err, "accepting a connection failed; trying again")
			select {
			case <-time.After(backoff):
			case <-e.done:
				return
			}
			backoff = min(2*backoff, maxAcceptBackoff)
		}
	}
}

// admit gives an accepted connection to a poller, or drops it when the engine
// is far beyond what it may hold: up to acceptSlack more are let in, so that
// they can be refused in words by whoever upgrades them.
func (e *Engine) admit(fd int, from netip.AddrPort) {
	if e.stats.open.Load() >= int64(e.maxConns+acceptSlack) {
		e.stats.acceptErrors.Add(1)
		_ = unix.Close(fd) // it was never anybody's
		return
	}
	nb := newNBConn(fd)
	nb.SetSession(&httpConn{Conn: nb, engine: e, from: from})
	nb.OnData(e.onData)
	if _, err := e.http.AddConn(nb); err != nil {
		e.stats.acceptErrors.Add(1)
		e.limitedLog.warn(err, "adding a connection to the event loop failed")
		return
	}
	e.wheel.after(e.cfg.HandshakeTimeout, dueEntry{http: nb})
}

// runInline has nbhttp call the HTTP handler on the poller.
func runInline(f func()) bool {
	f()
	return true
}

// cutHTTP ends a connection that has not been upgraded in time, a keep-alive
// connection among them.
func cutHTTP(nb *nbio.Conn) {
	if _, upgraded := nb.Session().(*takeover); !upgraded {
		shutdownSocket(nb, true)
	}
}

// fileReserve is kept of the open-file limit for everything that is not a
// client: listeners, Redis, logs, and numbers that are used while accepting.
const (
	fileReserve = 512
	acceptSlack = 64
)

// maxConnections is the configured bound, or what the open-file limit allows.
func maxConnections(configured int) int {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		if configured > 0 {
			return configured
		}
		return 1024 - fileReserve
	}
	files := int(min(lim.Cur, 1<<30))
	allowed := max(files-fileReserve-acceptSlack, files/2)
	if configured > 0 {
		return min(configured, allowed)
	}
	return allowed
}
