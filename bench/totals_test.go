package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/bench/worker"
)

// histogramOf has one time, a hundred times.
func histogramOf(d time.Duration) *worker.Histogram {
	h := worker.NewHistogram()
	for range 100 {
		h.Record(d)
	}
	return h
}

// A latency is only reported when the client side cannot have made it.
func TestDistrust(t *testing.T) {
	for name, tt := range map[string]struct {
		client  Client
		latency time.Duration
		late    *worker.Histogram
		want    string // part of the reason; empty: trusted
	}{
		"idle client":                     {Client{Busiest: 0.3, LagP99: 100}, 50 * time.Millisecond, nil, ""},
		"busy client":                     {Client{Busiest: 0.9, LagP99: 100}, 50 * time.Millisecond, nil, "90 % of a core"},
		"lag small beside the latency":    {Client{Busiest: 0.3, LagP99: 20_000}, 100 * time.Millisecond, nil, ""},
		"lag large beside the latency":    {Client{Busiest: 0.3, LagP99: 30_000}, 100 * time.Millisecond, nil, "event loop"},
		"small lag beside a tiny latency": {Client{Busiest: 0.3, LagP99: 1500}, 2 * time.Millisecond, nil, ""},
		"published in time":               {Client{}, 50 * time.Millisecond, histogramOf(time.Millisecond), ""},
		"published late":                  {Client{}, 50 * time.Millisecond, histogramOf(20 * time.Millisecond), "published up to"},
	} {
		t.Run(name, func(t *testing.T) {
			why := strings.Join(distrust(tt.client, histogramOf(tt.latency), tt.late), "; ")
			if (tt.want == "") != (why == "") || !strings.Contains(why, tt.want) {
				t.Errorf("distrust = %q, want %q", why, tt.want)
			}
		})
	}
}

func TestSum(t *testing.T) {
	report := func(received int64, busy, lag time.Duration) *worker.Report {
		return &worker.Report{
			Counts: worker.Counts{Received: received, Skipped: 1}, Progress: worker.Progress{Open: 10, LastGot: received},
			Latency: histogramOf(time.Millisecond), Handshake: worker.NewHistogram(), Joining: worker.NewHistogram(),
			Late: worker.NewHistogram(), Ends: map[string]int{"EOF": 1}, Resident: 5000,
			Loop: worker.Loop{Wall: time.Second, CPU: busy, Lag: histogramOf(lag)},
		}
	}
	got := sum([]*worker.Report{
		report(7, 200*time.Millisecond, time.Millisecond),
		report(8, 100*time.Millisecond, 3*time.Millisecond),
	})
	if got.Received != 15 || got.Skipped != 2 || got.Open != 20 || got.LastGot != 8 || got.ends["EOF"] != 2 {
		t.Errorf("counts %+v, progress %+v, ends %v", got.Counts, got.Progress, got.ends)
	}
	if n := got.latency.TotalCount(); n != 200 {
		t.Errorf("%d latencies, want 200", n)
	}
	if c := got.client; c.Workers != 2 || c.Busiest != 0.2 || c.LagP99 < 3000 || c.BytesPerClient != 500 {
		t.Errorf("client %+v, want 2 workers, the busiest at 0.2 cores, 3 ms of lag, 500 bytes a client", c)
	}
}
