package player

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/ginforge/gateway/bench/chaos/ledger"
	"github.com/ginforge/gateway/bench/fleet"
)

type wireState uint8

const (
	idle    wireState = iota
	opening           // until welcome
	live
	shutting // our close frame was sent; what still comes is ignored
)

// wire is one connection of a client. Times are of the client's clock.
type wire struct {
	state    wireState
	who      string // its name as a watcher
	node     int    // that it leads to, as welcome says
	joined   uint64 // bit r: the answer for room r has come
	want     uint64
	lines    []ledger.Line
	inbox    ledger.Line
	hasInbox bool  // it follows on this wire
	deadline int64 // until welcome
	heard    int64 // when something came last
	asked    int64 // when a ping was sent that nothing has answered
	rejoinAt int64 // when joins that are not answered are sent again
	lookAt   int64 // when a question for users that was refused is asked again
	delay    time.Duration
	delayed  bool // whether the close frame gave a delay
}

// complete reports whether the wire is in all rooms, and has the inbox.
func (w *wire) complete() bool { return w.state == live && w.joined == w.want && w.hasInbox }

const (
	welcomeTimeout = 15 * time.Second
	patience       = 5 * time.Second  // with a ping
	joinTimeout    = 10 * time.Second // until a join is sent again
)

// open connects wire k.
func (cl *client) open(k int, now int64) {
	w := &cl.wires[k]
	if w.state != idle {
		return
	}
	*w = wire{state: opening, who: w.who, lines: w.lines, want: 1<<len(cl.rooms) - 1, deadline: cl.clock(now) + int64(welcomeTimeout)}
	cl.crowd.fleet.Reopen(cl.conn(k), now)
}

// tend looks after wire k by the client's clock.
func (cl *client) tend(k int, clock int64) {
	w := &cl.wires[k]
	switch {
	case w.state == opening && clock >= w.deadline:
		cl.giveUp(k, "no welcome")
	case w.state != live:
	case w.asked != 0 && clock-w.asked >= int64(patience):
		cl.giveUp(k, "no answer to a ping")
	case w.asked == 0 && clock-w.heard >= int64(cl.interval):
		w.asked = clock
		cl.send(k, []byte(`{"type":"ping"}`))
	case w.rejoinAt != 0 && clock >= w.rejoinAt:
		cl.join(k)
	case w.lookAt != 0 && clock >= w.lookAt:
		cl.ask(k)
	}
}

// giveUp ends a connection that is of no use.
func (cl *client) giveUp(k int, why string) {
	cl.drop(k, false)
	cl.ended(k, 0, fmt.Errorf("given up: %s", why))
}

// drop closes the socket of wire k.
func (cl *client) drop(k int, reset bool) {
	cl.crowd.fleet.Cut(cl.conn(k), reset)
	cl.gone(k)
}

// shut ends wire k with a close frame.
func (cl *client) shut(k int) {
	w := &cl.wires[k]
	switch w.state {
	case idle, shutting:
	case opening:
		cl.drop(k, false)
	default:
		if cl.crowd.fleet.Shut(cl.conn(k)) != nil {
			cl.drop(k, false)
			return
		}
		cl.wentOffline(w)
		w.state = shutting
	}
}

// gone notes that wire k is no more.
func (cl *client) gone(k int) {
	w := &cl.wires[k]
	cl.wentOffline(w)
	w.state = idle
	cl.judge()
}

// wentOffline tells the books of presence.
func (cl *client) wentOffline(w *wire) {
	if w.state != live {
		return
	}
	cl.crowd.presence.Went(cl.crowd.userID(cl.user), w.node)
	if cl.watches != nil || cl.mates != nil {
		cl.crowd.presence.Left(w.who)
	}
}

// Open does nothing yet: the server speaks first (fleet.Handler).
func (c *Crowd) Open(int, time.Duration) {}

// Closing notes the delay that a close frame gives (fleet.CloseHandler).
func (c *Crowd) Closing(i, _ int, reason []byte) {
	w := &c.clients[i/2].wires[i%2]
	if ms, ok := numberAfter(reason, `"delay_ms":`); ok {
		w.delay, w.delayed = time.Duration(ms)*time.Millisecond, true
	}
}

// Closed has the client come back (fleet.Handler).
func (c *Crowd) Closed(i, code int, err error) {
	cl, k := &c.clients[i/2], i%2
	wanted := cl.wires[k].state != shutting
	cl.gone(k)
	if wanted {
		cl.ended(k, code, err)
	}
}

// longestPause bounds the pauses between attempts.
const longestPause = 15 * time.Second

// ended decides how to go on after wire k has ended without the client's doing.
func (cl *client) ended(k, code int, err error) {
	c, w := cl.crowd, &cl.wires[k]
	if code != 0 {
		c.note("closed with " + strconv.Itoa(code))
	} else {
		c.note(err.Error())
	}
	other := &cl.wires[1-k]
	switch {
	case cl.away:
		return
	case k != cl.current: // it was to replace the other one
		if other.state == live {
			cl.moveAt = cl.clock(fleet.Now()) + int64(time.Second) + c.rand.Int64N(int64(time.Second))
		}
		return
	case other.state == opening || other.state == live:
		cl.current = 1 - k
		return
	}
	cl.moveAt = 0
	cl.reopenAt = cl.clock(fleet.Now()) + int64(cl.pause(code, w)) + 1
	cl.attempt++
}

// pause is how long to wait before the next attempt: the first two digits of the
// close code say.
func (cl *client) pause(code int, w *wire) time.Duration {
	r := cl.crowd.rand
	switch band := code / 100; {
	case band == 40:
		cl.crowd.note("told to stop with " + strconv.Itoa(code))
		return 5 * time.Second // its user loads the page again
	case (band == 41 || band == 42) && w.delayed:
		return w.delay
	case cl.attempt > 0:
		return within(r, min(longestPause, time.Second<<min(cl.attempt, 10)))
	case band == 43:
		return 0
	default:
		return within(r, cl.window)
	}
}

// within is a random time up to d.
func within(r *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(d) + 1))
}
