package bench

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// column is one figure of a result in the table on the terminal.
type column struct {
	title string
	value func(*Result) string // empty when the result has no such figure
}

var columns = []column{
	{"target", func(r *Result) string { return r.Target }},
	{"conns", func(r *Result) string { return fmt.Sprint(r.Connections.Joined) }},
	{"conns/s", opening(func(o *Opening) string { return fmt.Sprintf("%.0f", o.PerSecond) })},
	{"CPU µs/conn", opening(func(o *Opening) string { return fmt.Sprintf("%.1f", o.CPUMicros) })},
	{"handshake p50", opening(func(o *Opening) string { return quantile(o.Handshake, o.Distrust, 50) })},
	{"p99", opening(func(o *Opening) string { return quantile(o.Handshake, o.Distrust, 99) })},
	{"B/conn", memory(func(m *Memory) string { return fmt.Sprintf("%.0f", m.PerConnection) })},
	{"kernel B/conn", memory(func(m *Memory) string { return fmt.Sprintf("%.0f", m.KernelPerConnection) })},
	{"deliveries/s", delivery(func(d *Delivery) string { return fmt.Sprintf("%.0f", d.PerSecond) })},
	{"CPU µs/delivery", delivery(func(d *Delivery) string { return fmt.Sprintf("%.2f", d.CPUMicros) })},
	{"latency p50", delivery(func(d *Delivery) string { return quantile(d.Latency, d.Distrust, 50) })},
	{"p99", delivery(func(d *Delivery) string { return quantile(d.Latency, d.Distrust, 99) })},
	{"max", delivery(func(d *Delivery) string { return quantile(d.Latency, d.Distrust, 100) })},
	{"lost", delivery(func(d *Delivery) string { return fmt.Sprint(d.Lost) })},
	{"dup", delivery(func(d *Delivery) string { return fmt.Sprint(d.Duplicated) })},
	{"late", delivery(func(d *Delivery) string { return fmt.Sprint(d.OutOfOrder) })},
	{"back 50%", herd(func(h *Herd) string { return fmt.Sprintf("%.2fs", h.Half) })},
	{"99%", herd(func(h *Herd) string { return fmt.Sprintf("%.2fs", h.Most) })},
	{"100%", herd(func(h *Herd) string { return fmt.Sprintf("%.2fs", h.All) })},
	{"client cores", func(r *Result) string { return fmt.Sprintf("%.2f", r.Client.Busiest) }},
}

func opening(f func(*Opening) string) func(*Result) string {
	return func(r *Result) string {
		if r.Opening == nil {
			return ""
		}
		return f(r.Opening)
	}
}

func memory(f func(*Memory) string) func(*Result) string {
	return func(r *Result) string {
		if r.Memory == nil || r.Memory.Settled == 0 {
			return ""
		}
		return f(r.Memory)
	}
}

func delivery(f func(*Delivery) string) func(*Result) string {
	return func(r *Result) string {
		if r.Delivery == nil {
			return ""
		}
		return f(r.Delivery)
	}
}

func herd(f func(*Herd) string) func(*Result) string {
	return func(r *Result) string {
		if r.Herd == nil {
			return ""
		}
		return f(r.Herd)
	}
}

// quantile formats one quantile, or that it is not to be trusted.
func quantile(q *Quantiles, distrust []string, percent int) string {
	switch {
	case len(distrust) > 0:
		return "refused"
	case q == nil:
		return "-"
	case percent == 50:
		return micros(q.P50)
	case percent == 99:
		return micros(q.P99)
	default:
		return micros(q.Max)
	}
}

// micros formats a time in the unit in which it has a few digits.
func micros(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%dµs", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1fms", float64(n)/1000)
	default:
		return fmt.Sprintf("%.2fs", float64(n)/1_000_000)
	}
}

// WriteTable writes the results as tables, one for each scenario, with the
// columns that any of its results has a figure for.
func WriteTable(w io.Writer, results []*Result) error {
	for len(results) > 0 {
		scenario := results[0].Scenario
		end := slices.IndexFunc(results, func(r *Result) bool { return r.Scenario != scenario })
		if end < 0 {
			end = len(results)
		}
		if err := writeTable(w, results[:end]); err != nil {
			return fmt.Errorf("bench: write table: %w", err)
		}
		results = results[end:]
	}
	return nil
}

func writeTable(w io.Writer, results []*Result) error {
	fmt.Fprintf(w, "\n%s: %s\n\n", results[0].Scenario, results[0].What)
	shown := slices.DeleteFunc(slices.Clone(columns), func(c column) bool {
		return !slices.ContainsFunc(results, func(r *Result) bool { return c.value(r) != "" })
	})
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, c := range shown {
		fmt.Fprint(table, c.title, "\t")
	}
	fmt.Fprintln(table)
	for _, r := range results {
		for _, c := range shown {
			fmt.Fprint(table, c.value(r), "\t")
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range results {
		for _, note := range r.remarks() {
			fmt.Fprintf(w, "  %s: %s\n", r.Target, note)
		}
	}
	return nil
}

// remarks are what a reader must know beside the figures.
func (r *Result) remarks() []string {
	notes := slices.Clone(r.Notes)
	if r.Opening != nil {
		for _, why := range r.Opening.Distrust {
			notes = append(notes, "handshake latency refused: "+why)
		}
	}
	if r.Delivery != nil {
		for _, why := range r.Delivery.Distrust {
			notes = append(notes, "latency refused: "+why)
		}
	}
	if c := r.Connections; c.Failed+c.Closed > 0 {
		notes = append(notes, fmt.Sprintf("%d connection attempts failed, %d connections were closed: %v", c.Failed, c.Closed, c.Ends))
	}
	return notes
}
