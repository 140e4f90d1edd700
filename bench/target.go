package bench

import (
	"context"
	"net/netip"

	"github.com/ginforge/gateway/bench/worker"
)

// Target is a server under measurement.
type Target interface {
	// Addr is where it listens.
	Addr() netip.AddrPort
	// PID is its process on this machine, 0 when there is none to be seen.
	PID() int
	// Dialect is how to talk to it; one without Join has everybody in one room.
	Dialect() worker.Dialect
	// Stop ends it, if this process has started it.
	Stop(ctx context.Context) error
}

// Addr is where the gateway listens.
func (g *Gateway) Addr() netip.AddrPort { return g.Listen }

// Dialect is the plain one.
func (g *Gateway) Dialect() worker.Dialect { return worker.Plain }

// Outside is a server that somebody else has started.
type Outside struct {
	Server  netip.AddrPort
	Process int // 0 when it is not to be measured
}

// Addr is where the server listens.
func (o Outside) Addr() netip.AddrPort { return o.Server }

// PID is the server's process.
func (o Outside) PID() int { return o.Process }

// Dialect is the plain one.
func (o Outside) Dialect() worker.Dialect { return worker.Plain }

// Stop does nothing.
func (o Outside) Stop(context.Context) error { return nil }
