package presence

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// reapPage is about how many users of a dead node are cleaned up in one round.
const reapPage = 256

// look does what is to be done now and then, until ctx ends: it takes the users
// of nodes that have died off, when they have had the time to come back
// elsewhere, compares everything again when Redis was away, and looks for what others
// have published meanwhile.
func (p *Presence) look(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	connects := p.connects()
	// Before the first connection there was nobody here who could miss anything.
	p.gap = gap{connects: max(1, connects), heard: time.Now()}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := errors.Join(p.reapEnded(ctx), p.catchUp(ctx), p.keepEdges(ctx))
		if now := p.connects(); now != connects {
			if verr := p.verify(ctx); verr == nil {
				connects = now
			} else {
				err = errors.Join(err, verr)
			}
		}
		if err != nil {
			p.stats.failures.Add(1)
			p.log.Debug().Err(err).Msg("presence not looked after")
		}
	}
}

func (p *Presence) connects() int64 {
	if p.cfg.Connects == nil {
		return 0
	}
	return p.cfg.Connects()
}

// verify has everybody compared who is here, or of whom Redis believes so.
func (p *Presence) verify(ctx context.Context) error {
	life, certain := p.lease.Holds()
	if !certain {
		return errNoLease
	}
	p.Again(false)
	users := p.client.SScan(ctx, p.onlineKey(life), 0, "", reapPage).Iterator()
	for users.Next(ctx) {
		p.Changed(users.Val())
	}
	if err := users.Err(); err != nil {
		return fmt.Errorf("presence: verify: %w", err)
	}
	return nil
}

func (p *Presence) reapEnded(ctx context.Context) error {
	lives, err := p.lease.Ended(ctx, p.cfg.Grace)
	if err != nil {
		return err
	}
	for _, life := range lives {
		n, err := p.reapLife(ctx, life)
		if err != nil {
			return err
		}
		if err := p.lease.Forget(ctx, life); err != nil {
			return err
		}
		delete(p.unsure, life)
		p.stats.reaped.Add(uint64(n))
		p.log.Info().Str("life", life).Int("users", n).Msg("cleaned up after a node that has ended")
	}
	return nil
}

// reapLife removes all that is under a life, whoever of the others is at it too,
// and returns how many users had something there.
func (p *Presence) reapLife(ctx context.Context, life string) (users int, err error) {
	for {
		page, err := p.client.SRandMemberN(ctx, p.onlineKey(life), reapPage).Result()
		if err != nil {
			return users, fmt.Errorf("presence: clean up: %w", err)
		}
		if len(page) == 0 {
			return users, nil
		}
		batch := make([]change, len(page)) // of users who are not here
		gone := make([]any, len(page))
		for i, u := range page {
			batch[i].user, batch[i].unsure, gone[i] = u, p.unsure[life], u
		}
		if err := p.compare(ctx, life, batch); err != nil {
			p.unsure[life] = true
			return users, err
		}
		if err := p.release(ctx, life, page); err != nil {
			return users, err
		}
		if err := p.index(ctx, "SREM", life, gone); err != nil {
			return users, err
		}
		users += len(page)
	}
}
