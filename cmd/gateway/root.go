package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// process is what a command has of the operating system, so that tests can
// give it something else.
type process struct {
	environ []string
	in      io.Reader
	out     io.Writer // results
	errOut  io.Writer // logs and warnings
}

// run carries out one command line. It returns when the command is done or,
// for serve, when ctx ends and the node has stopped.
func run(ctx context.Context, args []string, p process) error {
	root := newRoot(p)
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.errOut)
	return root.ExecuteContext(ctx)
}

func newRoot(p process) *cobra.Command {
	root := &cobra.Command{
		Use:   "gateway",
		Short: "A WebSocket gateway: browsers on one side, Redis channels on the other",
		Long: `A WebSocket gateway: browsers connect to it, and backends reach them with a
PUBLISH to Redis. Any number of gateways on one Redis are one system.`,
		Example: `  gateway serve --development
  gateway token --development --user u1 --name Ann
  gateway publish broadcast '{"type":"system","content":{"message":"hello","level":"info"}}'`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true

	src := &sources{environ: p.environ}
	addConfigFlags(root.PersistentFlags(), src)
	root.AddCommand(
		newServeCommand(p, src),
		newTokenCommand(p, src),
		newPublishCommand(p, src),
		newCheckCommand(p, src),
		newVersionCommand(p),
	)
	return root
}

// addConfigFlags defines the flags that say what the configuration is.
func addConfigFlags(flags *pflag.FlagSet, src *sources) {
	flags.SortFlags = false
	flags.StringVarP(&src.file, "config", "c", "",
		"YAML `file` with the configuration ($"+configVariable+"; none: defaults)")
	for _, f := range []struct{ name, key, value, usage string }{
		{"listen", "listen", "address", "public address, host:port"},
		{"admin-listen", "admin_listen", "address", "internal address, host:port"},
		{"redis-url", "redis.url", "url", "embedded, redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://"},
		{"log-level", "log.level", "level", strings.Join(logLevels, ", ")},
	} {
		flags.Var(&settingFlag{src: src, flag: "--" + f.name, key: f.key, kind: f.value}, f.name, f.usage)
	}
	flags.Var(&settingFlag{src: src, flag: "--development", key: "development", kind: "bool"}, "development",
		"development mode: a demo page, and a secret that everybody knows")
	flags.Lookup("development").NoOptDefVal = "true"
	flags.Var(&settingFlag{src: src, flag: "--set", kind: "key=value"}, "set",
		"any key of the configuration, such as limits.message_bytes=131072 (repeatable; lists with commas)")
}

// settingFlag is a flag that sets one key of the configuration or, with no key
// of its own, the one named in its value. The flags keep the order in which
// they are given, so that the last one wins.
type settingFlag struct {
	src             *sources
	flag, key, kind string
}

// Set adds a setting; pflag calls it for each time the flag is given.
func (f *settingFlag) Set(value string) error {
	name := f.key
	if name == "" {
		var ok bool
		if name, value, ok = strings.Cut(value, "="); !ok {
			return fmt.Errorf("want key=value, such as log.level=debug")
		}
	}
	f.src.flags = append(f.src.flags, setting{flag: f.flag, key: name, value: value})
	return nil
}

// String is the flag's default in the help: that of the configuration, not its own.
func (f *settingFlag) String() string { return "" }

// Type is what stands for the value in the help.
func (f *settingFlag) Type() string { return f.kind }
