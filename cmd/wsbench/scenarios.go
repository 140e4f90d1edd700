package main

import (
	"cmp"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ginforge/gateway/bench"
)

// scenario is one subcommand: its texts, its defaults, and its own flags.
type scenario struct {
	name, short, example string
	target               string // instead of gateway
	defaults             bench.Parameters
	flags                func(*pflag.FlagSet, *bench.Parameters)
	make                 func(bench.Parameters) bench.Scenario
}

var scenarios = []scenario{
	{
		name: "connect", short: "Open connections as a storm or at a rate: handshakes a second, their latency and CPU",
		example:  "  wsbench connect -n 15000\n  wsbench connect -n 15000 --arrival 2000\n  wsbench connect -n 15000 --rooms 0",
		defaults: bench.Parameters{Connections: 15_000, Rooms: 1},
		flags:    roomsFlag,
		make:     func(p bench.Parameters) bench.Scenario { return bench.Connect{P: p} },
	},
	{
		name: "idle", short: "Leave connections alone: memory of server and kernel for each",
		example:  "  wsbench idle -n 15000 --settle 20s\n  wsbench idle -n 15000 --personal",
		defaults: bench.Parameters{Connections: 15_000, Rooms: 1, Settle: 20 * time.Second},
		flags: func(f *pflag.FlagSet, p *bench.Parameters) {
			roomsFlag(f, p)
			f.BoolVar(&p.Personal, "personal", p.Personal, "one more room for each user alone")
		},
		make: func(p bench.Parameters) bench.Scenario { return bench.Idle{P: p} },
	},
	{
		name: "grow", short: "More and more connections: what further ones cost, and deliveries to all of them",
		example: "  wsbench grow -n 19000 --steps 1000,4000,10000,15000\n  wsbench grow --target gateway --target gws --target \"floor --threads 2\"",
		defaults: bench.Parameters{
			Connections: 19_000, Steps: []int{1000, 4000, 10_000, 15_000}, Rooms: 1,
			Rate: 5, Burst: 1, Size: 133, Duration: 10 * time.Second, Settle: 20 * time.Second,
		},
		flags: func(f *pflag.FlagSet, p *bench.Parameters) {
			f.IntSliceVar(&p.Steps, "steps", p.Steps, "numbers of connections on the way, at which to measure too")
			rateFlags(f, p, "messages a second")
		},
		make: func(p bench.Parameters) bench.Scenario { return bench.Grow{P: p} },
	},
	{
		name: "fanout", short: "Publish to one room of everybody: CPU for each delivery, latency, losses",
		example: "  wsbench fanout -n 15000 --rate 5\n  wsbench fanout -n 15000 --rate 1 --burst 20",
		defaults: bench.Parameters{
			Connections: 15_000, Rooms: 1, Rate: 5, Burst: 1, Size: 133, Duration: 10 * time.Second, Settle: 3 * time.Second,
		},
		flags: messageFlags,
		make:  func(p bench.Parameters) bench.Scenario { return bench.Fanout{P: p} },
	},
	{
		name: "rooms", short: "Publish to many small rooms",
		example: "  wsbench rooms -n 15000 --rooms 1000 --rate 1",
		defaults: bench.Parameters{
			Connections: 15_000, Rooms: 1000, Rate: 1, Burst: 1, Size: 133, Duration: 10 * time.Second, Settle: 3 * time.Second,
		},
		flags: func(f *pflag.FlagSet, p *bench.Parameters) {
			roomsFlag(f, p)
			messageFlags(f, p)
		},
		make: func(p bench.Parameters) bench.Scenario { return bench.Fanout{P: p} },
	},
	{
		name: "chat", short: "Clients send to the rooms that they are in",
		example: "  wsbench chat -n 15000 --rooms 1000 --rate 1",
		defaults: bench.Parameters{
			Connections: 15_000, Rooms: 1000, Rate: 1, Burst: 1, Size: 133, Duration: 10 * time.Second, Settle: 3 * time.Second,
		},
		flags: func(f *pflag.FlagSet, p *bench.Parameters) {
			roomsFlag(f, p)
			rateFlags(f, p, "messages a second in each room")
		},
		make: func(p bench.Parameters) bench.Scenario { return bench.Chat{P: p} },
	},
	{
		name: "users", short: "Users write to each other",
		example:  "  wsbench users -n 15000 --rate 5000",
		defaults: directDefaults,
		flags:    directFlags,
		make:     func(p bench.Parameters) bench.Scenario { return bench.Direct{P: p} },
	},
	{
		name: "notify", short: "A backend writes to single users",
		example:  "  wsbench notify -n 15000 --rate 5000",
		defaults: directDefaults,
		flags:    directFlags,
		make:     func(p bench.Parameters) bench.Scenario { return bench.Direct{P: p, Backend: true} },
	},
	{
		name: "herd", short: "Cut all connections at once: time until 50, 99 and 100 % are back",
		example:  "  wsbench herd -n 15000 --reset",
		defaults: bench.Parameters{Connections: 15_000, Rooms: 1, InFlight: 4096, Settle: 3 * time.Second},
		flags: func(f *pflag.FlagSet, p *bench.Parameters) {
			f.BoolVar(&p.Reset, "reset", p.Reset, "cut with RST instead of FIN")
		},
		make: func(p bench.Parameters) bench.Scenario { return bench.HerdCut{P: p} },
	},
	{
		name: "million", short: "A million connections over many nodes, all reached by one PUBLISH",
		// A million pings and pongs every 25 s would take the two cores of a small
		// machine for themselves, with both ends on it; and while the one message
		// is delivered, a client may wait over 10 s for its turn to say pong.
		target:  "gateway engine.ping_interval=10m engine.pong_timeout=5m",
		example: "  wsbench million\n  wsbench million -n 100000 --nodes 6",
		defaults: bench.Parameters{
			Connections: 1_000_000, Nodes: 53, Rooms: 1000, InFlight: 128, Settle: 20 * time.Second, Buffer: 4096,
		},
		flags: roomsFlag,
		make:  func(p bench.Parameters) bench.Scenario { return bench.Million{P: p} },
	},
}

