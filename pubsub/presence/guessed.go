package presence

import (
	"context"
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

// Guessed notes users whom clients were told to be offline because they are not at this
// node, when Redis could not be asked. It never waits, and may be called from any
// goroutine; call it when the clients have been told.
func (p *Presence) Guessed(users []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range users {
		if _, known := p.guessed[u]; !known && len(p.guessed) == maxGuessed {
			p.guessedMore = true
			return
		}
		p.guessed[u] = struct{}{}
	}
}

// correctGuesses tells clients of those guessed to be offline who are online. Who looks
// offline is asked about again until that can be believed: others may be about to write
// that he is there.
func (p *Presence) correctGuesses(ctx context.Context) error {
	if p.cfg.Connected != nil && !p.cfg.Connected() {
		return nil
	}
	p.mu.Lock()
	users := make([]string, 0, len(p.guessed))
	for u := range p.guessed {
		users = append(users, u)
	}
	p.gap.blind = p.gap.blind || p.guessedMore
	p.guessedMore = false
	p.mu.Unlock()
	certain := p.calm() && p.lease.LongHeld(p.cfg.Grace) // before they are asked about
	for page := range slices.Chunk(users, retellPage) {
		edges, err := p.howTheyAre(ctx, page)
		if err != nil {
			return err
		}
		online := make([]Edge, 0, len(edges))
		known := make([]string, 0, len(edges))
		for _, e := range edges {
			if e.Online {
				online = append(online, e)
			}
			if e.Online || certain {
				known = append(known, e.User)
			}
		}
		p.forgetGuesses(known)
		p.tellMissed(online)
		pause(ctx, retellPause)
	}
	return nil
}

// forgetGuesses ends keeping users in mind.
func (p *Presence) forgetGuesses(users []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range users {
		delete(p.guessed, u)
	}
}
