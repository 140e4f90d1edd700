package presence

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// The latest edges are kept in a stream, PREFIXedges, for nodes that are cut off from
// Redis while they are published: see missed.go.

const (
	// keptFor is how far the stream reaches back. What a node has missed begins when
	// it last heard Redis, which it may notice 10 s late, and ends when it is back;
	// one that is away for longer than its lease of 10 s is a new one to the others.
	keptFor = 2 * time.Minute
	// edgesPerEntry and entryBytes bound an entry. For an edge that is bigger there is
	// one with nothing but the field "big": who reads that has missed something.
	edgesPerEntry = 64
	entryBytes    = 4 << 10
	// keptEntries bounds the stream for storms, to 32 MiB: what matters is that Redis
	// is not filled by it. 20,000 users who come and go every ten minutes make 67 edges
	// a second, in as many entries at most, and 8,000 of them in keptFor. Beyond that
	// the stream reaches back less far, which whoever reads it sees.
	keptEntries = 8192
	// maxUnkept bounds the edges that wait to be kept while Redis is away.
	maxUnkept = 16384
	// The stream goes when nothing has been written to it for so long. Until then its
	// last entries stay, however old: they show that nothing is missing.
	edgesIdle = 24 * time.Hour
)

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
	if err := p.writeEdges(ctx, edges); err != nil {
		p.mu.Lock()
		later := p.unkept
		p.unkept = nil
		p.mu.Unlock()
		p.note(append(edges, later...))
		return fmt.Errorf("presence: keep edges: %w", err)
	}
	return nil
}

// writeEdges appends edges to the stream.
func (p *Presence) writeEdges(ctx context.Context, edges []string) error {
	pipe := p.client.Pipeline()
	for rest := edges; len(rest) > 0; {
		n := entrySize(rest)
		values := []any{"e", strings.Join(rest[:n], "\n")}
		if n == 1 && len(rest[0]) > entryBytes {
			values = []any{"big", "1"}
		}
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: p.edgesKey(), MaxLen: keptEntries, Approx: true, Values: values})
		rest = rest[n:]
	}
	pipe.PExpire(ctx, p.edgesKey(), edgesIdle)
	added, err := pipe.Exec(ctx)
	if err != nil {
		return err
	}
	if last, ok := added[len(added)-2].(*redis.StringCmd); ok {
		p.mu.Lock()
		p.lastKept = last.Val()
		p.mu.Unlock()
	}
	return nil
}

// trimEdges drops what is older than keptFor by the clock of Redis, which has named
// the entry that this node has written last. Called by look.
func (p *Presence) trimEdges(ctx context.Context) error {
	p.mu.Lock()
	last := p.lastKept
	p.lastKept = ""
	p.mu.Unlock()
	written, ok := entryTime(last)
	if !ok {
		return nil
	}
	oldest := strconv.FormatInt(written.Add(-keptFor).UnixMilli(), 10)
	if err := p.client.XTrimMinIDApprox(ctx, p.edgesKey(), oldest, 0).Err(); err != nil {
		return fmt.Errorf("presence: trim edges: %w", err)
	}
	return nil
}

// entrySize is how many of edges go into one entry.
func entrySize(edges []string) int {
	bytes := 0
	for i, e := range edges {
		if bytes += len(e) + 1; i > 0 && (i == edgesPerEntry || bytes > entryBytes) {
			return i
		}
	}
	return len(edges)
}

// entryTime is when an entry was written, by the clock of Redis.
func entryTime(id string) (time.Time, bool) {
	text, _, _ := strings.Cut(id, "-")
	ms, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(ms), err == nil
}

func (p *Presence) edgesKey() string { return p.cfg.Prefix + "edges" }
