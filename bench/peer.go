package bench

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"github.com/ginforge/gateway/bench/worker"
)

// Peer is a server to compare with. It keeps to a contract so small that one can
// be written around any WebSocket library in an evening:
//
//	PEER --listen 127.0.0.1:0 --secret S --redis URL --ping-interval 25s
//
// prints {"message":"serving","listen":"127.0.0.1:PORT"} to standard error when
// it is ready, upgrades /ws?token=JWT (HS256, claim user_id), answers
// {"type":"join_room","content":"ROOM"} with {"type":"joined","room":"ROOM"},
// sends what is published to websocket:room:ROOM in Redis as a text message to
// each member, pings at the interval, and ends at SIGTERM. One with a protocol of
// its own adds its worker.Dialect to the line.
type Peer struct {
	*child
	listen  netip.AddrPort
	dialect worker.Dialect
}

// Addr is where the peer listens.
func (p *Peer) Addr() netip.AddrPort { return p.listen }

// Dialect is how to talk to it.
func (p *Peer) Dialect() worker.Dialect { return p.dialect }

// StartPeer starts a peer with a command line, to which the flags of the contract
// are added.
func StartPeer(ctx context.Context, name, redisURL string, log io.Writer, command ...string) (*Peer, error) {
	command = append(command[:len(command):len(command)],
		"--listen", "127.0.0.1:0", "--secret", Secret, "--redis", redisURL, "--ping-interval", "25s")
	process, s, err := startChild(ctx, name, log, nil, command...)
	if err != nil {
		return nil, err
	}
	p := &Peer{child: process, dialect: s.Dialect}
	switch {
	case isFloor(name):
		p.dialect = worker.Dialect{} // it takes no commands
	case p.dialect.Join == "":
		p.dialect = worker.Plain
	}
	if p.listen, err = netip.ParseAddrPort(s.Listen); err != nil {
		p.kill()
		return nil, fmt.Errorf("bench: start %s: it says that it listens on %q: %w", name, s.Listen, err)
	}
	return p, nil
}
