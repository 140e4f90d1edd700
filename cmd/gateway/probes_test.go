package main

import (
	"testing"
	"time"
)

func TestProbes_TellWhatTheLatestTook(t *testing.T) {
	t.Parallel()
	p := newProbes()
	now := time.Unix(1000, 0)
	if got := p.latency(now); got != nil {
		t.Errorf("before the first probe the latency is %v, want none", *got)
	}
	for i := 1; i <= 3; i++ { // 1 ms, 2 ms, ...
		number, due := p.plan(now)
		if !due {
			t.Fatalf("probe %d is not due", i)
		}
		if _, again := p.plan(now.Add(probeEvery / 2)); again {
			t.Fatalf("behind probe %d there is another at once", i)
		}
		p.begin(now)
		p.end(number-1, now) // of a probe that was given up: it tells nothing
		p.end(number, now.Add(time.Duration(i)*time.Millisecond))
		now = now.Add(time.Second)
	}
	if got := p.latency(now); got == nil || *got != 3 {
		t.Errorf("the latency is %v, want the 3 ms of the latest", got)
	}
	if got := p.latency(now.Add(probeStale)); got != nil {
		t.Errorf("when no more have come back the latency is %v, want none", *got)
	}
}

func TestProbes_AreSentApartFromTheQuestion(t *testing.T) {
	t.Parallel()
	for range 100 {
		if d := probeDelay(16 * time.Millisecond); d < 32*time.Millisecond || d >= probeEvery {
			t.Fatalf("a probe is sent %v after the question, want it behind what is read with that, and before the next question", d)
		}
	}
}
