package bench

import (
	"strings"
	"testing"
)

// result is one with a CPU time for each delivery and, unless refused, a latency.
func result(target string, round int, cpu float64, p99 int64) *Result {
	d := &Delivery{CPUMicros: cpu, Latency: &Quantiles{Count: 1, P50: p99 / 2, P99: p99, Max: p99}}
	if p99 == 0 {
		d.Latency, d.Distrust = nil, []string{"the client was busy"}
	}
	return &Result{Scenario: "fanout", What: "a test", Target: target, Round: round, Delivery: d, Connections: Connections{Joined: 10}}
}

func TestWriteTable(t *testing.T) {
	var b strings.Builder
	err := WriteTable(&b, []*Result{
		result("floor", 1, 8, 2000), result("gateway", 1, 10, 0),
		result("floor", 2, 8, 2000), result("gateway", 2, 12, 3000),
		result("floor", 3, 8, 2000), result("gateway", 3, 11, 5000),
	})
	if err != nil {
		t.Fatal(err)
	}
	for figure, want := range map[string]string{
		"connections":     "10 10",
		"CPU µs/delivery": "8.00 11.00",
		"latency p50":     "1.0 ms 2.0 ms", // of the rounds that were not refused
		"latency p99":     "2.0 ms 4.0 ms",
		"CPU/floor":       "1.00 1.38",
	} {
		if got := line(b.String(), figure); got != want {
			t.Errorf("%s: %q, want %q", figure, got, want)
		}
	}
	if !strings.Contains(b.String(), "gateway, round 1: latency refused: the client was busy") {
		t.Errorf("the refusal is not explained in:\n%s", &b)
	}
	if strings.Contains(b.String(), "B/connection") {
		t.Errorf("a column without figures in:\n%s", &b)
	}
}

// A latency that was refused in every round is shown as such, and never as a number.
func TestWriteTable_Refused(t *testing.T) {
	var b strings.Builder
	if err := WriteTable(&b, []*Result{result("gateway", 1, 10, 0)}); err != nil {
		t.Fatal(err)
	}
	for _, figure := range []string{"latency p50", "latency p99", "latency max"} {
		if got := line(b.String(), figure); got != "refused" {
			t.Errorf("%s: %q, want refused", figure, got)
		}
	}
}

// line returns the texts beside a figure's title, one space between them.
func line(table, title string) string {
	for l := range strings.Lines(table) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(l), title+" "); ok {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	return "no such line"
}
