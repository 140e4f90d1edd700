package peer

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Server is one peer: its library with connections in rooms.
type Server interface {
	// Serve accepts connections from l until ctx ends. Connections that are
	// still open then end with the process.
	Serve(ctx context.Context, l net.Listener) error
	// ToRoom sends payload as one text message to each member of room. It is
	// called from one goroutine, in the order in which Redis delivered, and
	// payload is never written to again.
	ToRoom(room string, payload []byte)
	// ToAll sends payload to each connection, as ToRoom does to members.
	ToAll(payload []byte)
}

// Config is what a peer is given to work with.
type Config struct {
	Verifier     *Verifier
	PingInterval time.Duration
	PongTimeout  time.Duration // how long after a ping its pong may arrive
}

// Dialect tells how a client of a server with a protocol of its own joins a
// room. Its zero value is the protocol of the plain peers.
type Dialect struct {
	// Join is the text message to send, with ROOM where the room's name belongs.
	Join string `json:"join,omitempty"`
	// Joined is part of the text message that answers Join.
	Joined string `json:"joined,omitempty"`
}

// pongTimeout is the gateway's.
const pongTimeout = 10 * time.Second

// Main runs the server that build makes until SIGTERM or SIGINT, and exits with
// code 0 after them and 1 after an error.
func Main(dialect Dialect, build func(Config) (Server, error)) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], dialect, build); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, dialect Dialect, build func(Config) (Server, error)) error {
	flags := flag.NewFlagSet("peer", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "`address` to listen on")
	secret := flags.String("secret", "", "HS256 `key` of the tokens")
	redisURL := flags.String("redis", "redis://127.0.0.1:6379", "`URL` of Redis")
	pingInterval := flags.Duration("ping-interval", 25*time.Second, "time between pings of a connection")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("peer: %w", err)
	}
	if *secret == "" || *pingInterval <= 0 {
		return errors.New("peer: --secret must not be empty, --ping-interval must be positive")
	}

	server, err := build(Config{
		Verifier:     NewVerifier(*secret),
		PingInterval: *pingInterval,
		PongTimeout:  pongTimeout,
	})
	if err != nil {
		return fmt.Errorf("peer: %w", err)
	}
	sub, err := subscribe(ctx, *redisURL)
	if err != nil {
		return err
	}
	defer sub.Close()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("peer: listen: %w", err)
	}
	// Whoever reads the line may connect at once: until Serve accepts, the
	// kernel's queue of l holds the connections.
	if err := announce(l.Addr(), dialect); err != nil {
		return err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { cancel(sub.deliver(ctx, server)) }()
	if err := server.Serve(ctx, l); err != nil {
		return fmt.Errorf("peer: serve: %w", err)
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// announce writes the one line of JSON by which a harness learns the address.
func announce(addr net.Addr, dialect Dialect) error {
	err := json.NewEncoder(os.Stderr).Encode(struct {
		Message string `json:"message"`
		Listen  string `json:"listen"`
		Dialect
	}{"serving", addr.String(), dialect})
	if err != nil {
		return fmt.Errorf("peer: announce: %w", err)
	}
	return nil
}
