package bench

import (
	"fmt"
	"math"
	"slices"
)

// figure is one number of a result that is worth showing.
type figure struct {
	title  string
	format func(float64) string
	// value is NaN for a number that must not be reported; ok is false where
	// there is none.
	value func(*Result) (v float64, ok bool)
}

var figures = slices.Concat([]figure{
	{"connections", whole, func(r *Result) (float64, bool) { return float64(r.Connections.Joined), true }},
	{"connections/s", whole, opening(func(o *Opening) float64 { return o.PerSecond })},
	cpuPerConnection,
	{"handshake p50", micros, opening(func(o *Opening) float64 { return p50(o.Handshake) })},
	{"handshake p99", micros, opening(func(o *Opening) float64 { return p99(o.Handshake) })},
	bytesPerConnection,
	{"kernel B/connection", whole, memory(func(m *Memory) float64 { return m.KernelPerConnection })},
	{"deliveries/s", whole, delivery(func(d *Delivery) float64 { return d.PerSecond })},
	cpuPerDelivery,
	{"latency p50", micros, delivery(func(d *Delivery) float64 { return p50(d.Latency) })},
	{"latency p99", micros, delivery(func(d *Delivery) float64 { return p99(d.Latency) })},
	{"latency max", micros, delivery(func(d *Delivery) float64 { return highest(d.Latency) })},
	{"lost", whole, delivery(func(d *Delivery) float64 { return float64(d.Lost) })},
	{"duplicated", whole, delivery(func(d *Delivery) float64 { return float64(d.Duplicated) })},
	{"out of order", whole, delivery(func(d *Delivery) float64 { return float64(d.OutOfOrder) })},
	{"back 50 %", seconds, herd(func(h *Herd) float64 { return h.Half })},
	{"back 99 %", seconds, herd(func(h *Herd) float64 { return h.Most })},
	{"back 100 %", seconds, herd(func(h *Herd) float64 { return h.All })},
}, chaosFigures, []figure{
	{"client cores", hundredth, func(r *Result) (float64, bool) { return r.Client.Busiest, r.Chaos == nil }},
	otherCores,
})

// The figures by which targets are compared.
var (
	cpuPerConnection   = figure{"CPU µs/connection", tenth, opening(func(o *Opening) float64 { return o.CPUMicros })}
	bytesPerConnection = figure{"B/connection", whole, memory(func(m *Memory) float64 { return m.PerConnection })}
	cpuPerDelivery     = figure{"CPU µs/delivery", hundredth, delivery(func(d *Delivery) float64 { return d.CPUMicros })}
)

// otherCores is how much else went on on the machine.
var otherCores = figure{"other cores", hundredth, func(r *Result) (float64, bool) { return r.Client.Others, r.Chaos == nil }}

// maxOthers is how many cores may be busy with something else before a table says
// so.
const maxOthers = 0.2

func opening(f func(*Opening) float64) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) {
		if r.Opening == nil {
			return 0, false
		}
		return f(r.Opening), true
	}
}

func memory(f func(*Memory) float64) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) {
		if r.Memory == nil || r.Memory.Settled == 0 {
			return 0, false
		}
		return f(r.Memory), true
	}
}

func delivery(f func(*Delivery) float64) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) {
		if r.Delivery == nil {
			return 0, false
		}
		return f(r.Delivery), true
	}
}

func herd(f func(*Herd) float64) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) {
		if r.Herd == nil {
			return 0, false
		}
		return f(r.Herd), true
	}
}

// The quantiles of a distribution that was refused are NaN.

func p50(q *Quantiles) float64 {
	if q == nil {
		return math.NaN()
	}
	return float64(q.P50)
}

func p99(q *Quantiles) float64 {
	if q == nil {
		return math.NaN()
	}
	return float64(q.P99)
}

func highest(q *Quantiles) float64 {
	if q == nil {
		return math.NaN()
	}
	return float64(q.Max)
}

func whole(v float64) string     { return fmt.Sprintf("%.0f", v) }
func tenth(v float64) string     { return fmt.Sprintf("%.1f", v) }
func hundredth(v float64) string { return fmt.Sprintf("%.2f", v) }
func seconds(v float64) string   { return fmt.Sprintf("%.2f s", v) }

// micros formats microseconds in the unit in which they have a few digits.
func micros(v float64) string {
	switch {
	case v < 1000:
		return fmt.Sprintf("%.0f µs", v)
	case v < 1e6:
		return fmt.Sprintf("%.1f ms", v/1000)
	default:
		return fmt.Sprintf("%.2f s", v/1e6)
	}
}

// median returns the figure of the middle one of several results, NaN when it
// was refused in all of them, and false when none has it.
func (f figure) median(results []*Result) (float64, bool) {
	var values []float64
	refused := false
	for _, r := range results {
		switch v, ok := f.value(r); {
		case ok && math.IsNaN(v):
			refused = true
		case ok:
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return math.NaN(), refused
	}
	slices.Sort(values)
	mid := len(values) / 2
	if len(values)%2 == 0 {
		return (values[mid-1] + values[mid]) / 2, true
	}
	return values[mid], true
}

// text formats a figure for people.
func (f figure) text(v float64, ok bool) string {
	switch {
	case !ok:
		return ""
	case math.IsNaN(v):
		return "refused"
	default:
		return f.format(v)
	}
}
