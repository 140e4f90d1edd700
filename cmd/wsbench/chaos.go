package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ginforge/gateway/bench"
	"github.com/ginforge/gateway/bench/chaos"
	"github.com/ginforge/gateway/bench/chaos/redises"
)

// chaosFlags are the flags of `wsbench chaos` that are not options of a run.
type chaosFlags struct {
	options chaos.Options
	redis   []string
	faults  []string
	bin     string
	results string
	name    string
	log     string
}

func newChaosCommand() *cobra.Command {
	f := chaosFlags{options: chaos.DefaultOptions()}
	o := &f.options
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Kill, stop and cut nodes, Redis and connections, and account for every message",
		Long: `Run gateways, a real Redis and thousands of clients while faults come on a
schedule that follows from --seed, and account for every message by room, inbox
and offset. It fails unless nothing was lost, duplicated or out of order.

--redis standalone,sentinel,cluster takes the topologies in turn.`,
		Example: `  wsbench chaos
  wsbench chaos --redis sentinel --duration 30m --seed 7
  wsbench chaos --faults node-kill,herd --clients 500 --duration 1m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(&f.redis, "redis", []string{string(o.Topology)}, "standalone, sentinel, cluster: one or several, in turn")
	flags.Uint64Var(&o.Seed, "seed", o.Seed, "the schedule's")
	flags.DurationVar(&o.Duration, "duration", o.Duration, "how long faults come, for each topology")
	flags.IntVar(&o.Nodes, "nodes", o.Nodes, "gateways")
	flags.IntVarP(&o.Clients, "clients", "n", o.Clients, "clients")
	flags.DurationVar(&o.Gap, "gap", o.Gap, "quiet between two faults, about")
	flags.Float64Var(&o.Rate, "rate", o.Rate, "messages a second of all publishers together")
	flags.StringSliceVar(&f.faults, "faults", kinds(o.Faults), "kinds of faults")
	flags.StringArrayVar(&o.Settings, "set", nil, "one more setting for the gateways, `key=value` (repeatable)")
	flags.StringVar(&f.bin, "bin", defaultBin(), "`directory` of the gateway's binary")
	flags.StringVar(&f.results, "results", "", "write DATE-NAME.json and .html to this `directory` (default: nowhere)")
	flags.StringVar(&f.name, "name", "chaos", "NAME in the file's name")
	flags.StringVar(&f.log, "log", "", "append what the gateways log to this `file` (default: it is dropped)")
	return cmd
}

func kinds(faults []chaos.Kind) []string {
	names := make([]string, len(faults))
	for i, k := range faults {
		names[i] = string(k)
	}
	return names
}

// run carries out the runs and shows what was found.
func (f *chaosFlags) run(cmd *cobra.Command) error {
	o := &f.options
	o.Report = newReporter(cmd.ErrOrStderr())
	o.Gateway = filepath.Join(f.bin, "gateway")
	if _, err := os.Stat(o.Gateway); err != nil {
		return fmt.Errorf("the gateway's binary: %w (make build)", err)
	}
	o.Faults = nil
	for _, name := range f.faults {
		o.Faults = append(o.Faults, chaos.Kind(strings.TrimSpace(name)))
	}
	if f.log != "" {
		file, err := os.OpenFile(f.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return fmt.Errorf("--log: %w", err)
		}
		defer file.Close()
		o.Log = file
	}
	doc := &bench.Document{
		Schema: bench.Schema, Name: f.name, Started: time.Now(), Command: commandLine(os.Args[1:]), Machine: bench.ThisMachine(),
	}
	err := f.runs(cmd.Context(), doc)
	m := measurement{results: f.results}
	return errors.Join(err, m.show(cmd, doc))
}

// runs fills the document, one result for each topology. One that fails does not
// keep the others from being run.
func (f *chaosFlags) runs(ctx context.Context, doc *bench.Document) error {
	var errs []error
	for _, topology := range f.redis {
		o := f.options
		o.Topology = redises.Topology(topology)
		result, err := chaos.Run(ctx, o)
		doc.Results = append(doc.Results, result)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", topology, err))
			result.Notes = append(result.Notes, err.Error())
		}
		if c := result.Chaos; c != nil && len(f.redis) > 1 { // the table comes when all are done
			o.Report.Say("%s: of %d deliveries %d lost, %d duplicated, %d out of order; %d presence errors, %d flaps",
				topology, c.Due, c.Lost, c.Duplicated, c.OutOfOrder, c.Presence.Errors, c.Presence.Flaps)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}
