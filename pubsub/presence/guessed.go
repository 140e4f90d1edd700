package presence

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// When Redis cannot be asked, as while a master of a Cluster is down or Redis is slow,
// clients are answered by what their node knows: who is here is online. That may be
// wrong of those who are online elsewhere, and no edge would ever correct it, since
// nothing changes with them. So they are kept in mind, and those who watch them, or are
// in their rooms, are told as soon as it is known.

// maxGuessed bounds the users that are kept in mind; beyond it everything is told as it
// is, as after a gap of which the stream does not tell.
const maxGuessed = 16384

// askAgain is in how many looks users are asked about once who look offline, and may not
// be: others write again within seconds whom they have.
const askAgain = 5

// Guessed notes users whom clients were told to be offline because they are not at this
// node, when Redis could not be asked. It never waits, and may be called from any
// goroutine; call it when the clients have been told.
func (p *Presence) Guessed(users []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.guesses++
	for _, u := range users {
		if _, known := p.guessed[u]; !known && len(p.guessed) == maxGuessed {
			p.guessedMore = true
			return
		}
		p.guessed[u] = p.guesses
	}
}

// correctGuesses tells clients of those guessed to be offline who are online. Who looks
// offline is asked about again until that can be believed: others may be about to write
// that he is there.
func (p *Presence) correctGuesses(ctx context.Context) error {
	if p.cutOff() {
		return nil
	}
	certain := p.calm() && p.lease.LongHeld(p.cfg.Grace) // before anybody is asked about
	p.looks++
	p.mu.Lock()
	p.gap.blind = p.gap.blind || p.guessedMore
	p.guessedMore = false
	var users []string
	if certain || p.guesses != p.lookedAt || p.looks%askAgain == 0 {
		users = slices.Collect(maps.Keys(p.guessed))
	}
	upTo := p.guesses
	p.lookedAt = upTo
	p.mu.Unlock()
	var errs []error
	for page := range slices.Chunk(users, retellPage) {
		edges, err := p.howTheyAre(ctx, page)
		errs = append(errs, err) // of some: in a Cluster one master may be away
		online := slices.DeleteFunc(slices.Clone(edges), func(e Edge) bool { return !e.Online })
		known := online
		if certain {
			known = edges
		}
		p.forgetGuesses(known, upTo)
		p.tellMissed(online)
		if p.retellRest(ctx); ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// forgetGuesses ends keeping users in mind, but for those who were guessed again since:
// clients may have been told after Redis was asked.
func (p *Presence) forgetGuesses(known []Edge, upTo uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range known {
		if p.guessed[e.User] <= upTo {
			delete(p.guessed, e.User)
		}
	}
}
