package admission

import (
	"math/rand/v2"
	"time"
)

// returnShare is the part of a budget that is promised to those who were sent
// away, in per cent. The rest is for clients that come for the first time, and for
// those who come early: a queue that is promised all of what it is served with
// never gets shorter (at a load of ρ the mean wait of regular arrivals is in the
// order of 1/(1-ρ) services; at 80 % it is a few).
const returnShare = 80

// queue is the virtual queue of those who have been refused: the time, since the
// gate was made, of the last place in it that was given away. The zero queue is
// empty.
type queue time.Duration

// place gives the next place in a queue that is served every period, not before
// earliest from now, and returns how long it is until then. A client whose place
// would be later than most from now is sent away for half of that to all of it, at
// random, without a place: by then the queue is shorter, or it is refused again.
func (q *queue) place(now, earliest, period, most time.Duration) time.Duration {
	at := max(time.Duration(*q)+period, now+earliest)
	if at-now > most {
		return most/2 + rand.N(most/2+1)
	}
	*q = queue(at)
	return at - now
}

// empty reports whether nobody is expected any more.
func (q *queue) empty(now time.Duration) bool { return time.Duration(*q) <= now }

// returnPeriod is the time between two places when n are served a second.
func returnPeriod(perSecond float64) time.Duration {
	return time.Duration(float64(time.Second) * 100 / returnShare / perSecond)
}
