package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Candidate is a server that can be started for a measurement.
type Candidate struct {
	Name  string
	Start func(ctx context.Context, redisURL string, log io.Writer) (Target, error)
}

// ParseCandidate reads a target of the command line:
//
//	gateway                       this project's gateway: the binary gateway in the directory bin
//	gateway engine.pollers=1      the same with settings of its configuration
//	gateway@/tmp/old/gateway      another binary of it
//	gws, floor --threads 2        a peer in bin/peers, with flags of its own
//	./mine --flag                 any other program that keeps to the contract of peers
func ParseCandidate(spec, bin string) (Candidate, error) {
	words := strings.Fields(spec)
	if len(words) == 0 {
		return Candidate{}, errors.New("bench: a target without a name")
	}
	first, rest := words[0], words[1:]
	kind, binary, elsewhere := strings.Cut(first, "@")
	switch {
	case kind == "gateway" && !elsewhere:
		return gatewayCandidate(spec, filepath.Join(bin, "gateway"), rest)
	case kind == "gateway":
		return gatewayCandidate(spec, binary, rest)
	case strings.Contains(first, "/"):
		return peerCandidate(spec, first, rest)
	default:
		return peerCandidate(spec, filepath.Join(bin, "peers", first), rest)
	}
}

func gatewayCandidate(name, binary string, settings []string) (Candidate, error) {
	for _, s := range settings {
		if !strings.Contains(s, "=") {
			return Candidate{}, fmt.Errorf("bench: target %q: %q is not key=value", name, s)
		}
	}
	return Candidate{Name: name, Start: func(ctx context.Context, redisURL string, log io.Writer) (Target, error) {
		return StartGateway(ctx, binary, log, append([]string{"redis.url=" + redisURL}, settings...)...)
	}}, exists(name, binary)
}

func peerCandidate(name, binary string, flags []string) (Candidate, error) {
	return Candidate{Name: name, Start: func(ctx context.Context, redisURL string, log io.Writer) (Target, error) {
		return StartPeer(ctx, name, redisURL, log, append([]string{binary}, flags...)...)
	}}, exists(name, binary)
}

func exists(name, binary string) error {
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("bench: target %q: %w (make build makes the gateway, make -C bench/peers the others)", name, err)
	}
	return nil
}

// OutsideCandidate is a server that somebody else has started.
func OutsideCandidate(o Outside) Candidate {
	return Candidate{Name: "outside", Start: func(context.Context, string, io.Writer) (Target, error) { return o, nil }}
}

// isFloor reports whether a target is the C loop that only calls write(2), in one
// of its variants.
func isFloor(name string) bool {
	return filepath.Base(strings.Fields(name)[0]) == "floor"
}