var directDefaults = bench.Parameters{
	Connections: 15_000, Rooms: 1, Rate: 5000, Size: 133, Duration: 10 * time.Second, Settle: 3 * time.Second,
}

func directFlags(f *pflag.FlagSet, p *bench.Parameters) { rateFlags(f, p, "messages a second in all") }

func roomsFlag(f *pflag.FlagSet, p *bench.Parameters) {
	f.IntVar(&p.Rooms, "rooms", p.Rooms, "rooms, over which the users are spread evenly")
}

func messageFlags(f *pflag.FlagSet, p *bench.Parameters) {
	rateFlags(f, p, "messages, or bursts of them, a second in each room")
	f.IntVar(&p.Burst, "burst", p.Burst, "messages back to back each time")
}

func rateFlags(f *pflag.FlagSet, p *bench.Parameters, what string) {
	f.Float64Var(&p.Rate, "rate", p.Rate, what)
	f.IntVar(&p.Size, "size", p.Size, "about the bytes of a message")
	f.DurationVar(&p.Duration, "duration", p.Duration, "how long to send")
}

// commonFlags are those of every scenario.
func commonFlags(f *pflag.FlagSet, p *bench.Parameters) {
	f.IntVarP(&p.Connections, "connections", "n", p.Connections, "connections, one user each")
	f.Float64Var(&p.Arrival, "arrival", p.Arrival, "connections a second, in an open loop (0: begin one when another is done)")
	f.IntVar(&p.InFlight, "in-flight", p.InFlight, "handshakes under way at once in each client process (0: 256)")
	f.IntVar(&p.Nodes, "nodes", max(1, p.Nodes), "servers of each kind, joined by one Redis")
	f.IntVar(&p.Workers, "workers", p.Workers, "client processes (0: as few as can hold the connections)")
	f.DurationVar(&p.Settle, "settle", p.Settle, "rest after the last has joined")
	f.IntVar(&p.Buffer, "buffer", p.Buffer, "bytes of the clients' socket buffers (0: the kernel's choice)")
}

func newSuiteCommand() *cobra.Command {
	m := newMeasurement()
	cmd := &cobra.Command{
		Use:   "suite short|full",
		Short: "Run a selection of scenarios: short takes five minutes, full about 25",
		Long: `Run a selection of scenarios. short takes about five minutes; full has every
scenario but million, every peer, and how costs grow with the connections, and
takes about 25 minutes for each round.`,
		Example:   "  wsbench suite short --results bench/results\n  wsbench suite full --rounds 3 --limit 5h --results bench/results",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"short", "full"},
		RunE: func(cmd *cobra.Command, args []string) error {
			jobs, err := bench.Suite(args[0])
			if err != nil {
				return err
			}
			return m.run(cmd, args[0], jobs)
		},
	}
	cmd.Flags().SortFlags = false
	m.flags(cmd.Flags())
	return cmd
}

func scenarioCommands() []*cobra.Command {
	commands := make([]*cobra.Command, len(scenarios))
	for i, s := range scenarios {
		p, m := s.defaults, newMeasurement()
		commands[i] = &cobra.Command{
			Use: s.name, Short: s.short, Example: s.example, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return m.run(cmd, s.name, []bench.Job{{Scenario: s.make(p), Targets: []string{cmp.Or(s.target, "gateway")}}})
			},
		}
		flags := commands[i].Flags()
		flags.SortFlags = false
		commonFlags(flags, &p)
		if s.flags != nil {
			s.flags(flags, &p)
		}
		m.flags(flags)
	}
	return commands
}
