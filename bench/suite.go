package bench

import (
	"fmt"
	"slices"
	"time"
)

// Job is a scenario and the targets that it is for, as ParseCandidate reads them.
type Job struct {
	Scenario Scenario
	Targets  []string
}

// gatewayOnly is for what the peers cannot do, or what is not compared.
var gatewayOnly = []string{"gateway"}

// ShortSuite is a selection that takes about five minutes.
func ShortSuite() []Job {
	few := []string{"gateway", "floor --threads 2", "gws", "gorilla", "centrifuge"}
	alone := storm(15_000)
	alone.Rooms = 0
	return []Job{
		{Connect{alone}, gatewayOnly},
		{Idle{storm(15_000)}, gatewayOnly},
		{Fanout{single(15_000)}, few},
		{Fanout{bursts(15_000)}, []string{"gateway", "floor --threads 2 --burst", "gws"}},
		{Fanout{small(15_000)}, gatewayOnly},
		{Chat{small(15_000)}, gatewayOnly},
		{Direct{P: direct(15_000)}, gatewayOnly},
		{HerdCut{herded(15_000)}, gatewayOnly},
	}
}

// FullSuite is everything but million, against every peer, and how costs grow
// with the number of connections. It takes about 25 minutes.
func FullSuite() []Job {
	floors := []string{"floor", "floor --threads 2"}
	peers := []string{"gws", "gorilla", "coder", "nbiows", "centrifuge", "ws", "socketio"}
	all := slices.Concat([]string{"gateway"}, floors, peers)
	burst := slices.Concat([]string{"gateway", "floor --burst", "floor --threads 2 --burst"}, peers)
	few := []string{"gateway", "gws", "gorilla", "centrifuge"}
	slow := single(15_000) // as many deliveries a second as in small
	slow.Rate = 1
	personal := storm(15_000)
	personal.Personal = true
	paced := storm(15_000)
	paced.Arrival = 1000
	alone := storm(15_000)
	alone.Rooms = 0
	return []Job{
		{Connect{storm(15_000)}, slices.Concat([]string{"gateway"}, peers)},
		{Connect{alone}, gatewayOnly},
		{Connect{paced}, gatewayOnly},
		{Idle{storm(15_000)}, slices.Concat([]string{"gateway"}, peers)},
		{Idle{personal}, gatewayOnly},
		{Fanout{single(15_000)}, all},
		{Fanout{bursts(15_000)}, burst},
		{Fanout{slow}, gatewayOnly},
		{Fanout{small(15_000)}, few},
		{Chat{small(15_000)}, gatewayOnly},
		{Direct{P: direct(15_000)}, gatewayOnly},
		{Direct{P: direct(15_000), Backend: true}, gatewayOnly},
		{HerdCut{herded(15_000)}, gatewayOnly},
		{Grow{grown(19_000)}, []string{"gateway", "floor --threads 2"}},
	}
}

// grown is users who come in parts, rest, and get messages.
func grown(n int) Parameters {
	p := single(n)
	p.Steps, p.Settle = []int{1000, 4000, 10_000, 15_000}, 20*time.Second
	return p
}

// storm is how n users come and rest.
func storm(n int) Parameters {
	return Parameters{Connections: n, Rooms: 1, Settle: 20 * time.Second}
}

// single is one message after the other to one room.
func single(n int) Parameters {
	return Parameters{
		Connections: n, Rooms: 1, Rate: 5, Burst: 1, Size: 133, Duration: 10 * time.Second, Settle: 3 * time.Second,
	}
}

// bursts is twenty messages at once to one room.
func bursts(n int) Parameters {
	p := single(n)
	p.Rate, p.Burst = 1, 20
	return p
}

// small is many rooms of 15.
func small(n int) Parameters {
	p := single(n)
	p.Rooms, p.Rate = n/15, 1
	return p
}

// direct is messages to single users.
func direct(n int) Parameters {
	p := single(n)
	p.Rate = 5000
	return p
}

// herded is users who come back as fast as they can.
func herded(n int) Parameters {
	return Parameters{Connections: n, Rooms: 1, InFlight: 4096, Settle: 3 * time.Second}
}

// Suite returns the suite of a name.
func Suite(name string) ([]Job, error) {
	switch name {
	case "short":
		return ShortSuite(), nil
	case "full":
		return FullSuite(), nil
	default:
		return nil, fmt.Errorf("bench: suite %q: want short or full", name)
	}
}
