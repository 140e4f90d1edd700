package main

import (
	"context"

	"github.com/spf13/cobra"
)

func newServeCommand(p process, src *sources) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run a node until SIGINT or SIGTERM",
		Long: `Run a node until SIGINT or SIGTERM, which ask it to send its clients elsewhere
and to stop in order within shutdown.timeout; a second signal ends it at once.

The configuration is put together from the defaults, the file of --config, the
environment (GATEWAY_ and the key in capitals, with _ for each dot), and the
flags, each overriding the one before. configs/gateway.yaml explains every key.`,
		Example: `  gateway serve --config configs/gateway.yaml
  gateway serve --development
  GATEWAY_JWT_SECRET=... gateway serve --redis-url redis://redis:6379 --set engine.ping_interval=20s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return startNode(cmd.Context(), p, *src)
		},
	}
}

// startNode is `gateway serve`: it settles the configuration and the logger,
// and leaves the rest to serve.
func startNode(ctx context.Context, p process, src sources) error {
	cfg, ignored, err := src.load()
	if err != nil {
		return err
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	log, err := newLogger(cfg.Log, p.errOut)
	if err != nil {
		return err
	}
	if len(ignored) > 0 {
		log.Debug().Strs("variables", ignored).Msg("environment variables that match no key are ignored")
	}
	warnDevelopment(cfg, log)
	tuneGC(p.environ)
	return serve(ctx, cfg, log, p.out)
}
