package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Scenario is one kind of load.
type Scenario interface {
	// Name is the word on the command line.
	Name() string
	// What says in one sentence what will be done.
	What() string
	// Parameters are what it was set to.
	Parameters() Parameters
	// Validate tells what is wrong with the parameters.
	Validate() error
	// Run carries it out and fills in the stage's result.
	Run(ctx context.Context, s *Stage) error
}

// Parameters are what scenarios can be set to; each uses some of them.
type Parameters struct {
	Connections int           `json:"connections"`
	Steps       []int         `json:"steps,omitempty"` // grow: numbers of connections on the way
	Rooms       int           `json:"rooms,omitempty"`
	Personal    bool          `json:"personal,omitempty"` // one more room for each user alone
	Rate        float64       `json:"rate,omitempty"`     // messages or bursts a second
	Burst       int           `json:"burst,omitempty"`
	Size        int           `json:"size,omitempty"` // about the bytes of a message
	Duration    time.Duration `json:"duration,omitempty"`
	Arrival     float64       `json:"arrival,omitempty"` // connections a second; 0: one when another is done
	InFlight    int           `json:"in_flight,omitempty"`
	Workers     int           `json:"workers,omitempty"` // client processes; 0: as few as can hold the connections
	Settle      time.Duration `json:"settle,omitempty"`  // rest after the last has joined
	Reset       bool          `json:"reset,omitempty"`   // herd: cut with RST
	Nodes       int           `json:"nodes,omitempty"`   // servers, joined by Redis; 0: one
	Buffer      int           `json:"buffer,omitempty"`  // bytes of the clients' socket buffers; 0: the kernel's choice
}

// The bounds of every scenario.
const (
	maxConnections = 2_000_000
	maxRate        = 1_000_000
	maxDuration    = time.Hour
	maxSize        = 60_000
)

// validate tells what is wrong with parameters in any scenario.
func (p Parameters) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(p.Connections >= 1 && p.Connections <= maxConnections, "connections: %d, want 1 to %d", p.Connections, maxConnections)
	check(p.Rooms >= 0 && p.Rooms <= p.Connections, "rooms: %d, want 0 to the number of connections, %d", p.Rooms, p.Connections)
	check(p.Rate >= 0 && p.Rate <= maxRate, "rate: %v, want 0 to %d a second", p.Rate, maxRate)
	check(p.Burst >= 0 && p.Burst <= 1000, "burst: %d, want 1 to 1000", p.Burst)
	check(p.Size >= 0 && p.Size <= maxSize, "size: %d, want at most %d bytes", p.Size, maxSize)
	check(p.Duration >= 0 && p.Duration <= maxDuration, "duration: %v, want at most %v", p.Duration, maxDuration)
	check(p.Arrival >= 0, "arrival: %v, want 0 or more a second", p.Arrival)
	check(p.InFlight >= 0 && p.InFlight <= PerWorker, "in-flight: %d, want at most %d", p.InFlight, PerWorker)
	check(p.Workers >= 0 && p.Workers <= p.Connections, "workers: %d, want 0 to the number of connections", p.Workers)
	check(p.Settle >= 0 && p.Settle <= maxDuration, "settle: %v, want at most %v", p.Settle, maxDuration)
	check(p.Nodes >= 0 && p.Nodes <= p.Connections, "nodes: %d, want 1 to the number of connections", p.Nodes)
	check(p.Nodes <= 1 || p.Connections/p.Nodes <= PerWorker, "nodes: %d, each of which would have over %d connections", p.Nodes, PerWorker)
	check(p.Buffer >= 0, "buffer: %d, want 0 or more bytes", p.Buffer)
	return errors.Join(errs...)
}

// messages tells what is wrong with the parameters of a scenario that sends.
func (p Parameters) messages() error {
	err := p.validate()
	if p.Rate == 0 {
		err = errors.Join(err, errors.New("rate: 0, want more"))
	}
	if p.Duration == 0 {
		err = errors.Join(err, errors.New("duration: 0s, want more"))
	}
	return err
}

// Reporter shows how a measurement gets on. Its methods are called by one
// goroutine.
type Reporter interface {
	// Say shows a line.
	Say(format string, args ...any)
	// Begin starts a bar for something that has total steps; Set moves it, End
	// ends it.
	Begin(what string, total int64)
	Set(done int64)
	End()
}
