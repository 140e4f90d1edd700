package pubsub

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"
)

// embedded is a Redis inside this process, for development and demonstrations:
// it forgets everything when it stops and has no password.
type embedded struct {
	server *miniredis.Miniredis
}

// startEmbedded listens on addr, or on a free port of the same host when addr
// is taken, and logs where.
func startEmbedded(addr string, log zerolog.Logger) (*embedded, error) {
	server := miniredis.NewMiniRedis()
	err := server.StartAddr(addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		host, _, _ := net.SplitHostPort(addr) // valid: it has been listened on
		log.Warn().Str("taken", addr).Msg("redis.embedded_listen is taken, using a free port")
		err = server.StartAddr(net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return nil, fmt.Errorf("redis.embedded_listen: start embedded redis: %w", err)
	}
	server.ClockTTL(true) // keys expire with time, as in a real one
	log.Info().Str("addr", server.Addr()).Msg("embedded redis listens")
	return &embedded{server: server}, nil
}

func (e *embedded) addr() string { return e.server.Addr() }

func (e *embedded) stop() { e.server.Close() }
