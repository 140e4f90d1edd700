package main

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// transitEvery is how often real messages are measured at most. The rest cost one
	// look at the clock for all that are read together.
	transitEvery = 20 * time.Millisecond
	// transitWindow is for how long a measurement counts in the figures of a console.
	transitWindow = 5 * time.Second
)

// transit measures how long real messages take through this node: from the moment
// in which the first of those that are read together is at hand until the workers
// have handed all of them to the connections, whose sockets have taken them or have
// them wait. Nothing is measured for single recipients.
type transit struct {
	// Owned by whoever calls the handler of the bus, one at a time.
	began time.Time // of what is being read; zero when nothing is
	last  time.Time // when what was measured last began

	histogram prometheus.Histogram
	recent    latest
}

func newTransit() *transit {
	return &transit{histogram: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "gateway_bus_to_sockets_seconds",
		Help:    "Time of messages from being read from Redis until they were handed to all connections, of up to 50 a second.",
		Buckets: prometheus.ExponentialBuckets(50e-6, 2, 16), // to 1.6 s
	})}
}

// begin notes that a message is at hand.
func (t *transit) begin() {
	if t.began.IsZero() {
		t.began = time.Now()
	}
}

// due is called when all that is at hand was given to the hub. It reports since when,
// and whether that is to be measured.
func (t *transit) due() (began time.Time, due bool) {
	began, t.began = t.began, time.Time{}
	if began.IsZero() || began.Sub(t.last) < transitEvery {
		return began, false
	}
	t.last = began
	return began, true
}

// end notes that all of it was handed to the connections. It may be called from any
// goroutine.
func (t *transit) end(began, now time.Time) {
	took := now.Sub(began)
	t.histogram.Observe(took.Seconds())
	t.recent.add(now, took)
}

// latest is the last measurements of something.
type latest struct {
	mu   sync.Mutex // guards the fields below
	ring [256]measurement
	next int
}

type measurement struct {
	ended time.Time
	took  time.Duration
}

func (r *latest) add(ended time.Time, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.next] = measurement{ended, took}
	r.next = (r.next + 1) % len(r.ring)
}

// quantiles of measurements, in milliseconds.
type quantiles struct {
	Samples int     `json:"samples"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
}

// quantiles returns those of what ended within a time before now, nil when nothing did.
func (r *latest) quantiles(now time.Time, within time.Duration) *quantiles {
	var sorted []time.Duration
	r.mu.Lock()
	for _, m := range r.ring {
		if !m.ended.IsZero() && now.Sub(m.ended) < within {
			sorted = append(sorted, m.took)
		}
	}
	r.mu.Unlock()
	if len(sorted) == 0 {
		return nil
	}
	slices.Sort(sorted)
	at := func(q float64) float64 { return millis(sorted[int(math.Ceil(q*float64(len(sorted))))-1]) }
	return &quantiles{len(sorted), at(0.5), at(0.99)}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
