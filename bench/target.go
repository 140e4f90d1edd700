package bench

import (
	"context"
	"io"
	"net/netip"
)

// Target is a server under measurement.
type Target interface {
	// Addr is where it listens.
	Addr() netip.AddrPort
	// PID is its process on this machine, 0 when there is none to be seen.
	PID() int
	// Joins tells whether it takes join_room; one that does not has everybody in
	// one room.
	Joins() bool
	// Stop ends it, if this process has started it.
	Stop(ctx context.Context) error
}

// Candidate is a kind of server that can be started for a measurement.
type Candidate struct {
	Name  string
	Start func(ctx context.Context, redisURL string, log io.Writer) (Target, error)
}

// GatewayCandidate starts this project's gateway from a binary, with settings
// (key=value).
func GatewayCandidate(name, binary string, settings ...string) Candidate {
	return Candidate{Name: name, Start: func(ctx context.Context, redisURL string, log io.Writer) (Target, error) {
		return StartGateway(ctx, binary, log, append([]string{"redis.url=" + redisURL}, settings...)...)
	}}
}

// Addr is where the gateway listens.
func (g *Gateway) Addr() netip.AddrPort { return g.Listen }

// Joins is true.
func (g *Gateway) Joins() bool { return true }

// Outside is a server that somebody else has started.
type Outside struct {
	Server  netip.AddrPort
	Process int // 0 when it is not to be measured
}

// Addr is where the server listens.
func (o Outside) Addr() netip.AddrPort { return o.Server }

// PID is the server's process.
func (o Outside) PID() int { return o.Process }

// Joins is true.
func (o Outside) Joins() bool { return true }

// Stop does nothing.
func (o Outside) Stop(context.Context) error { return nil }
