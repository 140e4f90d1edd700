// Command adminapi is an example: the admin backend of an application, reduced
// to what it tells the gateways' browsers. It turns HTTP requests into calls of
// package notification and needs nothing of the gateways but their Redis.
//
//	gateway  ◄── Redis ◄── notification.Client ◄── adminapi ◄── curl
//
// Read handler.go first. Try it beside a running gateway:
//
//	go run ./cmd/adminapi
//	curl -H 'Content-Type: application/json' -d '{"user_id":"42","title":"Hello"}' \
//		http://127.0.0.1:8090/notify/user
//
// It asks nobody who they are, and so listens on the loopback only unless told
// otherwise. A real one puts its own authentication in front of the handler.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/ginforge/gateway/pubsub/notification"
)

// stopTimeout is how long requests under way may take after the signal to stop.
const stopTimeout = 5 * time.Second

const usage = `adminapi publishes to the gateways' browsers, through Redis, what it is told over HTTP.

Usage:

	adminapi [flags]

Endpoints, each a POST with a JSON object:

	/notify/user    user_id, title, body, icon, link, category
	/notify/system  title, body, icon, link, category
	/message/room   room, from, from_name, and text or content
	/data-update    entity, action, id, data

Flags:

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stderr)
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "adminapi:", err)
		stop()
		os.Exit(1)
	}
}

// options are the command line's.
type options struct {
	listen string
	prefix string
	redis  *redis.Options
}

// run is the command: it serves until ctx ends. It writes help and log to w.
func run(ctx context.Context, args []string, w io.Writer) error {
	opts, err := parse(args, w)
	if err != nil {
		return err
	}
	log := zerolog.New(w).With().Timestamp().Logger()

	logging.Disable() // go-redis's own: its errors come back to us
	redisClient := redis.NewClient(opts.redis)
	defer redisClient.Close()
	client := notification.NewClient(redisClient, notification.WithPrefix(opts.prefix))

	listener, err := net.Listen("tcp", opts.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if addr := listener.Addr().(*net.TCPAddr); !addr.IP.IsLoopback() {
		log.Warn().Stringer("addr", addr).Msg("open to other machines, and nobody is asked who they are")
	}
	log.Info().Stringer("addr", listener.Addr()).Str("redis", opts.redis.Addr).Msg("adminapi listens")
	if err := redisClient.Ping(ctx).Err(); err != nil {
		log.Warn().Err(err).Msg("redis does not answer yet; requests fail until it does")
	}
	return serve(ctx, listener, newHandler(client, log))
}

// parse reads the command line.
func parse(args []string, w io.Writer) (options, error) {
	var opts options
	var redisURL string
	flags := pflag.NewFlagSet("adminapi", pflag.ContinueOnError)
	flags.SetOutput(w)
	flags.Usage = func() { fmt.Fprint(w, usage, flags.FlagUsages()) }
	flags.StringVar(&opts.listen, "listen", "127.0.0.1:8090", "`address` to serve HTTP on")
	flags.StringVar(&redisURL, "redis", "redis://127.0.0.1:6379", "`URL` of the gateways' Redis, or of a gateway's embedded one")
	flags.StringVar(&opts.prefix, "prefix", "websocket:", "the gateways' redis.prefix")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0))
	}
	redisOptions, err := redis.ParseURL(redisURL)
	if err != nil { // its text may hold the password
		return options{}, errors.New("--redis: not a URL of the form redis://[user:password@]host[:port][/db]")
	}
	// One attempt: whoever asked can try again, and gets an answer at once.
	redisOptions.MaxRetries, redisOptions.DialerRetries = -1, 1
	opts.redis = redisOptions
	return opts, nil
}

// serve serves until ctx ends, and then lets the requests under way finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }() // ends with Shutdown or Close

	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := server.Shutdown(stopCtx)
	if err != nil {
		_ = server.Close()
		err = fmt.Errorf("requests were cut off after %v: %w", stopTimeout, err)
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve: %w", serveErr))
	}
	return err
}
