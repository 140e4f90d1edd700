package main

import (
	"slices"
	"testing"
)

func TestSettler_ActsAfterAStorm(t *testing.T) {
	t.Parallel()
	type period struct {
		turnover uint64
		due      bool
	}
	for name, periods := range map[string][]period{
		"nothing happens":                  {{0, false}, {0, false}},
		"few connections are not worth it": {{900, false}, {900, false}, {990, false}},
		"it waits for the storm to end":    {{8000, false}, {19000, false}, {19000, true}, {19000, false}},
		"a trickle does not put it off":    {{19000, false}, {19100, true}},
		"a steady stream is no storm":      {{1000, false}, {2000, false}, {3000, false}, {4000, false}},
		"it acts once more when the storm is forgotten": {
			{19000, false}, {19000, true}, {19000, false}, {19001, false}, {19002, false}, {19003, false}, {19004, false}, {19004, true}, {19004, false},
		},
		"another storm comes first":           {{19000, false}, {19000, true}, {30000, false}, {30000, true}, {30000, false}},
		"those who leave are a storm as well": {{19000, false}, {19000, true}, {38000, false}, {38000, true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s settler
			for i, p := range periods {
				if got := s.due(p.turnover, collected{}); got != p.due {
					t.Errorf("period %d: due(%d) = %v, want %v", i, p.turnover, got, p.due)
				}
			}
		})
	}
}

func TestSettler_ActsAtRest(t *testing.T) {
	t.Parallel()
	const periods, soon = 4 * settleRest, settleRest + 1
	for name, tt := range map[string]struct {
		each   uint64 // bytes allocated in a period
		cycles func(period int) uint64
		want   []int // periods in which it acts; what it does is a cycle itself
	}{
		"when there is something to collect": {1 << 20, func(int) uint64 { return 1 }, []int{settleRest, 2*settleRest + 1, 3*settleRest + 2}},
		"later when there is little":         {1 << 14, func(int) uint64 { return 1 }, []int{64}},
		"not while it is collected anyway":   {1 << 20, func(p int) uint64 { return uint64(p/settleRest) + 1 }, nil},
		"soon after messages have stopped":   {1 << 20, func(p int) uint64 { return uint64(min(p, 50)) + 1 }, []int{50 + settleRest, 50 + settleRest + soon}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s settler
			var acts []int
			for p := range periods {
				c := collected{cycles: tt.cycles(p) + uint64(len(acts)), allocated: uint64(p) * tt.each}
				if s.due(0, c) {
					acts = append(acts, p)
				}
			}
			if !slices.Equal(acts, tt.want) {
				t.Errorf("acts in periods %v, want %v", acts, tt.want)
			}
		})
	}
}
