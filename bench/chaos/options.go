package chaos

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ginforge/gateway/bench"
	"github.com/ginforge/gateway/bench/chaos/redises"
)

// Options describe a run.
type Options struct {
	Gateway  string // its binary
	Topology redises.Topology
	Seed     uint64
	Nodes    int
	Clients  int
	Duration time.Duration // of the faults
	Gap      time.Duration // of quiet between two faults, about
	Rate     float64       // messages a second of all publishers together
	Faults   []Kind
	Settings []string  // more for the gateways: key=value
	Log      io.Writer // of the gateways; nil for none
	Report   bench.Reporter
}

// DefaultOptions are those of `wsbench chaos`.
func DefaultOptions() Options {
	return Options{
		Topology: redises.Standalone, Seed: 1, Nodes: 3, Clients: 3000, Duration: 5 * time.Minute,
		Gap: 5 * time.Second, Rate: 60, Faults: Kinds,
	}
}

// maxClients is what one process has descriptors for: each client needs one, two
// while it moves, and the load balancer two for each of these.
const maxClients = 5000

// Validate tells what is wrong with the options.
func (o Options) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(slices.Contains(redises.Topologies, o.Topology), "redis: %q, want one of %v", o.Topology, redises.Topologies)
	check(o.Nodes >= 2 && o.Nodes <= 9, "nodes: %d, want 2 to 9", o.Nodes)
	check(o.Clients >= 10 && o.Clients <= maxClients, "clients: %d, want 10 to %d", o.Clients, maxClients)
	check(o.Duration > 0 && o.Duration <= 24*time.Hour, "duration: %v, want more than 0s, up to 24h", o.Duration)
	check(o.Gap >= time.Second && o.Gap <= time.Hour, "gap: %v, want 1s to 1h", o.Gap)
	check(o.Rate >= 1 && o.Rate <= 2000, "rate: %v, want 1 to 2000 messages a second", o.Rate)
	for _, k := range o.Faults {
		check(slices.Contains(Kinds, k), "faults: %q, want some of %v", k, Kinds)
	}
	return errors.Join(errs...)
}

// What a run consists of besides its options.
const (
	roomsEach  = 2  // that each client is in
	perRoom    = 40 // members of a room, about
	watchers   = 20 // and as many who are told as members of a room
	watched    = 20 // users of each watcher
	namespace  = "log"
	grace      = 2 * time.Second
	lease      = 10 * time.Second // of a node
	slack      = 2 * time.Second  // that news has besides
	closing    = 5 * time.Second  // engine.close_timeout
	calm       = 6 * time.Second  // after a loss of Redis: presence compares for 5 s, and looks once a second
	awayEvery  = 5 * time.Minute  // how often each client leaves for a while
	burstSize  = 400              // messages that pour into a room whose readers have stopped
	burstBytes = 3000             // of each of them: together more than all buffers on the way
)

// rooms is how many rooms there are.
func (o Options) rooms() int { return max(2, o.Clients*roomsEach/perRoom) }

// settings are what the gateways are started with: short times, so that a run sees
// many of everything.
func (o Options) settings(redisURL, node string) []string {
	return append([]string{
		"redis.url=" + redisURL,
		"node=" + node,
		"log.level=info",
		"presence.grace=" + grace.String(),
		"engine.ping_interval=5s",
		"engine.pong_timeout=4s",
		"reconnect_window=3s",
		"namespaces." + namespace + ".history.size=5000",
		"namespaces." + namespace + ".presence=true",
		"history.check_interval=5s",
		"inbox.size=1000",
		"session.max_age=1m",
		"drain.grace=3s",
		"shutdown.lb_delay=500ms",
		"limits.message_bytes=4096",
		"limits.write_buffer_bytes=32768",
		"limits.replay_bytes=8388608", // what comes to a room in the longest absence, bursts included
	}, o.Settings...)
}
