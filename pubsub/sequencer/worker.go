package sequencer

import (
	"context"
	"errors"
	"time"

	"github.com/ginforge/gateway/pubsub/stream"
)

const (
	// maxBatch and maxBatchBytes bound what a partition appends at once.
	maxBatch      = 512
	maxBatchBytes = 512 << 10
	// appendTimeout bounds one batch.
	appendTimeout = 3 * time.Second
	// minRetry and maxRetry bound the pause after a batch that Redis did not
	// take.
	minRetry = 20 * time.Millisecond
	maxRetry = time.Second
	// replicaPatience is how long what replicas do not confirm is kept in memory.
	// Nobody was promised that it is not lost, and Redis keeps only so much for a
	// node that does not go on.
	replicaPatience = 10 * time.Second
	// lane is that of bare messages in the logs.
	lane = "s"
)

// worker appends, one batch at a time, on a goroutine of its own.
type worker struct {
	seq  *Sequencer
	jobs chan job
	done chan outcome

	// Of Run's goroutine.
	busy  bool
	retry time.Time     // nothing is offered before
	pause time.Duration // after the next failure

	unconfirmed map[string]time.Time // since when the replicas of a server confirm nothing; of run's goroutine
}

// job is what the partitions owe.
type job [Partitions][]Item

// outcome is what has become of a job.
type outcome struct {
	landed [Partitions]int    // of each partition so many of the first
	later  [Partitions]uint64 // a later chain that a log has numbers of; 0: none
	failed error              // of some that are to be tried again
}

func newWorker(s *Sequencer) *worker {
	return &worker{seq: s, jobs: make(chan job, 1), done: make(chan outcome, 1), pause: minRetry, unconfirmed: map[string]time.Time{}}
}

// offer gives the worker what is owed, if it has nothing to do.
func (s *Sequencer) offer() {
	if s.worker.busy || !s.worker.retry.IsZero() && time.Now().Before(s.worker.retry) {
		return
	}
	var j job
	for i, p := range s.partitions {
		if p.machine.Owed() == 0 {
			continue
		}
		p.awake(time.Now())
		j[i] = p.machine.Take(maxBatch, maxBatchBytes)
		s.worker.busy = s.worker.busy || len(j[i]) > 0
	}
	if s.worker.busy {
		s.worker.jobs <- j // has room: the worker waits for it
	}
}

// landed takes an outcome.
func (s *Sequencer) landed(o outcome) {
	w := s.worker
	w.busy, w.retry = false, time.Time{}
	if o.failed != nil {
		w.retry = time.Now().Add(w.pause)
		w.pause = min(2*w.pause, maxRetry)
		s.stats.retries.Add(1)
	} else {
		w.pause = minRetry
	}
	for i, p := range s.partitions {
		p.awake(time.Now())
		p.machine.Landed(o.landed[i])
		p.floor = max(p.floor, o.later[i]+1)
		if o.later[i] != 0 && p.machine.Role() == Leading {
			p.anew()
		}
	}
}

// anew begins a new chain, later than that of the logs: somebody has begun one
// that this node has not heard of, or Redis has lost the lease's terms, and the logs
// take nothing of this one any more.
func (p *partition) anew() {
	p.seq.log.Warn().Int("partition", p.index).Msg("the logs have numbers of a later chain; counting anew")
	p.giveUp()
	if p.following {
		p.begin()
	}
}

// run appends jobs until ctx ends.
func (w *worker) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-w.jobs:
			limited, cancel := context.WithTimeout(ctx, appendTimeout)
			w.done <- w.append(limited, j) // has room: there is one job at a time
			cancel()
		}
	}
}

// place says which message of a job a message of the batch is.
type place struct{ partition, index int }

func (w *worker) append(ctx context.Context, j job) (o outcome) {
	var batch []stream.Append
	var places []place
	for i, items := range j {
		o.landed[i] = len(items)
		for k, it := range items {
			a, err := w.seq.cfg.Prepare(it.Channel, it.Payload)
			if err != nil {
				w.seq.stats.invalid.Add(1)
				continue
			}
			number := it.Number.String()
			a.Order = stream.Order{Lane: lane, Place: number}
			if a.Dedupe == "" { // known again when a failover has lost the lane
				a.Dedupe = "n." + number
			}
			batch, places = append(batch, a), append(places, place{i, k})
		}
	}
	if len(batch) == 0 {
		return o
	}
	results := w.seq.logs.Append(ctx, batch)
	now := time.Now()
	w.confirm(results, now)
	for n, r := range results {
		if errors.Is(r.Err, stream.ErrReplicas) && !w.patient(r.Server, now) {
			r.Err = nil
		}
		w.judge(&o, places[n], j[places[n].partition][places[n].index], r)
	}
	return o
}

// confirm notes which servers have replicas that confirm what they have taken.
func (w *worker) confirm(results []stream.Result, now time.Time) {
	lacking := map[string]bool{}
	for _, r := range results {
		if !errors.Is(r.Err, stream.ErrReplicas) {
			continue
		}
		lacking[r.Server] = true
		if _, known := w.unconfirmed[r.Server]; !known {
			w.unconfirmed[r.Server] = now
		}
	}
	for _, r := range results {
		if r.Err == nil && !lacking[r.Server] {
			delete(w.unconfirmed, r.Server)
		}
	}
}

// patient reports whether to wait for the replicas of a server that have not
// confirmed something.
func (w *worker) patient(server string, now time.Time) bool {
	return now.Sub(w.unconfirmed[server]) < replicaPatience
}

// judge notes what has become of one message. After one that is to be tried
// again, all of its partition are: those that were taken are duplicates then.
func (w *worker) judge(o *outcome, at place, it Item, r stream.Result) {
	s := &w.seq.stats
	switch {
	case r.Err == nil && r.Duplicate:
		later := chainOf(r.Last)
		if later <= it.Number.Chain {
			s.duplicates.Add(1)
			break
		}
		// Whoever counts in the later chain may have appended it, or not: it is
		// given up, so that it does not come twice.
		s.outdated.Add(1)
		o.later[at.partition] = max(o.later[at.partition], later)
	case r.Err == nil:
		s.sequenced.Add(1)
	case stream.Hopeless(r.Err):
		s.failed.Add(1)
		w.seq.log.Warn().Err(r.Err).Str("channel", it.Channel).Msg("a bare message cannot be appended, and is dropped")
	default:
		if errors.Is(r.Err, stream.ErrReplicas) && !r.Duplicate {
			s.sequenced.Add(1)
		}
		o.failed = r.Err
		o.landed[at.partition] = min(o.landed[at.partition], at.index)
	}
}
