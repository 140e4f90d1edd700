package worker

import "time"

// rejoin is a join to be tried again: code 4101 asks a client to come back later.
type rejoin struct {
	i  int   // the connection
	at int64 // when, in nanoseconds of fleet.Now
}

// rejoinDelay is how much later.
const rejoinDelay = int64(time.Second)

// rejoinDue tries the joins again that are due, and returns when the next one is,
// 0 when there is none.
func (c *crowd) rejoinDue(now int64) int64 {
	for len(c.again) > 0 {
		next := c.again[0]
		if next.at > now {
			return next.at
		}
		c.again = c.again[1:]
		if u := c.users[next.i]; u.up && u.rooms < c.wanted {
			c.joinAll(next.i)
		}
	}
	return 0
}
