package admission

import (
	"hash/maphash"
	"time"
)

// user is what is known of a user: what its devices have used up.
type user struct {
	connects, frames, bytes bucket
	waiting                 queue
}

func (u *user) idle(now time.Duration) bool {
	return u.connects.full(now) && u.frames.full(now) && u.bytes.full(now) && u.waiting.empty(now)
}

// keyOfUser is a digest of an id: ids that meet in it share a budget, which is as
// likely as a guess of 64 bits.
func (g *Gate) keyOfUser(id string) key { return key{maphash.String(g.userSeed, id), uint64(len(id))} }

// User asks whether a user may connect once more. It is asked when the token is
// known to be good.
func (g *Gate) User(id string) Verdict { return g.user(id, g.now()) }

func (g *Gate) user(id string, now time.Duration) (v Verdict) {
	if !g.connects.limited() {
		return Verdict{}
	}
	at := g.users.with(g.keyOfUser(id), func(u *user) {
		if !u.connects.take(g.connects, now, 1) {
			period := returnPeriod(float64(g.connects.perSecond))
			v = Verdict{UserRate, u.waiting.place(now, max(rateWait, u.connects.wait(g.connects, now)), period, g.cfg.MaxDelay)}
		}
	})
	if at == 0 {
		g.stats.untracked.Add(1)
	}
	if v.Cause != Admitted {
		g.stats.refused[v.Cause].Add(1)
	}
	return v
}

// Use is what a frame takes of its user's budget.
type Use uint8

// Results of Frame.
const (
	UseOK         Use = iota
	TooManyFrames     // the user's devices send too many frames
	TooManyBytes      // or too many bytes
)

// Frame takes a frame of so many bytes from its user's budget. Called by pollers
// for every frame: it takes one lock of 64 for a few dozen nanoseconds.
func (g *Gate) Frame(id string, bytes int) Use {
	if !g.countsUsers {
		return UseOK
	}
	return g.frame(id, bytes, g.now())
}

func (g *Gate) frame(id string, bytes int, now time.Duration) (use Use) {
	at := g.users.with(g.keyOfUser(id), func(u *user) {
		if g.frames.limited() && !u.frames.take(g.frames, now, 1) {
			use = TooManyFrames
			return
		}
		if g.bytes.limited() && !u.bytes.take(g.bytes, now, int64(bytes)) {
			use = TooManyBytes
		}
	})
	if at == 0 {
		g.stats.untracked.Add(1)
	}
	return use
}
