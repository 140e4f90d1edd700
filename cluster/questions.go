package cluster

import (
	"context"
	"sync"
)

const (
	// numAsking goroutines ask at a time, for as long as a question takes.
	numAsking = 32
	// maxQuestions may wait for one of them.
	maxQuestions = 1024
)

// Questions asks on behalf of callers that may not wait.
type Questions struct {
	waiting chan func(context.Context)
}

// NewQuestions makes a Questions; Run brings it to life.
func NewQuestions() *Questions {
	return &Questions{waiting: make(chan func(context.Context), maxQuestions)}
}

// Run asks until ctx ends; what waits then is not asked any more.
func (q *Questions) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for range numAsking {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case ask := <-q.waiting:
					ask(ctx)
				}
			}
		})
	}
	workers.Wait()
	return nil
}

// Ask has f called on a goroutine that may wait for Redis and other nodes, and
// reports false, without calling it, when too many wait already.
func (q *Questions) Ask(f func(ctx context.Context)) bool {
	select {
	case q.waiting <- f:
		return true
	default:
		return false
	}
}
