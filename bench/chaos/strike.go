package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/ginforge/gateway/bench"
)

// strike carries out the schedule while a bar goes on and faults are told of.
func (r *run) strike(ctx context.Context) error {
	r.Report.Begin("seconds of faults", int64(r.Duration.Seconds()))
	defer r.Report.End()
	r.began = time.Now()
	done, lines := make(chan error, 1), make(chan string) // the reporter is this goroutine's
	go func() { done <- r.faults(ctx, lines) }()
	tick := time.NewTicker(awaitInterval)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case line := <-lines:
			r.Report.Say("%s", line)
		case <-tick.C:
			r.Report.Set(int64(min(time.Since(r.began), r.Duration).Seconds()))
		}
	}
}

// faults carries out one fault after the other, and says what came of each.
func (r *run) faults(ctx context.Context, lines chan<- string) error {
	h := &hand{world: r.world, crowd: r.crowd, book: r.book, presence: r.presence, sources: r.sources}
	for _, f := range Plan(r.Options) {
		pause(ctx, time.Until(r.began.Add(f.At)))
		r.closeFault(lines)
		at := time.Since(r.began)
		r.sampler.begin()
		err := h.do(ctx, f)
		r.result.Chaos.Faults = append(r.result.Chaos.Faults, bench.ChaosFault{
			Kind: string(f.Kind), What: f.String(), At: at.Seconds(), Seconds: (time.Since(r.began) - at).Seconds(),
		})
		if err != nil {
			return fmt.Errorf("chaos: %v: %w", f, err)
		}
	}
	pause(ctx, time.Until(r.began.Add(r.Duration)))
	r.closeFault(lines)
	return ctx.Err()
}

// closeFault notes what came of the last fault.
func (r *run) closeFault(lines chan<- string) {
	n := len(r.result.Chaos.Faults)
	if n == 0 {
		return
	}
	f := &r.result.Chaos.Faults[n-1]
	back, takeovers := r.sampler.end()
	f.Back, f.Takeovers = back.Seconds(), takeovers
	c := r.book.Counts()
	at := r.began.Add(time.Duration(f.At * float64(time.Second)))
	line := fmt.Sprintf("  %s, %4.0f s  %-38s nodes ready %4.1f s, 99 %% back %4.1f s", at.Format("15:04:05"), f.At, f.What, f.Seconds, f.Back)
	if takeovers > 0 {
		line += fmt.Sprintf(", %d taken over", takeovers)
	}
	if c.Duplicated+c.OutOfOrder > 0 {
		line += fmt.Sprintf("; %d duplicated, %d out of order so far", c.Duplicated, c.OutOfOrder)
	}
	lines <- line
}
