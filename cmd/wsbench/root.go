package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ginforge/gateway/bench"
	"github.com/ginforge/gateway/bench/worker"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "wsbench",
		Short: "Measure a WebSocket gateway, and others beside it",
		Long: `Measure a WebSocket gateway, and others beside it, with up to a million
connections from this machine to itself.

Every scenario starts its servers, a redis-server and its own client processes on
free ports, says what it does, stops by itself, and ends everything that it has
started. Latencies count from when a message was due, not from when it left, and
are refused when the client side was too busy to measure them.`,
		Example: `  wsbench connect -n 15000
  wsbench idle -n 15000 --settle 20s
  wsbench fanout -n 15000 --rate 5 --burst 20 --target gateway --target gws --target floor
  wsbench idle -n 1000 --url 127.0.0.1:8087 --pid 4711 --redis 127.0.0.1:6379 --secret ...`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(scenarioCommands()...)
	root.AddCommand(newChaosCommand(), newSuiteCommand(), newShowCommand(), newWorkerCommand())
	return root
}

func newShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show FILE.json...",
		Short:   "Print the tables of earlier results and write their pages anew",
		Example: "  wsbench show bench/results/2026-01-31-short.json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, path := range args {
				doc, err := bench.Load(path)
				if err != nil {
					return err
				}
				if err := showDocument(cmd.OutOrStdout(), doc); err != nil {
					return err
				}
				if _, err := doc.SavePage(filepath.Dir(path)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func newWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "worker",
		Short:  "Hold connections as told on standard input (used by the other commands)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return worker.Run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}
