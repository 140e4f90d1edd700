package bench

import (
	"fmt"
	"time"

	"github.com/ginforge/gateway/bench/worker"
)

// totals are the reports of all workers together.
type totals struct {
	worker.Progress
	worker.Counts
	sendFailed int64
	ends       map[string]int
	client     Client

	latency, handshake, joining, late *worker.Histogram
}

func sum(reports []*worker.Report) totals {
	t := totals{
		latency: worker.NewHistogram(), handshake: worker.NewHistogram(), joining: worker.NewHistogram(), late: worker.NewHistogram(),
		ends: make(map[string]int), client: Client{Workers: len(reports)},
	}
	var resident int64
	for _, r := range reports {
		t.Progress = addProgress(t.Progress, r.Progress)
		t.Add(r.Counts)
		t.sendFailed += r.SendFailed
		t.latency.Merge(r.Latency.Histogram)
		t.handshake.Merge(r.Handshake.Histogram)
		t.joining.Merge(r.Joining.Histogram)
		t.late.Merge(r.Late.Histogram)
		for reason, n := range r.Ends {
			t.ends[reason] += n
		}
		t.client.Busiest = max(t.client.Busiest, r.Loop.CPU.Seconds()/r.Loop.Wall.Seconds())
		t.client.LagP99 = max(t.client.LagP99, float64(r.Loop.Lag.ValueAtQuantile(99)))
		t.client.CPUSeconds += r.Loop.CPU.Seconds()
		resident += r.Resident
	}
	if t.Open > 0 {
		t.client.BytesPerClient = float64(resident) / float64(t.Open)
	}
	return t
}

// The bounds beyond which the harness's own slowness may show in a latency.
const (
	maxBusy     = 0.85                 // cores that an event loop may use
	lagFloor    = 2 * time.Millisecond // what an event may always wait for the loop
	lagFraction = 0.25                 // of the latency at the same percentile
	lateFloor   = 2 * time.Millisecond // what a message may always be published late
)

// distrust says why latencies measured by this client must not be reported:
// nothing when they may. late is by how much messages left too late, nil when
// nothing was published.
func distrust(c Client, latency, late *worker.Histogram) []string {
	if latency.TotalCount() == 0 {
		return nil
	}
	var why []string
	p99 := time.Duration(latency.ValueAtQuantile(99)) * time.Microsecond
	bound := func(floor time.Duration) time.Duration {
		return max(floor, time.Duration(float64(p99)*lagFraction))
	}
	if c.Busiest > maxBusy {
		why = append(why, fmt.Sprintf("the client's event loop used %.0f %% of a core (at most %.0f %%)", 100*c.Busiest, 100*maxBusy))
	}
	if lag := time.Duration(c.LagP99) * time.Microsecond; lag > bound(lagFloor) {
		why = append(why, fmt.Sprintf("events waited up to %v for the client's event loop at p99 (at most %v)", lag, bound(lagFloor).Round(time.Microsecond)))
	}
	if late != nil && late.TotalCount() > 0 {
		if l := time.Duration(late.ValueAtQuantile(99)) * time.Microsecond; l > bound(lateFloor) {
			why = append(why, fmt.Sprintf("messages were published up to %v late at p99 (at most %v)", l, bound(lateFloor).Round(time.Microsecond)))
		}
	}
	return why
}
