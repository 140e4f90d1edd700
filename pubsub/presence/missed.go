package presence

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// A node that was cut off from Redis for a moment has not heard the edges of that
// moment, and its clients would believe what is not so any more until the next edge of
// that user. So the latest edges are kept in a stream, PREFIXedges, and a node that is
// back reads there what it has missed. It may hear some twice: an edge says how things
// are, so that does no harm.

const (
	// edgesPerEntry and keptEntries bound the stream: about two megabytes.
	edgesPerEntry = 64
	keptEntries   = 256
	// maxUnkept bounds the edges that wait to be kept while Redis is away.
	maxUnkept = edgesPerEntry * keptEntries
	// keptFor is how long the stream is kept behind its last entry. Who was away for
	// longer has had its clients reconnect.
	keptFor = 5 * time.Minute
	// Around the gap edges are looked for too: clocks differ, and a loss of the
	// connection is noticed late.
	gapMargin = 15 * time.Second
	// catchUps is in how many rounds of look a node reads what it has missed: what
	// others could not keep at once, being cut off themselves, comes late.
	catchUps = 5
)

// gap is the time in which this node heard nothing.
type gap struct {
	connects int64     // Config.Connects, when it was closed
	heard    time.Time // when the connection was good for the last time, before it
	rounds   int       // in which what was missed is still looked for
	after    string    // the entry that was read last; "": none
}

// note takes edges that were published, to be kept.
func (p *Presence) note(edges []string) {
	if len(edges) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unkept = append(p.unkept, edges...)
	if excess := len(p.unkept) - maxUnkept; excess > 0 {
		p.unkept = slices.Delete(p.unkept, 0, excess)
	}
}

// keepEdges writes to the stream what was noted.
func (p *Presence) keepEdges(ctx context.Context) error {
	p.mu.Lock()
	edges := p.unkept
	p.unkept = nil
	p.mu.Unlock()
	if len(edges) == 0 {
		return nil
	}
	pipe := p.client.Pipeline()
	for part := range slices.Chunk(edges, edgesPerEntry) {
		pipe.XAdd(ctx, &redis.XAddArgs{
			Stream: p.edgesKey(), MaxLen: keptEntries, Approx: true, Values: []any{"e", strings.Join(part, "\n")},
		})
	}
	pipe.PExpire(ctx, p.edgesKey(), keptFor)
	if _, err := pipe.Exec(ctx); err != nil {
		p.mu.Lock()
		later := p.unkept
		p.unkept = nil
		p.mu.Unlock()
		p.note(append(edges, later...))
		return fmt.Errorf("presence: keep edges: %w", err)
	}
	return nil
}

// catchUp looks for what was published while this node was cut off, when it is back.
// Called by look.
func (p *Presence) catchUp(ctx context.Context) error {
	g := &p.gap
	now := p.connects()
	switch {
	case p.cfg.Missed == nil, p.cfg.Connected != nil && !p.cfg.Connected():
		return nil
	case now != g.connects:
		g.connects, g.rounds, g.after = now, catchUps, ""
	case g.rounds == 0:
		g.heard = time.Now()
		return nil
	}
	edges, after, err := p.edgesSince(ctx, time.Since(g.heard)+gapMargin, g.after)
	if err != nil {
		return err
	}
	if edges, err = p.asItIs(ctx, latest(edges)); err != nil {
		return err
	}
	g.rounds, g.after = g.rounds-1, after
	if len(edges) > 0 {
		p.stats.missed.Add(uint64(len(edges)))
		p.cfg.Missed(edges)
	}
	return nil
}

// edgesSince reads the edges that were published behind an entry, or else in the given
// time, oldest first, and returns the last entry.
func (p *Presence) edgesSince(ctx context.Context, since time.Duration, after string) (edges []Edge, last string, err error) {
	from := "(" + after
	if after == "" {
		clock, err := p.client.Time(ctx).Result()
		if err != nil {
			return nil, after, fmt.Errorf("presence: missed edges: %w", err)
		}
		from = strconv.FormatInt(clock.Add(-since).UnixMilli(), 10)
	}
	entries, err := p.client.XRangeN(ctx, p.edgesKey(), from, "+", 2*keptEntries).Result()
	if err != nil {
		return nil, after, fmt.Errorf("presence: missed edges: %w", err)
	}
	last = after
	for _, entry := range entries {
		last = entry.ID
		text, _ := entry.Values["e"].(string)
		for line := range strings.SplitSeq(text, "\n") {
			var e Edge
			if json.Unmarshal([]byte(line), &e) == nil { // else it is nobody's of ours
				edges = append(edges, e)
			}
		}
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
func (p *Presence) asItIs(ctx context.Context, edges []Edge) ([]Edge, error) {
	users := make([]string, len(edges))
	for i, e := range edges {
		users[i] = e.User
	}
	online, err := p.Online(ctx, users)
	if err != nil {
		return nil, err
	}
	right := edges[:0]
	for i, e := range edges {
		if e.Online != online[i] {
			e.ID, e.Online, e.Rooms, e.Except = "", online[i], nil, nil
		}
		if e.Watchers || len(e.Rooms) > 0 {
			right = append(right, e)
		}
	}
	return right, nil
}

func (p *Presence) edgesKey() string { return p.cfg.Prefix + "edges" }
