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
// elsewhere, and compares everything again when Redis was away.
func (p *Presence) look(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	compared := p.serversNow()
	p.servers.Store(compared)
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if p.Stats().Waiting > 0 {
			p.notify() // maybe they had to wait, see ripe
		}
		err := errors.Join(p.reapEnded(ctx), p.keepEdges(ctx), p.trimEdges(ctx))
		if now := p.serversNow(); now != compared {
			if verr := p.verify(ctx); verr == nil {
				compared = now
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

// cutOff reports whether this node hears nothing of what is published.
func (p *Presence) cutOff() bool { return p.cfg.Connected != nil && !p.cfg.Connected() }

func (p *Presence) connects() int64 { return count(p.cfg.Connects) }

func (p *Presence) serversNow() int64 { return count(p.cfg.Servers) }

func count(f func() int64) int64 {
	if f == nil {
		return 0
	}
	return f()
}

// calm reports whether what is in Redis can be believed to be complete: a master that
// has just taken over may lack what nodes have written last, until they have compared.
func (p *Presence) calm() bool {
	now := time.Now()
	if n := p.serversNow(); p.servers.Load() != n {
		p.changed.Store(now.UnixNano()) // first: others ask too
		p.servers.Store(n)
	}
	return now.UnixNano()-p.changed.Load() >= calmAfter.Nanoseconds()
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

// reapEnded cleans up after the dead. It waits while a user of theirs who has come back
// elsewhere may be missing in Redis, and would be said to be offline.
func (p *Presence) reapEnded(ctx context.Context) error {
	if !p.calm() {
		return nil
	}
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
