package main

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// probePrefix begins a probe on the node's own control channel.
const probePrefix = "probe "

func probePayload(number uint64) []byte { return strconv.AppendUint([]byte(probePrefix), number, 10) }

func readProbe(payload string) (number uint64, ok bool) {
	text, ok := strings.CutPrefix(payload, probePrefix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(text, 10, 64)
	return number, err == nil
}

const (
	// probeEvery is how often a node measures at most, however many consoles ask.
	probeEvery = 900 * time.Millisecond
	// probeStale is for how long the latest measurement counts.
	probeStale = 3 * time.Second
)

// probes measure how long a message takes from being published until this node has
// it from Redis. It goes the way of all others, and waits as they do for messages
// that are gathered, but is for nobody: see transit for the rest of the way.
type probes struct {
	histogram prometheus.Histogram

	mu     sync.Mutex  // guards the fields below
	number uint64      // of the latest
	due    time.Time   // when that was planned
	sent   time.Time   // and sent
	latest measurement // of those that have come back
}

func newProbes() *probes {
	return &probes{histogram: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "gateway_redis_probe_seconds",
		Help:    "Time of a message from being published by this node until it has come back from Redis, one a second while a console is open.",
		Buckets: prometheus.ExponentialBuckets(100e-6, 2, 16), // to 3.3 s
	})}
}

// probeDelay is when a probe is sent after its node was asked for figures. The
// question came by the same connection: a message close behind it would wait as those
// do that come close behind others, and at the same moment other nodes answer.
func probeDelay(coalesce time.Duration) time.Duration {
	return min(2*coalesce, 300*time.Millisecond) + 100*time.Millisecond + rand.N(400*time.Millisecond)
}

// plan numbers the next measurement if one is due; begin starts it.
func (p *probes) plan(now time.Time) (number uint64, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.due) < probeEvery {
		return 0, false
	}
	p.number++
	p.due = now
	return p.number, true
}

// begin notes that the probe is about to be sent.
func (p *probes) begin(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = now
}

// end notes that a probe has come back.
func (p *probes) end(number uint64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if number == p.number {
		p.latest = measurement{now, now.Sub(p.sent)}
		p.histogram.Observe(p.latest.took.Seconds())
	}
}

// latency returns what the latest probe took, in milliseconds; nil when none has come
// back lately.
func (p *probes) latency(now time.Time) *float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.latest.ended.IsZero() || now.Sub(p.latest.ended) >= probeStale {
		return nil
	}
	ms := millis(p.latest.took)
	return &ms
}
