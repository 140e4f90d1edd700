package main

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTransit_MeasuresFromTheFirstMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := newTransit()
		if _, due := tr.due(); due {
			t.Error("with nothing at hand a measurement is due")
		}
		tr.begin()
		started := time.Now()
		time.Sleep(3 * time.Millisecond)
		tr.begin() // of a message that is read together with the first
		began, due := tr.due()
		if !due || !began.Equal(started) {
			t.Fatalf("a measurement is due: %t, since %v; want one since the first message, %v", due, began, started)
		}
		tr.end(began, time.Now())
		tr.begin()
		if _, due := tr.due(); due {
			t.Error("another is due at once")
		}
		time.Sleep(transitEvery)
		tr.begin()
		if _, due := tr.due(); !due {
			t.Errorf("none is due %v later", transitEvery)
		}
		if got := tr.recent.quantiles(time.Now(), transitWindow); got == nil || *got != (quantiles{1, 3, 3}) {
			t.Errorf("measured were %+v, want one of 3 ms", got)
		}
	})
}

func TestLatest_QuantilesAreOfTheLastMoments(t *testing.T) {
	t.Parallel()
	var r latest
	now := time.Unix(1000, 0)
	if got := r.quantiles(now, time.Minute); got != nil {
		t.Errorf("of nothing the quantiles are %+v", *got)
	}
	for i := range 400 { // 1 ms, 2 ms, ..., one a second
		r.add(now.Add(time.Duration(i)*time.Second), time.Duration(i+1)*time.Millisecond)
	}
	now = now.Add(400 * time.Second)
	if got := r.quantiles(now, 101*time.Second); got == nil || *got != (quantiles{100, 350, 399}) {
		t.Errorf("of 301 to 400 ms the quantiles are %+v", got)
	}
	if got := r.quantiles(now, time.Hour); got == nil || got.Samples != len(r.ring) {
		t.Errorf("of all there are %+v, want as many as are kept", got)
	}
	if got := r.quantiles(now.Add(time.Minute), time.Second); got != nil {
		t.Errorf("a minute later the quantiles are %+v, want none", *got)
	}
}
