package presence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A node that was cut off from Redis for a moment has not heard the edges of that
// moment, and its clients would believe what is not so any more until the next edge of
// that user. So a node that is back reads in the stream what it has missed. It may hear
// some twice: an edge says how things are, so that does no harm. Where the stream does
// not tell, everything is compared and told as it is: see retell.go.

const (
	// Around the gap edges are looked for too: clocks differ, and a loss of the
	// connection is noticed late.
	gapMargin = 15 * time.Second
	// catchUps is in how many rounds, one each lookEvery, a node reads what it has
	// missed: what others could not keep at once, being cut off themselves, comes late.
	catchUps = 5
	// readEntries are read at a time, half a megabyte.
	readEntries = 128
	// maxMissed is how many edges are read; with more it is less work to compare.
	maxMissed = 16384
)

// gap is the time in which this node heard nothing.
type gap struct {
	connects int64     // Config.Connects, when it was closed
	heard    time.Time // when the connection was good for the last time, before it
	rounds   int       // in which what was missed is still looked for
	after    string    // the entry that was read last; "": none
	blind    bool      // more was missed than the stream tells
	// told is what clients were told in this gap: whether users are online.
	told map[string]bool
}

// follow looks for what others have published while this node was cut off, until ctx
// ends.
func (p *Presence) follow(ctx context.Context) {
	if p.cfg.Missed == nil {
		return
	}
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	// Before the first connection there was nobody here who could miss anything.
	p.gap = gap{connects: max(1, p.connects()), heard: time.Now()}
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := errors.Join(p.catchUp(ctx), p.correctGuesses(ctx)); err != nil {
			p.stats.failures.Add(1)
			p.log.Debug().Err(err).Msg("what was missed is not known yet")
		}
	}
}

// catchUp looks for what was published while this node was cut off, when it is back.
func (p *Presence) catchUp(ctx context.Context) error {
	g := &p.gap
	switch now := p.connects(); {
	case p.cutOff():
		return nil
	case now != g.connects:
		g.connects, g.rounds, g.after, g.told = now, catchUps, "", nil
	case g.rounds == 0 && g.blind:
		return p.retellOnce(ctx)
	case g.rounds == 0:
		g.heard, g.told = time.Now(), nil
		return nil
	}
	edges, last, err := p.readMissed(ctx)
	if err != nil {
		return err
	}
	if edges, err = p.asItIs(ctx, latest(edges)); err != nil {
		return err // and the same is read again
	}
	if last != "" {
		g.after = last
	}
	g.rounds--
	p.tellMissed(g.correct(edges))
	return nil
}

// correct takes note of what clients are about to be told. Between two rounds a user's
// next edge may have come on its channel, and so be known, before the one of the earlier
// round was told: then it has to be told again, and loses its id.
func (g *gap) correct(edges []Edge) []Edge {
	if g.told == nil {
		g.told = make(map[string]bool, len(edges))
	}
	for i := range edges {
		e := &edges[i]
		if online, told := g.told[e.User]; told && online != e.Online {
			e.ID = ""
		}
		g.told[e.User] = e.Online
	}
	return edges
}

func (p *Presence) tellMissed(edges []Edge) {
	if len(edges) > 0 {
		p.stats.missed.Add(uint64(len(edges)))
		p.cfg.Missed(edges)
	}
}

// readMissed reads the edges that were published behind the entry that was read last
// or, in the first round, since the gap began, oldest first, and the last entry. It
// notes when the stream does not reach back so far, or has too much.
func (p *Presence) readMissed(ctx context.Context) (edges []Edge, last string, err error) {
	from, err := p.readFrom(ctx)
	if err != nil {
		return nil, "", err
	}
	edges, last, err = p.edgesFrom(ctx, from)
	if err != nil {
		return nil, "", err
	}
	if len(edges) > maxMissed {
		edges, p.gap.blind = nil, true
	}
	return edges, last, nil
}

// readFrom is from which entry on is read.
func (p *Presence) readFrom(ctx context.Context) (from string, err error) {
	if p.gap.after != "" {
		return "(" + p.gap.after, nil
	}
	clock, err := p.client.Time(ctx).Result()
	if err != nil {
		return "", fmt.Errorf("presence: missed edges: %w", err)
	}
	began := clock.Add(-time.Since(p.gap.heard) - gapMargin)
	oldest, err := p.client.XRangeN(ctx, p.edgesKey(), "-", "+", 1).Result()
	if err != nil {
		return "", fmt.Errorf("presence: missed edges: %w", err)
	}
	reaches := false
	if len(oldest) > 0 {
		written, ok := entryTime(oldest[0].ID)
		reaches = ok && !written.After(began)
	}
	if !reaches {
		p.gap.blind = true
	}
	return strconv.FormatInt(began.UnixMilli(), 10), nil
}

// edgesFrom reads the edges of the stream, but not many more than maxMissed, and
// returns the last entry, "" if there is none.
func (p *Presence) edgesFrom(ctx context.Context, from string) (edges []Edge, last string, err error) {
	for len(edges) <= maxMissed {
		entries, err := p.client.XRangeN(ctx, p.edgesKey(), from, "+", readEntries).Result()
		if err != nil {
			return nil, "", fmt.Errorf("presence: missed edges: %w", err)
		}
		for _, entry := range entries {
			last = entry.ID
			text, ok := entry.Values["e"].(string)
			if !ok { // an edge that was too big
				p.gap.blind = true
			}
			for line := range strings.SplitSeq(text, "\n") {
				var e Edge
				if json.Unmarshal([]byte(line), &e) == nil { // else it is nobody's of ours
					edges = append(edges, e)
				}
			}
		}
		if len(entries) < readEntries {
			break
		}
		from = "(" + last
	}
	return edges, last, nil
}

// latest keeps of each edge those whom no later edge of the same user tells.
func latest(edges []Edge) []Edge {
	type told struct {
		user, room string // "": who watches the user
	}
	later := map[told]bool{}
	kept := make([]Edge, 0, len(edges))
	for _, e := range slices.Backward(edges) {
		e.Rooms = slices.DeleteFunc(slices.Clone(e.Rooms), func(room string) bool {
			known := later[told{e.User, room}]
			later[told{e.User, room}] = true
			return known
		})
		if e.Watchers {
			e.Watchers = !later[told{e.User, ""}]
			later[told{e.User, ""}] = true
		}
		if e.Watchers || len(e.Rooms) > 0 {
			kept = append(kept, e)
		}
	}
	slices.Reverse(kept)
	return kept
}

// asItIs corrects edges by how things are now. Edges of two nodes may stand in the
// stream in another order than they were published in, so the last one of a user is
// not always right: those who watch are told what is, and rooms nothing wrong. An edge
// that was corrected is a new one, and has no id.
//
// Shortly after a failover Redis may lack who is online until its node has compared:
// nobody is told then that such a user is offline, but everything is told again later.
func (p *Presence) asItIs(ctx context.Context, edges []Edge) ([]Edge, error) {
	users := make([]string, len(edges))
	for i, e := range edges {
		users[i] = e.User
	}
	online, err := p.Online(ctx, users)
	if err != nil {
		return nil, err
	}
	calm := p.calm()
	right := edges[:0]
	for i, e := range edges {
		if e.Online && !online[i] && !calm {
			p.gap.blind = true
			continue
		}
		if e.Online != online[i] {
			e.ID, e.Online, e.Rooms, e.Except = "", online[i], nil, nil
		}
		if e.Watchers || len(e.Rooms) > 0 {
			right = append(right, e)
		}
	}
	return right, nil
}
