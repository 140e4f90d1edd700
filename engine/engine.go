package engine

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lesismal/nbio"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/rs/zerolog"
)

// readBufferBytes is the size of the one read buffer that each poller has.
const readBufferBytes = 64 << 10

// maxRequestBytes bounds an HTTP request: a URL with a token of 8 KiB and the
// headers that browsers and proxies add.
const maxRequestBytes = 32 << 10

// httpKeepAlive only disarms nbhttp's own idle timer; the wheel cuts idle HTTP
// connections after Config.HandshakeTimeout.
const httpKeepAlive = 24 * time.Hour

// Engine accepts connections and runs their pollers. Its methods may be called
// from any goroutine.
type Engine struct {
	// Set by New, then unchanged.
	cfg        Config
	maxConns   int
	log        zerolog.Logger
	limitedLog *limitedLog
	http       *nbhttp.Engine
	handler    http.Handler
	wheel      *wheel
	pumps      []*pump
	deflater   *deflater
	onData     func(*nbio.Conn, []byte)

	stats counters
	slow  slowConns
	letIn atomic.Pointer[[]string] // origins; replaced as a whole

	listener *listener // set by Start
	done     chan struct{}
	stopOnce sync.Once // guards closing listener and done
	haltOnce sync.Once // guards stopping http, which does not bear it twice
	halted   chan struct{}
	running  sync.WaitGroup

	// Set by Start.
	stopTick, stopPumps context.CancelFunc
}

// Endpoint is what all connections of one path have in common.
type Endpoint struct {
	engine *Engine
	limits Limits
	// sparePings has only those connections pinged that sent nothing for a whole
	// ping interval.
	sparePings bool
}

// New makes an engine that serves HTTP with handler, on the pollers: the
// handler must not block. It calls Upgrade to turn a request into a connection.
func New(cfg Config, handler http.Handler, log zerolog.Logger) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := checkNBConn(); err != nil {
		return nil, err
	}
	if cfg.Pollers == 0 {
		cfg.Pollers = runtime.NumCPU()
	}
	e := &Engine{
		cfg:        cfg,
		maxConns:   maxConnections(cfg.MaxConnections),
		log:        log,
		limitedLog: newLimitedLog(log),
		deflater:   newDeflater(cfg.Compression),
		done:       make(chan struct{}),
		halted:     make(chan struct{}),
		pumps:      newPumps(cfg.Pollers),
	}
	slow := slowLog{ticks: slowEvery}
	e.wheel = newWheel(cfg, e.silent, func() { slow.tick(e.log, &e.stats) })
	silenceNbio(log)
	e.handler = e.guard(handler)
	e.http = nbhttp.NewEngine(nbhttp.Config{
		Name:              "gateway",
		NPoller:           cfg.Pollers,
		ReadBufferSize:    readBufferBytes,
		ReadLimit:         maxRequestBytes,
		MaxHTTPBodySize:   1, // no endpoint takes a body
		KeepaliveTime:     httpKeepAlive,
		Handler:           e.handler,
		ServerExecutor:    func(f func()) { f() },
		SupportServerOnly: true,
	})
	e.onData = e.http.DataHandler
	e.hook()
	return e, nil
}

// hook replaces nbhttp's callbacks by ours.
func (e *Engine) hook() {
	core := e.http.Engine
	// nbio hands a connection from the acceptor to a poller without anything the
	// race detector can see. The counter is written here and read below, which
	// gives it, and the memory model, the edge.
	core.OnOpen(func(nb *nbio.Conn) {
		if nb.Session() == nil {
			return // a probe of awaitPollers
		}
		e.stats.accepted.Add(1)
		e.stats.open.Add(1)
	})
	core.OnReadBufferAlloc(func(nb *nbio.Conn) *[]byte {
		e.stats.accepted.Load()
		return core.PollerBufferPtr(nb)
	})
	core.OnWrittenSize(onWritten)
	core.OnClose(e.closed)
}

// Start listens and returns; it fails when the address cannot be bound.
func (e *Engine) Start(ctx context.Context) error {
	var err error
	if e.listener, err = openListener(ctx, e.cfg.Addr); err != nil {
		return fmt.Errorf("engine: listen on %q: %w", e.cfg.Addr, err)
	}
	if err := e.http.Start(); err != nil {
		e.listener.free()
		return fmt.Errorf("engine: start event loop: %w", err)
	}
	if err := e.awaitPollers(); err != nil {
		e.listener.free()
		return err
	}
	tickCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.stopTick = cancel
	e.running.Go(func() { e.wheel.run(tickCtx) })
	pumpCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.stopPumps = cancel
	for _, p := range e.pumps {
		e.running.Go(func() { p.run(pumpCtx) })
	}
	e.running.Go(e.acceptLoop)
	return nil
}

// Addr is the address the engine listens on; valid after Start.
func (e *Engine) Addr() net.Addr { return e.listener.addr }

// MaxConnections is the number of connections from which OverCapacity is true.
func (e *Engine) MaxConnections() int { return e.maxConns }

// OverCapacity reports whether a new connection should be refused.
func (e *Engine) OverCapacity() bool { return e.stats.open.Load() > int64(e.maxConns) }

// NewEndpoint makes what the connections of one path share.
func (e *Engine) NewEndpoint(limits Limits) *Endpoint {
	return &Endpoint{engine: e, limits: limits}
}

// StopAccepting closes the listener; open connections go on.
func (e *Engine) StopAccepting() {
	e.stopOnce.Do(func() {
		close(e.done)
		e.listener.close()
	})
}

// Stop ends accepting, cuts every connection that is still open and waits until
// all goroutines have ended and every OnClose has been called, or until ctx ends.
// It may be called again to go on waiting.
func (e *Engine) Stop(ctx context.Context) error {
	e.StopAccepting()
	e.stopTick()
	e.stopPumps()
	e.running.Wait()
	e.haltOnce.Do(func() {
		go func() { // ends when all connections have
			e.http.Engine.Stop()
			close(e.halted)
		}()
	})
	select {
	case <-e.halted:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("engine: stop event loop: %w", ctx.Err())
	}
}

// closed is nbio's last word on a connection, on its close goroutine.
func (e *Engine) closed(nb *nbio.Conn, _ error) {
	if nb.Session() == nil {
		return // a probe of awaitPollers
	}
	e.stats.open.Add(-1)
	switch s := nb.Session().(type) {
	case *takeover:
		c := (*Conn)(s)
		e.wheel.remove(c)
		if !c.has(flagPlain) {
			e.stats.webSockets.Add(-1)
		}
		c.handler.OnClose(c.writeOff())
	case *nbhttp.Parser:
		s.CloseAndClean(nil)
	}
}

// writeOff forgets what was still to be sent and returns what ended the
// connection.
func (c *Conn) writeOff() CloseCode {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.addPending(-int(c.pending.Load()))
	if c.has(flagHeld) {
		c.dropHeld()
	}
	if c.behind != nil {
		c.behind.writeOff()
		c.noBacklog()
	}
	if c.code == 0 {
		return CloseAbnormal
	}
	return CloseCode(c.code)
}

// silent ends a connection that did not answer a ping. Called by the wheel.
func (e *Engine) silent(c *Conn) {
	if c.Closing() {
		return
	}
	e.stats.pingsMissed.Add(1)
	c.Close(e.cfg.PongMissed)
}
