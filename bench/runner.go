package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Runner measures candidates with scenarios.
type Runner struct {
	Redis    string // host:port of the Redis that servers and publishers use
	RedisPID int    // its process, 0 when it is somebody else's
	Secret   string // of the servers' tokens
	Spawn    Spawn
	Report   Reporter
	Log      io.Writer // of the servers; nil for none
}

// Measure starts a candidate, runs a scenario against it, and stops it. The
// result holds what was measured also when an error is returned.
func (r *Runner) Measure(ctx context.Context, sc Scenario, c Candidate, round int) (*Result, error) {
	result := &Result{
		Scenario: sc.Name(), Target: c.Name, Round: round, What: sc.What(),
		Parameters: sc.Parameters(), Started: time.Now(),
	}
	if err := sc.Validate(); err != nil {
		return result, fmt.Errorf("bench: %s: %w", sc.Name(), err)
	}
	r.Report.Say("%s, %s: %s", sc.Name(), c.Name, sc.What())
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	nodes, err := r.start(ctx, c, max(1, sc.Parameters().Nodes))
	if err == nil {
		s := &Stage{Runner: r, Nodes: nodes, Result: result}
		err = s.perform(ctx, sc, cancel)
		result.Seconds = time.Since(result.Started).Seconds()
	}
	return result, errors.Join(err, r.stop(nodes))
}

// perform runs a scenario while a sampler watches, and sends the workers home.
func (s *Stage) perform(ctx context.Context, sc Scenario, exhausted context.CancelCauseFunc) error {
	sampling, stop := context.WithCancel(ctx)
	s.sampler = startSampler(sampling, s.Nodes, exhausted)
	err := sc.Run(ctx, s)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = errors.Join(err, cause)
	}
	stop()
	s.Result.Samples = s.sampler.taken()
	if s.crew != nil {
		s.crew.Dismiss()
	}
	return err
}

// start starts n servers of a kind. It returns those that were started also when
// one was not.
func (r *Runner) start(ctx context.Context, c Candidate, n int) ([]Target, error) {
	var nodes []Target
	if r.RedisPID != 0 {
		// A node that starts beside what another has left there cleans up after it.
		if err := emptyRedis(r.Redis); err != nil {
			return nil, fmt.Errorf("bench: empty redis: %w", err)
		}
	}
	if n > 1 {
		r.Report.Begin("servers", int64(n))
		defer r.Report.End()
	}
	for range n {
		node, err := c.Start(ctx, "redis://"+r.Redis, r.Log)
		if err != nil {
			return nodes, err
		}
		nodes = append(nodes, node)
		if n > 1 {
			r.Report.Set(int64(len(nodes)))
		}
	}
	return nodes, nil
}

// stopTimeout is how long servers may take to end after their clients have gone.
const stopTimeout = 30 * time.Second

// stop ends servers, also when the run has been interrupted.
func (r *Runner) stop(nodes []Target) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	errs := make([]error, len(nodes))
	var stopping sync.WaitGroup
	for i, n := range nodes {
		stopping.Go(func() { errs[i] = n.Stop(ctx) })
	}
	stopping.Wait()
	return errors.Join(errs...)
}
