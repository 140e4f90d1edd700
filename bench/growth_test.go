package bench

import (
	"slices"
	"strings"
	"testing"
)

// measured is a result of n connections of one target.
func measured(scenario, target string, n int, settled int64, cpu float64) *Result {
	r := &Result{Scenario: scenario, Target: target, Round: 1, Parameters: Parameters{Connections: n, Rooms: 1, Burst: 1}}
	if settled > 0 {
		r.Memory = &Memory{Before: 1000, Settled: settled}
	}
	if cpu > 0 {
		r.Delivery = &Delivery{CPUMicros: cpu}
	}
	return r
}

func TestGrowth_ShowsWhatAFurtherConnectionTakes(t *testing.T) {
	t.Parallel()
	bursts := measured("fanout", "gateway", 100, 0, 1)
	bursts.Parameters.Burst = 20
	personal := measured("idle", "gateway", 100, 999_999, 0)
	personal.Parameters.Personal = true
	g := growth([]*Result{
		measured("idle", "gateway", 300, 391_000, 0), measured("idle", "gateway", 100, 201_000, 0), personal,
		measured("idle", "gws", 300, 9_000_000, 0), bursts,
		measured("fanout", "gateway", 300, 0, 12), measured("fanout", "floor --threads 2", 300, 0, 10),
		measured("fanout", "gateway", 100, 0, 11),
	})
	want := [][]string{
		{"resident B in all", "200000", "390000"},
		{"B/connection over 100", "", "950"},
		{"CPU µs/delivery", "11.00", "12.00"},
		{"CPU/floor", "", "1.20"},
	}
	if g == nil || !slices.Equal(g.Targets, []string{"100 connections", "300 connections"}) {
		t.Fatalf("growth() = %+v, want two sizes", g)
	}
	for i, line := range want {
		if !slices.Equal(g.Lines[i], line) {
			t.Errorf("line %d = %q, want %q", i, g.Lines[i], line)
		}
	}
	var b strings.Builder
	if err := writeLines(&b, g.Targets, g.Lines); err != nil || !strings.Contains(b.String(), "950") {
		t.Errorf("the table is %q, %v", b.String(), err)
	}
}

func TestGrowth_NeedsTwoSizes(t *testing.T) {
	t.Parallel()
	if g := growth([]*Result{measured("idle", "gateway", 100, 2000, 0), measured("fanout", "gateway", 100, 0, 1)}); g != nil {
		t.Errorf("growth() of one size = %+v, want none", g)
	}
}
