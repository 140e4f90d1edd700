package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
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
	// probeWindow is how long a measurement counts.
	probeWindow = time.Minute
)

// probes measure how long a message takes from being published until the workers
// have handed it, and all before it, to the connections: a message that goes the
// way of all others, through Redis, the reader of the bus and the workers' inboxes.
type probes struct {
	mu     sync.Mutex // guards the fields below
	number uint64     // of the latest
	due    time.Time  // when that was planned
	sent   time.Time  // and sent
	took   []probe    // in the order in which they ended
}

type probe struct {
	ended time.Time
	took  time.Duration
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

// end notes that a probe has come back, and has gone through the workers.
func (p *probes) end(number uint64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if number == p.number {
		p.took = append(p.expire(now), probe{now, now.Sub(p.sent)})
	}
}

// expire drops what is too old. The caller holds mu.
func (p *probes) expire(now time.Time) []probe {
	p.took = slices.DeleteFunc(p.took, func(m probe) bool { return now.Sub(m.ended) > probeWindow })
	return p.took
}

// latencyStats is what the probes of the last minute took.
type latencyStats struct {
	Samples int     `json:"samples"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
}

func (p *probes) latency(now time.Time) *latencyStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	var sorted []time.Duration
	for _, m := range p.expire(now) {
		sorted = append(sorted, m.took)
	}
	if len(sorted) == 0 {
		return nil
	}
	slices.Sort(sorted)
	at := func(q float64) float64 {
		d := sorted[int(math.Ceil(q*float64(len(sorted))))-1]
		return float64(d.Microseconds()) / 1000
	}
	return &latencyStats{len(sorted), at(0.5), at(0.99)}
}
