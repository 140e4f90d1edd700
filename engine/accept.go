package engine

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/lesismal/nbio"
	"github.com/lesismal/nbio/nbhttp"
	"golang.org/x/sys/unix"
)

// The acceptor is ours and not nbhttp's, for three reasons: nbhttp sets a read
// deadline after it has given the connection to a poller, which may by then
// have upgraded it; it keeps every connection in a map behind one lock; and a
// limit should be checked before anything is allocated.

const (
	minAcceptBackoff = 5 * time.Millisecond
	maxAcceptBackoff = time.Second
)

// listen opens the engine's listener. TCP keep-alive is off: the WebSocket
// heartbeat does its work.
func (e *Engine) listen(ctx context.Context) error {
	lc := net.ListenConfig{KeepAlive: -1}
	ln, err := lc.Listen(ctx, "tcp", e.cfg.Addr)
	if err != nil {
		return err
	}
	e.listener = ln
	return nil
}

// acceptLoop accepts until the listener is closed. It outlives a shortage of
// files by waiting.
func (e *Engine) acceptLoop() {
	backoff := minAcceptBackoff
	for {
		conn, err := e.listener.Accept()
		switch {
		case err == nil:
			backoff = minAcceptBackoff
			e.admit(conn)
		case errors.Is(err, net.ErrClosed):
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
func (e *Engine) admit(conn net.Conn) {
	if e.stats.open.Load() >= int64(e.maxConns+acceptSlack) {
		e.stats.acceptErrors.Add(1)
		_ = conn.Close()
		return
	}
	nb, err := nbio.NBConn(conn)
	if err != nil {
		e.stats.acceptErrors.Add(1)
		_ = conn.Close()
		e.limitedLog.warn(err, "handing a connection to the event loop failed")
		return
	}
	nb.SetSession(nbhttp.NewParser(nb, e.http, nbhttp.NewServerProcessor(), false, runInline))
	nb.OnData(e.onData)
	if _, err := e.http.AddConn(nb); err != nil {
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
