package bench

import (
	"context"
	"fmt"
	"io"
	"net/netip"
)

// Peer is a server to compare with. It keeps to a contract so small that one can
// be written around any WebSocket library in an evening:
//
//	PEER --listen 127.0.0.1:0 --secret S --redis URL --ping-interval 25s
//
// prints {"message":"serving","listen":"127.0.0.1:PORT"} to standard error when
// it is ready, upgrades /ws?token=JWT (HS256, claim user_id), answers
// {"type":"join_room","content":"ROOM"} with {"type":"joined","room":"ROOM"},
// subscribes to websocket:room:ROOM in Redis and sends each payload as one text
// frame to each member, pings at the interval, and ends at SIGTERM.
type Peer struct {
	*child
	listen netip.AddrPort
	joins  bool
}

// Addr is where the peer listens.
func (p *Peer) Addr() netip.AddrPort { return p.listen }

// Joins tells whether it takes join_room.
func (p *Peer) Joins() bool { return p.joins }

// floorName is the peer that takes no commands: everybody is in one room.
const floorName = "floor"

// PeerCandidate starts a peer with a command line, to which the flags of the
// contract are added.
func PeerCandidate(name string, command ...string) Candidate {
	return Candidate{Name: name, Start: func(ctx context.Context, redisURL string, log io.Writer) (Target, error) {
		command := append(command[:len(command):len(command)],
			"--listen", "127.0.0.1:0", "--secret", Secret, "--redis", redisURL, "--ping-interval", "25s")
		process, s, err := startChild(ctx, name, log, nil, command...)
		if err != nil {
			return nil, err
		}
		p := &Peer{child: process, joins: name != floorName}
		if p.listen, err = netip.ParseAddrPort(s.Listen); err != nil {
			p.kill()
			return nil, fmt.Errorf("bench: start %s: it says that it listens on %q: %w", name, s.Listen, err)
		}
		return p, nil
	}}
}

// OutsideCandidate measures a server that somebody else has started.
func OutsideCandidate(o Outside) Candidate {
	return Candidate{Name: "outside", Start: func(context.Context, string, io.Writer) (Target, error) { return o, nil }}
}
