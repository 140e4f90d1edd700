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
	lines := strings.Split(b.String(), "\n")
	cells := func(target string) []string {
		for _, line := range lines {
			if f := strings.Fields(line); len(f) > 1 && f[0] == target {
				return f
			}
		}
		t.Fatalf("no line of %s in:\n%s", target, &b)
		return nil
	}
	gateway := strings.Join(cells("gateway"), " ")
	if want := "gateway 10 0 11.00 2.0 ms 4.0 ms 4.0 ms"; !strings.HasPrefix(gateway, want) {
		t.Errorf("medians are %q, want %q first", gateway, want)
	}
	if !strings.HasSuffix(gateway, " 1.38") || !strings.HasSuffix(strings.Join(cells("floor"), " "), " 1.00") {
		t.Errorf("ratio to the floor is missing in:\n%s", &b)
	}
	if !strings.Contains(b.String(), "gateway, round 1: latency refused: the client was busy") {
		t.Errorf("the refusal is not explained in:\n%s", &b)
	}
	if strings.Contains(b.String(), "B/conn") {
		t.Errorf("a column without figures in:\n%s", &b)
	}
}

// A latency that was refused in every round is shown as such, and never as a number.
func TestWriteTable_Refused(t *testing.T) {
	var b strings.Builder
	if err := WriteTable(&b, []*Result{result("gateway", 1, 10, 0)}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "refused  refused  refused"); n != 1 {
		t.Errorf("want the three latencies refused in:\n%s", &b)
	}
}
