package bench

import (
	"context"
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
	pid   int
	start time.Time
	done  chan struct{} // closed when sampling has ended

	mu      sync.Mutex // guards the fields below
	crew    *Crew      // nil until there is one
	samples []Sample
}

func startSampler(ctx context.Context, pid int) *sampler {
	s := &sampler{pid: pid, start: time.Now(), done: make(chan struct{})}
	go s.run(ctx)
	return s
}

func (s *sampler) watch(c *Crew) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.crew = c
}

func (s *sampler) run(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	last, _ := ReadUsage(s.pid) // of a server on another machine there are none
	lastAt := time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		u, err := ReadUsage(s.pid)
		now := time.Now()
		sample := Sample{Seconds: now.Sub(s.start).Seconds()}
		if err == nil {
			sample.Resident = u.Resident
			sample.Cores = (u.CPU - last.CPU).Seconds() / now.Sub(lastAt).Seconds()
		}
		last, lastAt = u, now
		s.mu.Lock()
		if s.crew != nil {
			p, _ := s.crew.Progress() // its errors stop the scenario elsewhere
			sample.Open, sample.Got = p.Open, p.Got
		}
		s.samples = append(s.samples, sample)
		s.mu.Unlock()
	}
}

// taken returns the samples once sampling has ended.
func (s *sampler) taken() []Sample {
	<-s.done
	return s.samples
}
