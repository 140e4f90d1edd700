package bench

import (
	"time"

	"github.com/ginforge/gateway/bench/worker"
)

// Schema is the version of the JSON that Document becomes. doc.go describes it.
const Schema = 1

// Document is one run of the harness: what is written to bench/results.
type Document struct {
	Schema  int       `json:"schema"`
	Name    string    `json:"name"`
	Started time.Time `json:"started"`
	Command string    `json:"command"`
	Machine Machine   `json:"machine"`
	Results []*Result `json:"results"`
}

// Result is one scenario against one target.
type Result struct {
	Scenario    string      `json:"scenario"`
	Target      string      `json:"target"`
	Round       int         `json:"round"` // from 1; each round measures every target once
	What        string      `json:"what"`  // in words
	Parameters  Parameters  `json:"parameters"`
	Started     time.Time   `json:"started"`
	Seconds     float64     `json:"seconds"`
	Connections Connections `json:"connections"`
	Opening     *Opening    `json:"opening,omitempty"`
	Memory      *Memory     `json:"memory,omitempty"`
	Delivery    *Delivery   `json:"delivery,omitempty"`
	Herd        *Herd       `json:"herd,omitempty"`
	Growth      []Step      `json:"growth,omitempty"`
	Chaos       *Chaos      `json:"chaos,omitempty"`
	Client      Client      `json:"client"`
	Samples     []Sample    `json:"samples,omitempty"`
	Notes       []string    `json:"notes,omitempty"`
}

// Connections counts what became of the connections.
type Connections struct {
	Asked  int            `json:"asked"`
	Joined int            `json:"joined"` // up, and in all their rooms, when the measurement began
	Failed int            `json:"failed"` // attempts that did not become a connection
	Closed int            `json:"closed"` // ended without being asked to
	Ends   map[string]int `json:"ends,omitempty"`
}

// Opening is how the connections came to be.
type Opening struct {
	OpenLoop  bool       `json:"open_loop"`  // begun at a given rate, not one when another was done
	Seconds   float64    `json:"seconds"`    // until the last was in its rooms
	PerSecond float64    `json:"per_second"` // connections
	CPUMicros float64    `json:"cpu_micros"` // of the server, for each connection with its joins
	Handshake *Quantiles `json:"handshake,omitempty"`
	Joining   *Quantiles `json:"joining,omitempty"`
	Distrust  []string   `json:"distrust,omitempty"` // why there are no latencies
}

// Memory is what the connections cost while nothing happens.
type Memory struct {
	Before        int64   `json:"before"`  // resident bytes of the server without connections
	Opened        int64   `json:"opened"`  // when the last had joined
	Settled       int64   `json:"settled"` // after SettleSeconds of rest
	SettleSeconds float64 `json:"settle_seconds"`
	PerConnection float64 `json:"per_connection"` // bytes: settled less before
	// Kernel is what the kernel holds more than before, for both ends, since both
	// are on this machine; KernelPerConnection is its InSockets.
	Kernel              Kernel  `json:"kernel"`
	KernelPerConnection float64 `json:"kernel_per_connection"`
	Machine             int64   `json:"machine"`  // bytes that the whole machine has less left: servers, clients, Redis, kernel
	IdleCPU             float64 `json:"idle_cpu"` // seconds of the server's CPU a second during the rest
}

// Delivery is what became of the messages.
type Delivery struct {
	Published  int64   `json:"published"`
	Expected   int64   `json:"expected"` // published times receivers
	Received   int64   `json:"received"`
	Lost       int64   `json:"lost"` // expected and never received
	Duplicated int64   `json:"duplicated"`
	OutOfOrder int64   `json:"out_of_order"`
	Foreign    int64   `json:"foreign"`     // received by somebody else
	SendFailed int64   `json:"send_failed"` // not taken from the client that sent
	Seconds    float64 `json:"seconds"`     // from the first that was due to the last received
	PerSecond  float64 `json:"per_second"`  // deliveries
	CPUSeconds float64 `json:"cpu_seconds"` // of the server
	CPUMicros  float64 `json:"cpu_micros"`  // of the server, for each delivery
	RedisCPU   float64 `json:"redis_cpu"`   // seconds of Redis's CPU
	// Latency is from when a message was due to be published until its last byte
	// was read by the client. It is missing when it cannot be trusted.
	Latency  *Quantiles `json:"latency,omitempty"`
	Distrust []string   `json:"distrust,omitempty"` // why there is no latency
}

// Herd is how fast everybody was back after all connections were cut at once.
type Herd struct {
	Half   float64    `json:"half_seconds"` // until half were back in their rooms
	Most   float64    `json:"most_seconds"` // 99 %
	All    float64    `json:"all_seconds"`
	Failed int        `json:"failed"` // attempts that were refused meanwhile
	CPU    float64    `json:"cpu_micros"`
	Back   *Quantiles `json:"back"`
}

// Step is what a number of connections costs a server that had fewer before.
type Step struct {
	Connections int       `json:"connections"`
	Resident    int64     `json:"resident"` // bytes that the server has grown by since it had none
	Delivery    *Delivery `json:"delivery"` // of lone messages to the room of all of them
}

// Client is how hard the harness itself had to work.
type Client struct {
	Workers        int     `json:"workers"`
	Busiest        float64 `json:"busiest"`     // CPU of the busiest event loop, in cores
	LagP99         float64 `json:"lag_p99"`     // microseconds that an event waited for its loop, at most
	LateP99        float64 `json:"late_p99"`    // microseconds by which messages were published late
	CPUSeconds     float64 `json:"cpu_seconds"` // of all workers' loops
	Others         float64 `json:"others"`      // cores busy with what has nothing to do with the measurement
	BytesPerClient float64 `json:"bytes_per_client"`
}

// Quantiles are a distribution of times in microseconds.
type Quantiles struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   int64   `json:"p50"`
	P90   int64   `json:"p90"`
	P99   int64   `json:"p99"`
	P999  int64   `json:"p999"`
	Max   int64   `json:"max"`
	Curve []Point `json:"curve"` // for plots
}

// Point says that a fraction of all times was at most Micros.
type Point struct {
	Fraction float64 `json:"fraction"`
	Micros   int64   `json:"micros"`
}

// quantiles sums a histogram up; nil when it is empty.
func quantiles(h *worker.Histogram) *Quantiles {
	if h == nil || h.TotalCount() == 0 {
		return nil
	}
	q := &Quantiles{
		Count: h.TotalCount(), Mean: h.Mean(), Max: h.Max(),
		P50: h.ValueAtQuantile(50), P90: h.ValueAtQuantile(90), P99: h.ValueAtQuantile(99), P999: h.ValueAtQuantile(99.9),
	}
	for _, b := range h.CumulativeDistributionWithTicks(5) {
		q.Curve = append(q.Curve, Point{Fraction: b.Quantile / 100, Micros: b.ValueAt})
	}
	return q
}
