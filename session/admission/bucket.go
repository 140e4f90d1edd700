package admission

import "time"

// budget is how often something may happen: perSecond times a second in the long
// run, and up to burst times at once by those who have saved up. The zero budget
// has no limit.
type budget struct {
	perSecond, burst int64
}

func newBudget(perSecond, burst int) budget { return budget{int64(perSecond), int64(burst)} }

func (b budget) limited() bool { return b.perSecond > 0 }

// cost is the time in which n tokens come.
func (b budget) cost(n int64) time.Duration {
	return time.Duration(n * int64(time.Second) / b.perSecond)
}

// bucket is a token bucket in one word: the time, since the gate was made, at
// which it is full again. The zero bucket is full.
type bucket time.Duration

// take takes n tokens at the time now, and reports whether there were as many.
func (k *bucket) take(b budget, now time.Duration, n int64) bool {
	full := max(time.Duration(*k), now) + b.cost(n)
	if full-now > b.cost(b.burst) {
		return false
	}
	*k = bucket(full)
	return true
}

// giveBack undoes a take of one token.
func (k *bucket) giveBack(b budget) { *k -= bucket(b.cost(1)) }

// wait is the time from now until there is a token.
func (k *bucket) wait(b budget, now time.Duration) time.Duration {
	return max(0, time.Duration(*k)+b.cost(1)-b.cost(b.burst)-now)
}

// full reports whether the bucket says nothing that the zero bucket does not.
func (k *bucket) full(now time.Duration) bool { return time.Duration(*k) <= now }
