package bench

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Sample is the state of a measurement at one moment.
type Sample struct {
	Seconds  float64 `json:"seconds"`  // since the scenario began
	Resident int64   `json:"resident"` // bytes of the server
	Cores    float64 `json:"cores"`    // that the server used since the sample before
	Open     int     `json:"open"`     // connections
	Got      int64   `json:"got"`      // messages of the window
}

// sampleInterval is how often the server is looked at.
const sampleInterval = 500 * time.Millisecond

// sampler looks at a server until it is stopped.
type sampler struct {
	nodes []Target
	start time.Time
	done  chan struct{} // closed when sampling has ended

	mu      sync.Mutex // guards the fields below
	crew    *Crew      // nil until there is one
	samples []Sample
}

// startSampler looks at nodes until ctx ends. When the machine's memory runs out
// it calls exhausted, so that the kernel need not choose what to kill.
func startSampler(ctx context.Context, nodes []Target, exhausted func(error)) *sampler {
	s := &sampler{nodes: nodes, start: time.Now(), done: make(chan struct{})}
	go s.run(ctx, exhausted)
	return s
}

func (s *sampler) watch(c *Crew) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.crew = c
}

// minAvailable is the memory that the machine must have left.
const minAvailable = 512 << 20

func (s *sampler) run(ctx context.Context, exhausted func(error)) {
	defer close(s.done)
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	last, _ := s.look() // of a server on another machine there is nothing to see
	lastAt := time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		u, err := s.look()
		now := time.Now()
		sample := Sample{Seconds: now.Sub(s.start).Seconds(), Resident: u.Resident}
		if err == nil {
			sample.Cores = (u.CPU - last.CPU).Seconds() / now.Sub(lastAt).Seconds()
		}
		last, lastAt = u, now
		s.keep(sample)
		if left, err := available(); err == nil && left < minAvailable {
			exhausted(fmt.Errorf("bench: only %d MB of memory are left on this machine", left>>20))
		}
	}
}

// look reads what the servers use now.
func (s *sampler) look() (sum Usage, err error) {
	for _, n := range s.nodes {
		u, err := ReadUsage(n.PID())
		if err != nil {
			return Usage{}, err
		}
		sum.CPU += u.CPU
		sum.Resident += u.Resident
	}
	return sum, nil
}

func (s *sampler) keep(sample Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crew != nil {
		p, _ := s.crew.Progress() // its errors stop the scenario elsewhere
		sample.Open, sample.Got = p.Open, p.Got
	}
	s.samples = append(s.samples, sample)
}

// taken returns the samples once sampling has ended.
func (s *sampler) taken() []Sample {
	<-s.done
	return s.samples
}
