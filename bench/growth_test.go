package bench

import (
	"slices"
	"strings"
	"testing"
)

// grownBy is a round of grow with steps at 100, 300 and 500 connections that cost
// the given bytes and time.
func grownBy(target string, resident [3]int64, cpu [3]float64) *Result {
	r := &Result{Scenario: "grow", Target: target, What: "users come"}
	for i, n := range []int{100, 300, 500} {
		d := &Delivery{Received: 1, CPUMicros: cpu[i]}
		r.Delivery = d
		r.Growth = append(r.Growth, Step{Connections: n, Resident: resident[i], Delivery: d})
	}
	return r
}

func TestGrowth_ShowsWhatFurtherConnectionsTake(t *testing.T) {
	t.Parallel()
	results := []*Result{
		grownBy("gateway", [3]int64{200_000, 390_000, 590_000}, [3]float64{11, 12, 13}),
		grownBy("floor --threads 2", [3]int64{1, 2, 3}, [3]float64{10, 10, 10}),
		grownBy("gateway", [3]int64{100_000, 270_000, 500_000}, [3]float64{9, 12, 14}),
		grownBy("gateway", [3]int64{300_000, 500_000, 700_000}, [3]float64{10, 15, 11}),
	}
	want := [][]string{ // medians of three rounds
		{"resident B in all", "200000", "390000", "590000"},
		{"B/connection since the number before", "", "950", "1000"},
		{"B/connection over 100", "", "950", "1000"},
		{"CPU µs/delivery", "10.00", "12.00", "13.00"},
		{"CPU/floor", "1.00", "1.20", "1.30"},
	}
	all := sections(results)[0].growth()
	if len(all) != 1 || !slices.Equal(all[0].Targets, []string{"100 connections", "300 connections", "500 connections"}) {
		t.Fatalf("growth() = %+v, want that of the gateway, at three numbers", all)
	}
	for i, line := range all[0].Lines {
		if !slices.Equal(line, want[i]) {
			t.Errorf("line %d = %q, want %q", i, line, want[i])
		}
	}
	var b strings.Builder
	if err := WriteTable(&b, results); err != nil || !strings.Contains(b.String(), "growth of gateway: ") || !strings.Contains(b.String(), "950") {
		t.Errorf("the tables are %q, %v", b.String(), err)
	}
}

// What a round that was interrupted has measured is shown, and what it has not is left out.
func TestGrowth_OfAnInterruptedRound(t *testing.T) {
	t.Parallel()
	r := grownBy("gateway", [3]int64{200_000, 390_000, 0}, [3]float64{11, 0, 0})
	r.Growth = r.Growth[:2]
	r.Growth[1].Delivery = nil
	got := sections([]*Result{r})[0].growth()
	if len(got) != 1 || !slices.Equal(got[0].Lines[1], []string{"B/connection since the number before", "", "950"}) ||
		!slices.Equal(got[0].Lines[3], []string{"CPU µs/delivery", "11.00", ""}) {
		t.Errorf("growth() = %+v, want two numbers, the second without deliveries", got)
	}
	r.Growth = r.Growth[:1]
	if got := sections([]*Result{r})[0].growth(); got != nil {
		t.Errorf("growth() of one number = %+v, want none", got)
	}
}

func TestGrow_Validate(t *testing.T) {
	t.Parallel()
	valid := single(1000)
	for name, tt := range map[string]struct {
		change func(*Parameters)
		want   string
	}{
		"as it is":      {func(*Parameters) {}, ""},
		"on the way":    {func(p *Parameters) { p.Steps = []int{1, 999} }, ""},
		"not growing":   {func(p *Parameters) { p.Steps = []int{500, 500} }, "steps"},
		"beyond":        {func(p *Parameters) { p.Steps = []int{1000} }, "steps"},
		"nobody":        {func(p *Parameters) { p.Steps = []int{0} }, "steps"},
		"several rooms": {func(p *Parameters) { p.Rooms = 10 }, "rooms"},
		"no messages":   {func(p *Parameters) { p.Rate = 0 }, "rate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := valid
			tt.change(&p)
			err := Grow{p}.Validate()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Validate() = %v, want one about %q", err, tt.want)
			}
		})
	}
}
