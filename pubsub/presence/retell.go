package presence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// When a node has missed more than the stream tells, as after a long time without
// Redis or when Redis has lost its data, it asks Redis about everybody who may matter to its
// clients, and tells what is: those who watch a user whether it is online, and the
// members of a room with presence who is in it. What they knew already does no harm.
// Who has gone from a room meanwhile is not told to the room: nobody knows any more who
// was in it, and its members may ask.

const (
	// retellPage is about how many users are asked about at a time, and retellPause
	// the time between, for each node, as mostly all have missed the same: 5,000 users
	// a second of all nodes together, so that neither Redis nor the clients are
	// flooded.
	retellPage  = 256
	retellPause = 50 * time.Millisecond
)

// errCutOff ends telling when this node is cut off again: it begins anew then.
var errCutOff = errors.New("presence: cut off again")

// retellOnce tells everything as it is, as soon as that can be known: when Redis and
// the other nodes were away too, their users look as if they were offline until they
// are back and have been written again.
func (p *Presence) retellOnce(ctx context.Context) error {
	if !p.calm() || !p.lease.LongHeld(p.cfg.Grace) {
		return nil
	}
	began := time.Now()
	users, err := p.retell(ctx)
	if err != nil {
		return err
	}
	p.gap.blind, p.gap.heard = false, time.Now()
	p.log.Info().Int("users", users).Dur("took", time.Since(began)).Msg("told clients who is online, having missed too much")
	return nil
}

// retell tells everything as it is, and returns about how many users that was.
func (p *Presence) retell(ctx context.Context) (int, error) {
	seen := map[string]struct{}{}
	for _, life := range p.lease.Lives() {
		pages := p.client.SScan(ctx, p.onlineKey(life), 0, "", retellPage).Iterator()
		page := make([]string, 0, retellPage)
		for pages.Next(ctx) {
			if _, again := seen[pages.Val()]; again {
				continue
			}
			seen[pages.Val()] = struct{}{}
			if page = append(page, pages.Val()); len(page) == retellPage {
				if err := p.retellUsers(ctx, page); err != nil {
					return 0, err
				}
				page = page[:0]
			}
		}
		if err := pages.Err(); err != nil {
			return 0, fmt.Errorf("presence: who is online: %w", err)
		}
		if err := p.retellUsers(ctx, page); err != nil {
			return 0, err
		}
	}
	var others []string
	p.node.Watched(func(user string) {
		if _, again := seen[user]; !again {
			others = append(others, user)
		}
	})
	for page := range slices.Chunk(others, retellPage) {
		if err := p.retellUsers(ctx, page); err != nil {
			return 0, err
		}
	}
	return len(seen) + len(others), nil
}

// retellUsers tells how things are with a page of users, and pauses.
func (p *Presence) retellUsers(ctx context.Context, users []string) error {
	if len(users) == 0 {
		return nil
	}
	edges, err := p.howTheyAre(ctx, users)
	if err != nil {
		return err
	}
	if p.connects() != p.gap.connects || p.cutOff() {
		return errCutOff
	}
	p.tellMissed(edges)
	p.retellRest(ctx)
	return ctx.Err()
}

// retellRest is the pause after a page, longer with more nodes.
func (p *Presence) retellRest(ctx context.Context) {
	pause(ctx, retellPause*time.Duration(max(1, len(p.lease.Lives()))))
}

// howTheyAre asks Redis, and this node, how things are with users. With an error it
// returns those of whom it is known: in a Cluster one master may not answer.
func (p *Presence) howTheyAre(ctx context.Context, users []string) ([]Edge, error) {
	pipe := p.client.Pipeline()
	fields := make([]*redis.StringSliceCmd, len(users))
	for i, u := range users {
		fields[i] = pipe.HVals(ctx, p.presenceKey(u))
	}
	_, err := pipe.Exec(ctx)
	if err != nil {
		err = fmt.Errorf("presence: how users are: %w", err)
	}
	edges := make([]Edge, 0, len(users))
	for i, u := range users {
		if fields[i].Err() != nil {
			continue
		}
		e := edgeOf(u, fields[i].Val())
		if s := p.node.State(u); s.Here && !e.Online {
			e.Online, e.Name = true, s.Name // about to be written
		}
		edges = append(edges, e)
	}
	return edges, err
}

// edgeOf is how things are with a user, by the fields of its hash. It has no id, since
// nobody else tells it.
func edgeOf(user string, fields []string) Edge {
	e := Edge{User: user, Name: user, Watchers: true}
	for _, field := range fields {
		part := strings.SplitN(field, "\n", 3) // ROOMS, LEFT, NAME
		if len(part) != 3 {
			continue
		}
		e.Online, e.Name = true, part[2]
		var rooms []string
		if part[0] != "" && json.Unmarshal([]byte(part[0]), &rooms) == nil {
			e.Rooms = append(e.Rooms, rooms...)
		}
	}
	slices.Sort(e.Rooms)
	e.Rooms = slices.Compact(e.Rooms)
	return e
}
