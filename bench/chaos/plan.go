package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ginforge/gateway/bench/chaos/redises"
)

// Kind is a kind of fault.
type Kind string

// The kinds of faults.
const (
	NodeKill     Kind = "node-kill"     // kill -9 of a node, which is started again
	Rolling      Kind = "rolling"       // SIGTERM and restart of all nodes, one after the other
	NodeStop     Kind = "node-stop"     // SIGSTOP of a node for seconds
	RedisKill    Kind = "redis-kill"    // kill -9 of a master, which is started again
	RedisStop    Kind = "redis-stop"    // SIGSTOP of a master for seconds
	Failover     Kind = "failover"      // a replica takes over in good order
	CutRedis     Kind = "cut-redis"     // RST on a node's connections to Redis
	StallRedis   Kind = "stall-redis"   // nothing passes between a node and Redis for seconds
	CutAllRedis  Kind = "cut-all-redis" // RST on all nodes' connections to Redis
	CutClients   Kind = "cut-clients"   // RST on some clients' connections
	StallClients Kind = "stall-clients" // nothing passes between a node and its clients for seconds
	SlowReaders  Kind = "slow-readers"  // clients that stop reading while their room is busy
	ClockJump    Kind = "clock-jump"    // of some clients
	Herd         Kind = "herd"          // all clients are cut at once
)

// Kinds are all kinds of faults.
var Kinds = []Kind{
	NodeKill, Rolling, NodeStop, RedisKill, RedisStop, Failover, CutRedis, StallRedis, CutAllRedis,
	CutClients, StallClients, SlowReaders, ClockJump, Herd,
}

// Fault is one fault of a schedule.
type Fault struct {
	At    time.Duration // since the first client was ready
	Kind  Kind
	Node  int           // which, where it hits a node
	Pick  int           // chooses among what there is at the time: masters, rooms
	For   time.Duration // how long it lasts, about
	Share float64       // of the clients, where it hits some of them
	Back  bool          // clock-jump: backwards
	Reset bool          // with RST, not FIN
}

// String is the fault in words.
func (f Fault) String() string {
	seconds := f.For.Round(100 * time.Millisecond)
	switch f.Kind {
	case NodeKill, NodeStop, StallRedis, StallClients:
		return fmt.Sprintf("%s: node %d, %v", f.Kind, f.Node+1, seconds)
	case RedisKill, RedisStop:
		return fmt.Sprintf("%s: %v", f.Kind, seconds)
	case CutRedis:
		return fmt.Sprintf("%s: node %d", f.Kind, f.Node+1)
	case CutClients:
		return fmt.Sprintf("%s: %.0f %%", f.Kind, f.Share*100)
	case SlowReaders:
		return fmt.Sprintf("%s: %.0f %% of a room, %v", f.Kind, f.Share*100, seconds)
	case ClockJump:
		direction := "forwards"
		if f.Back {
			direction = "backwards"
		}
		return fmt.Sprintf("%s: %.0f %%, %s by %v", f.Kind, f.Share*100, direction, seconds)
	default:
		return string(f.Kind)
	}
}

// lengths are how long faults last, at least and at most.
var lengths = map[Kind][2]time.Duration{
	NodeKill:     {500 * time.Millisecond, 4 * time.Second},
	NodeStop:     {time.Second, 8 * time.Second},
	RedisKill:    {time.Second, 10 * time.Second},                   // replicas take over after about 3 s in Sentinel, 4 s in a Cluster
	RedisStop:    {500 * time.Millisecond, 1500 * time.Millisecond}, // shorter than what makes replicas take over
	StallRedis:   {time.Second, 12 * time.Second},
	StallClients: {time.Second, 12 * time.Second},
	SlowReaders:  {2 * time.Second, 5 * time.Second},
	ClockJump:    {2 * time.Second, time.Minute}, // how far
}

// lastingAlone are lengths where nobody takes over.
var lastingAlone = map[Kind][2]time.Duration{
	RedisKill: {500 * time.Millisecond, 4 * time.Second},
	RedisStop: {time.Second, 6 * time.Second},
}

// rollingEach is how long one node takes to drain and start again, about.
const rollingEach = 6 * time.Second

// Plan returns the faults of a run. Every kind comes once before any comes again,
// in an order of the seed's. It depends on nothing but its arguments.
func Plan(o Options) []Fault {
	r := rand.New(rand.NewPCG(o.Seed, 2))
	var bag []Kind
	var faults []Fault
	for at := time.Duration(0); len(o.Faults) > 0; {
		if len(bag) == 0 {
			bag = append(bag, o.Faults...)
			r.Shuffle(len(bag), func(i, j int) { bag[i], bag[j] = bag[j], bag[i] })
		}
		f := draw(r, bag[0], o)
		bag = bag[1:]
		if f.Kind == Failover && o.Topology == redises.Standalone {
			if len(o.Faults) == 1 {
				return nil
			}
			continue // there is nobody to take over
		}
		at += o.Gap/2 + within(r, o.Gap)
		f.At = at
		if at += f.takes(o); at > o.Duration {
			break
		}
		faults = append(faults, f)
	}
	return faults
}

// draw makes one fault. It draws the same numbers whatever the kind.
func draw(r *rand.Rand, k Kind, o Options) Fault {
	bounds := lengths[k]
	if alone, ok := lastingAlone[k]; ok && o.Topology == redises.Standalone {
		bounds = alone
	}
	f := Fault{Kind: k, Node: r.IntN(o.Nodes), Pick: r.IntN(1 << 20), For: bounds[0] + within(r, bounds[1]-bounds[0])}
	f.Share = 0.1 + 0.6*r.Float64()
	f.Back = r.IntN(2) == 0
	f.Reset = r.IntN(2) == 0
	return f
}

// sentinelFailover is how long Sentinels take to make a replica of a master that
// still lives, about.
const sentinelFailover = 15 * time.Second

// takes is how long a fault takes, about.
func (f Fault) takes(o Options) time.Duration {
	switch {
	case f.Kind == Rolling:
		return time.Duration(o.Nodes) * rollingEach
	case f.Kind == Failover && o.Topology == redises.Sentinel:
		return sentinelFailover
	case lengths[f.Kind] == [2]time.Duration{}, f.Kind == ClockJump:
		return time.Second
	default:
		return f.For
	}
}

func within(r *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(d) + 1))
}
