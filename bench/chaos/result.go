package chaos

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ginforge/gateway/bench"
	"github.com/ginforge/gateway/bench/chaos/ledger"
)

// newResult is the result of a run before it has begun.
func newResult(o Options) *bench.Result {
	return &bench.Result{
		Scenario: "chaos", Target: string(o.Topology), Round: 1, Started: time.Now(),
		What: fmt.Sprintf("%d nodes, %d clients in %d rooms with history, %.0f messages a second, %v of faults by seed %d",
			o.Nodes, o.Clients, o.rooms(), o.Rate, o.Duration, o.Seed),
		Parameters: bench.Parameters{
			Connections: o.Clients, Rooms: o.rooms(), Rate: o.Rate, Duration: o.Duration, Nodes: o.Nodes,
		},
		Chaos: &bench.Chaos{Seed: o.Seed, Topology: string(o.Topology)},
	}
}

// conclude closes the books.
func (r *run) conclude(ctx context.Context) {
	v, p, c := r.book.Verdict(), r.presence.Result(), r.result.Chaos
	c.Clean = v.Clean()
	c.Published, c.Refused = v.Published, v.Refused
	c.BySource = make(map[string]int)
	for _, s := range ledger.Sources {
		c.BySource[s.String()] = v.BySource[s]
	}
	c.Due, c.Delivered, c.Lost = v.Due, v.Delivered, v.Lost
	c.Duplicated, c.OutOfOrder = v.Duplicated, v.OutOfOrder
	c.Dropped, c.Gaps, c.Misdated = v.Dropped, v.Gaps, v.Misdated
	c.AtRisk, c.Unheard = v.AtRisk[ledger.Fell], v.AtRisk[ledger.Deaf]
	if r.published > 0 {
		c.Excused = v.Risky.Seconds() / r.published.Seconds()
	}
	c.Unrecovered, c.NewEpochs = v.Unrecovered, v.NewEpochs
	c.Unnumbered, c.Strangers = v.Unnumbered, v.Strange+v.Misdelivered
	c.FailedSends = int(r.sources.failed.Load())
	c.Presence = bench.ChaosPresence{
		Edges: p.Edges, Errors: p.Errors, Flaps: p.Flaps, Longest: p.Longest.Seconds(), Total: p.Total.Seconds(),
		Watched: p.Watched.Seconds(), Judged: p.Judged.Seconds(),
	}
	c.Takeovers, c.Lag = r.sampler.takes.Count(), r.crowd.Lag().Seconds()
	c.Harness = (ownCPU() - r.cpu).Seconds() / time.Since(r.result.Started).Seconds()
	c.Samples, c.Redis = r.sampler.result()
	c.Events = append(v.Events, r.presence.Events()...)
	ends, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r.result.Connections = bench.Connections{Asked: r.Clients, Joined: r.crowd.Progress().Ready, Ends: r.crowd.Ends(ends)}
}

// ownCPU is what this process has used of the processors: players, proxies, publishers
// and books, and neither gateways nor Redis.
func ownCPU() time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return 0 // it cannot fail with these arguments
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
