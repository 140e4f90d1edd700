package main

import "testing"

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
				if got := s.due(p.turnover); got != p.due {
					t.Errorf("period %d: due(%d) = %v, want %v", i, p.turnover, got, p.due)
				}
			}
		})
	}
}
