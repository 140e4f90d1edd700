package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ginforge/gateway/api"
)

const (
	// pastEvery is how far apart the figures are that a node keeps, and pastKept for
	// how long it keeps them: under 100 KiB of JSON.
	pastEvery = 5 * time.Second
	pastKept  = 10 * time.Minute
)

// opPast has a node tell the figures that it has kept.
const opPast = "past"

// past is the figures of this node in the last minutes, so that a console has
// something to plot when it is opened. Nothing leaves the node until then.
type past struct {
	mu      sync.Mutex    // guards the fields below
	moments []pastFigures // the latest are last
}

// pastFigures are those of one moment.
type pastFigures struct {
	// At is when, in seconds of Unix time: a multiple of pastEvery, at all nodes.
	At    int64           `json:"at"`
	Stats json.RawMessage `json:"stats"` // nodeStats
}

// keep takes a sample if it is time for one.
func (p *past) keep(now time.Time, sample func(time.Time) nodeStats) {
	at := now.Truncate(pastEvery).Unix()
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.moments); n > 0 && p.moments[n-1].At >= at {
		return
	}
	s := sample(now)
	s.dropZeros()
	text, err := json.Marshal(s)
	if err != nil {
		return // it cannot be: see collect, which says so once a second
	}
	p.moments = append(p.moments, pastFigures{at, text})
	if extra := len(p.moments) - int(pastKept/pastEvery); extra > 0 {
		p.moments = slices.Delete(p.moments, 0, extra)
	}
}

// all returns what is kept.
func (p *past) all() []pastFigures {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.moments)
}

// dropZeros leaves out of the counters by cause what has not occurred.
func (s *nodeStats) dropZeros() {
	none := func(_ string, n uint64) bool { return n == 0 }
	for _, counters := range []map[string]uint64{s.Deliveries, s.SlowLost, s.Handshakes, s.Frames, s.Closes} {
		maps.DeleteFunc(counters, none)
	}
	maps.DeleteFunc(s.Refusals, func(_ int, n uint64) bool { return n == 0 })
}

// ConsolePast implements api.Console.
func (c *console) ConsolePast(ctx context.Context) (api.ConsolePast, error) {
	got, err := c.node.together.nodes.AskAll(ctx, opPast, nil)
	all := [][]pastFigures{}
	for _, a := range got.Answers {
		var of []pastFigures
		if a.Err == nil && json.Unmarshal(a.Data, &of) == nil {
			all = append(all, of)
		}
	}
	if err != nil { // Redis is away
		all = append(all, c.past.all())
	}
	return api.ConsolePast{Moments: sideBySide(all, time.Now()), Missing: got.Missing}, nil
}

// pastSlack is how much later than others a node may take its sample of a moment.
const pastSlack = 2 * time.Second

// sideBySide puts together what nodes have kept of the same moments.
func sideBySide(all [][]pastFigures, now time.Time) []api.ConsoleMoment {
	at := map[int64]*api.ConsoleMoment{}
	for _, of := range all {
		for _, f := range of {
			if now.Sub(time.Unix(f.At, 0)) < pastSlack {
				continue // some nodes have no sample of it yet
			}
			m := at[f.At]
			if m == nil {
				m = &api.ConsoleMoment{At: f.At * 1000}
				at[f.At] = m
			}
			m.Nodes = append(m.Nodes, f.Stats)
		}
	}
	moments := make([]api.ConsoleMoment, 0, len(at))
	for _, key := range slices.Sorted(maps.Keys(at)) {
		moments = append(moments, *at[key])
	}
	return moments
}
