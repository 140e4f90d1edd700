package ledger

import (
	"testing"
	"time"
)

const (
	allowance = 10 * time.Second
	grace     = 2 * time.Second
)

// Watchers are wrong when news takes longer than allowed, and only then.
func TestPresence(t *testing.T) {
	for name, tt := range map[string]struct {
		play func(p *Presence, c *clock)
		want PresenceResult
	}{
		"told in time": {play: func(p *Presence, c *clock) {
			p.Went("ann")
			c.advance(9 * time.Second)
			p.Check()
			p.Told("w", "ann", false)
			p.Check()
		}, want: PresenceResult{Edges: 1}},
		"told too late": {play: func(p *Presence, c *clock) {
			p.Went("ann")
			c.advance(11 * time.Second)
			p.Check()
			c.advance(4 * time.Second)
			p.Told("w", "ann", false)
			p.Check()
		}, want: PresenceResult{Edges: 1, Errors: 1, Longest: 5 * time.Second, Total: 5 * time.Second}},
		"never told": {play: func(p *Presence, c *clock) {
			p.Went("ann")
			c.advance(11 * time.Second)
			p.Check()
			c.advance(2 * time.Second)
		}, want: PresenceResult{Errors: 1, Longest: 3 * time.Second, Total: 3 * time.Second}},
		"told wrong": {play: func(p *Presence, c *clock) {
			c.advance(time.Minute)
			p.Told("w", "ann", false)
			c.advance(time.Second)
			p.Check()
			p.Told("w", "ann", true)
			p.Check()
		}, want: PresenceResult{Edges: 2, Errors: 1, Longest: time.Second, Total: time.Second, Flaps: 1}},
		"back within the grace, and nobody is told": {play: func(p *Presence, c *clock) {
			c.advance(time.Minute)
			p.Went("ann")
			c.advance(time.Second)
			p.Came("ann")
			c.advance(time.Minute)
			p.Check()
		}},
		"back within the grace, and told": {play: func(p *Presence, c *clock) {
			c.advance(time.Minute)
			p.Went("ann")
			c.advance(time.Second)
			p.Came("ann")
			p.Told("w", "ann", false)
			p.Told("w", "ann", true)
			p.Check()
		}, want: PresenceResult{Edges: 2, Flaps: 1}},
		"a second device": {play: func(p *Presence, c *clock) {
			p.Came("ann")
			p.Went("ann")
			c.advance(time.Minute)
			p.Check()
		}},
		"Redis was away": {play: func(p *Presence, c *clock) {
			p.Unsettle()
			p.Went("ann")
			c.advance(time.Minute)
			p.Check()
			p.Settle()
			c.advance(9 * time.Second)
			p.Check()
			p.Told("w", "ann", false)
		}, want: PresenceResult{Edges: 1}},
		"a node has died in between": {play: func(p *Presence, c *clock) {
			p.Went("ann")
			c.advance(3 * time.Second)
			p.Died()
			c.advance(9 * time.Second)
			p.Check()
			p.Told("w", "ann", false)
		}, want: PresenceResult{Edges: 1}},
		"the watcher was away": {play: func(p *Presence, c *clock) {
			p.Left("w")
			p.Went("ann")
			c.advance(time.Minute)
			p.Check()
			p.Watches("w", []string{"ann"}, nil)
			p.Check()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			p := NewPresence(c.now, allowance, grace)
			p.Came("ann")
			p.Watches("w", []string{"ann", "bob"}, []string{"ann"})
			tt.play(p, c)
			if got := p.Result(); got != tt.want {
				t.Errorf("found %+v, want %+v", got, tt.want)
			}
		})
	}
}
