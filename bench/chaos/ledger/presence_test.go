package ledger

import (
	"testing"
	"time"
)

// times are the tests': what changes must be known after 4 s, and after 14 s when a
// lease has to run out first.
var times = Times{Lease: 10 * time.Second, Grace: 2 * time.Second, Slack: 2 * time.Second, Calm: 5 * time.Second, Close: 3 * time.Second}

// pstage is a watcher "w" at node 0 that watches ann, who is at node 1, and bob, who
// was never there.
type pstage struct {
	*Presence
	clock *clock
}

// after lets time pass and looks.
func (s *pstage) after(d time.Duration) {
	s.clock.advance(d)
	s.Check()
}

// goes has ann leave long after she came.
func (s *pstage) goes() {
	s.clock.advance(time.Minute)
	s.Went("ann", 1)
}

func (s *pstage) told(online bool) {
	s.Told("w", "ann", online)
	s.Check()
}

// playPresence compares what is found, but for the times.
func playPresence(t *testing.T, play func(*pstage), want PresenceResult) {
	t.Helper()
	c := newClock()
	s := &pstage{Presence: NewPresence(c.now, times), clock: c}
	s.Begin()
	s.Came("ann", 1)
	s.Asks("w", 0)
	s.Answered("w", []string{"ann", "bob"}, []string{"ann"})
	play(s)
	got := s.Result()
	got.Watched, got.Judged = 0, 0
	if got != want {
		t.Errorf("found %+v, want %+v\n%q", got, want, s.Events())
	}
}

// Watchers are wrong when news takes longer than is due, and only then.
func TestPresence(t *testing.T) {
	wrong := func(edges int, d time.Duration) PresenceResult {
		return PresenceResult{Edges: edges, Errors: 1, Longest: d, Total: d}
	}
	for name, tt := range map[string]struct {
		play func(s *pstage)
		want PresenceResult
	}{
		"told in time": {play: func(s *pstage) {
			s.goes()
			s.after(3 * time.Second)
			s.told(false)
		}, want: PresenceResult{Edges: 1}},
		"told too late": {play: func(s *pstage) {
			s.goes()
			s.after(5 * time.Second)
			s.after(4 * time.Second)
			s.told(false)
		}, want: wrong(1, 5*time.Second)},
		"never told": {play: func(s *pstage) {
			s.goes()
			s.after(5 * time.Second)
			s.clock.advance(2 * time.Second)
		}, want: wrong(0, 3*time.Second)},
		"told wrong": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.told(false)
			s.after(3 * time.Second)
			s.told(true)
		}, want: PresenceResult{Edges: 2, Errors: 1, Longest: time.Second, Total: time.Second, Flaps: 1}},
		"told the same again and again, and it is wrong": {play: func(s *pstage) {
			s.goes()
			for range 6 {
				s.after(time.Second)
				s.told(true)
			}
		}, want: wrong(6, 2*time.Second)},
		"told the same again and again, and it is right": {play: func(s *pstage) {
			s.goes()
			s.after(3 * time.Second)
			for range 6 {
				s.told(false)
				s.after(time.Second)
			}
		}, want: PresenceResult{Edges: 6}},
		"told before the client knows that it is welcome": {play: func(s *pstage) {
			s.goes()
			s.after(time.Second)
			s.clock.advance(2 * time.Second)
			s.told(false)
			s.clock.advance(time.Minute)
			s.told(true)
			s.after(time.Second)
			s.Came("ann", 1)
			s.Check()
		}, want: PresenceResult{Edges: 2}},
		"told while the answer was under way": {play: func(s *pstage) {
			s.goes()
			s.Asks("w", 0)
			s.Told("w", "ann", false)
			s.Answered("w", []string{"ann"}, []string{"ann"})
			s.after(time.Minute)
		}},
		"back within the grace, and nobody is told": {play: func(s *pstage) {
			s.goes()
			s.clock.advance(time.Second)
			s.Came("ann", 1)
			s.after(time.Minute)
		}},
		"back within the grace, and told": {play: func(s *pstage) {
			s.goes()
			s.clock.advance(time.Second)
			s.Came("ann", 1)
			s.told(false)
			s.told(true)
		}, want: PresenceResult{Edges: 2, Flaps: 1}},
		"a second device": {play: func(s *pstage) {
			s.Came("ann", 2)
			s.Went("ann", 1)
			s.after(time.Minute)
		}},
		"the watcher was away": {play: func(s *pstage) {
			s.Left("w")
			s.goes()
			s.after(time.Minute)
			s.Asks("w", 0)
			s.Answered("w", []string{"ann"}, nil)
			s.Check()
		}},
		"while all come": {play: func(s *pstage) {
			s.begun = time.Time{}
			s.goes()
			s.after(time.Minute)
			s.Begin()
			s.after(3 * time.Second)
			s.after(2 * time.Second)
		}, want: wrong(0, time.Second)},
		"of two connections of a watcher the first ends": {play: func(s *pstage) {
			s.Asks("w/1", 0)
			s.Answered("w/1", []string{"ann"}, []string{"ann"})
			s.Left("w")
			s.goes()
			s.after(5 * time.Second)
		}, want: wrong(0, time.Second)},
	} {
		t.Run(name, func(t *testing.T) { playPresence(t, tt.play, tt.want) })
	}
}

// A fault gives more time to those whom it concerns, and to nobody else.
func TestPresence_Faults(t *testing.T) {
	wrong := func(d time.Duration) PresenceResult { return PresenceResult{Errors: 1, Longest: d, Total: d} }
	for name, tt := range map[string]struct {
		play func(s *pstage)
		want PresenceResult
	}{
		"her node dies": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.Died(1)
			s.Went("ann", 1)
			s.after(13 * time.Second)
			s.told(false)
		}, want: PresenceResult{Edges: 1}},
		"her node dies, and the lease has run out": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.Died(1)
			s.Went("ann", 1)
			s.after(15 * time.Second)
		}, want: wrong(time.Second)},
		"her node dies when she has just left it": {play: func(s *pstage) {
			s.goes()
			s.clock.advance(3 * time.Second)
			s.Died(1)
			s.after(9 * time.Second)
		}},
		"her node dies when she has left it long ago": {play: func(s *pstage) {
			s.goes()
			s.clock.advance(5 * time.Second)
			s.Died(1)
			s.Check()
		}, want: wrong(time.Second)},
		"her node dies, she is back elsewhere, and told to be offline": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.Died(1)
			s.Went("ann", 1)
			s.clock.advance(time.Second)
			s.Came("ann", 2)
			s.told(false)
			s.after(5 * time.Second)
		}, want: PresenceResult{Edges: 1, Errors: 1, Longest: time.Second, Total: time.Second, Flaps: 1}},
		"another node dies": {play: func(s *pstage) {
			s.goes()
			s.Died(2)
			s.after(5 * time.Second)
		}, want: wrong(time.Second)},
		"her node is cut off for a moment": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.Cut(1)
			s.Went("ann", 1)
			s.after(4 * time.Second)
			s.Mend(1, false)
			s.after(6 * time.Second)
			s.clock.advance(2 * time.Second)
			s.Check()
		}, want: wrong(time.Second)},
		"she goes when her node was just cut off": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.Cut(1)
			s.Mend(1, false)
			s.clock.advance(2 * time.Second)
			s.Went("ann", 1)
			s.after(4 * time.Second)
			s.clock.advance(2 * time.Second)
			s.Check()
		}, want: wrong(time.Second)},
		"she comes when her node was just cut off": {play: func(s *pstage) {
			s.goes()
			s.clock.advance(time.Minute)
			s.told(false)
			s.Cut(1)
			s.Mend(1, false)
			s.Came("ann", 1)
			s.after(5 * time.Second)
		}, want: PresenceResult{Edges: 1, Errors: 1, Longest: time.Second, Total: time.Second}},
		"her node dies while another, which may be to clean up, is cut off": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.Died(1)
			s.Went("ann", 1)
			s.Cut(2)
			s.clock.advance(13 * time.Second)
			s.Mend(2, false)
			s.after(6 * time.Second)
			s.clock.advance(2 * time.Second)
			s.Check()
		}, want: wrong(time.Second)},
		"her node is cut off for longer than a lease may last": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.Cut(1)
			s.Went("ann", 1)
			s.after(8 * time.Second)
			s.Mend(1, false)
			s.after(13 * time.Second)
			s.clock.advance(2 * time.Second)
			s.Check()
		}, want: wrong(time.Second)},
		"her node's clients are cut off for long": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.Cut(1)
			s.Went("ann", 1)
			s.after(8 * time.Second)
			s.Mend(1, true)
			s.after(3 * time.Second)
			s.clock.advance(2 * time.Second)
			s.Check()
		}, want: wrong(time.Second)},
		"her node is stopped while it does not say who is offline": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.RedisAway()
			s.Went("ann", 1)
			s.after(4 * time.Second)
			s.RedisBack()
			s.after(6 * time.Second)
			s.Cut(1)
			s.after(7 * time.Second)
			s.Mend(1, true)
			s.after(3 * time.Second)
			s.clock.advance(2 * time.Second)
			s.Check()
		}, want: wrong(time.Second)},
		"the watcher's node is stopped, and tells old news": {play: func(s *pstage) {
			s.goes()
			s.Cut(0)
			s.clock.advance(3 * time.Second)
			s.Came("ann", 1)
			s.clock.advance(5 * time.Second)
			s.Mend(0, false)
			s.told(false)
			s.told(true)
			s.after(time.Minute)
			s.told(false)
			s.told(true)
		}, want: PresenceResult{Edges: 4, Flaps: 1}},
		"the watcher's node is cut off": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.Cut(0)
			s.Went("ann", 1)
			s.after(4 * time.Second)
			s.Mend(0, false)
			s.after(6 * time.Second)
		}},
		"another node is cut off": {play: func(s *pstage) {
			s.goes()
			s.Cut(2)
			s.after(5 * time.Second)
		}, want: wrong(time.Second)},
		"Redis is away for a moment, and she goes": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.RedisAway()
			s.Went("ann", 1)
			s.after(4 * time.Second)
			s.RedisBack()
			s.after(6 * time.Second)
			s.clock.advance(2 * time.Second)
			s.Check()
		}, want: wrong(time.Second)},
		"Redis is away for a moment, and others are told that she goes": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.RedisAway()
			s.told(false)
			s.after(3 * time.Second)
		}, want: PresenceResult{Edges: 1, Errors: 1, Longest: time.Second, Total: time.Second, Flaps: 1}},
		"Redis is away for longer than a lease may last": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.RedisAway()
			s.after(8 * time.Second)
			s.told(false)
			s.RedisBack()
			s.after(3 * time.Second)
			s.clock.advance(2 * time.Second)
			s.Check()
		}, want: PresenceResult{Edges: 1, Errors: 1, Longest: time.Second, Total: time.Second}},
		"Redis is away for longer than a lease may last, and she goes": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.RedisAway()
			s.Went("ann", 1)
			s.after(8 * time.Second)
			s.RedisBack()
			s.after(13 * time.Second)
			s.clock.advance(2 * time.Second)
			s.Check()
		}, want: wrong(time.Second)},
		"Redis is away again before her node says that she has gone": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.RedisAway()
			s.RedisBack()
			s.Went("ann", 1)
			s.after(6 * time.Second)
			s.RedisAway()
			s.after(4 * time.Second)
			s.RedisBack()
			s.after(6 * time.Second)
			s.clock.advance(2 * time.Second)
			s.Check()
		}, want: wrong(time.Second)},
		"Redis is away long after she has gone": {play: func(s *pstage) {
			s.goes()
			s.clock.advance(5 * time.Second)
			s.RedisAway()
			s.Check()
		}, want: wrong(time.Second)},
		"told that she comes before she is welcome, which waits for Redis": {play: func(s *pstage) {
			s.goes()
			s.clock.advance(2 * time.Second)
			s.told(false)
			s.clock.advance(time.Minute)
			s.RedisAway()
			s.told(true)
			s.after(5 * time.Second)
			s.Came("ann", 1)
			s.RedisBack()
			s.after(time.Second)
		}, want: PresenceResult{Edges: 2}},
		"asked while Redis was away": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.RedisAway()
			s.clock.advance(time.Second)
			s.Asks("w", 0)
			s.Answered("w", []string{"ann"}, nil)
			s.after(3 * time.Second)
			s.RedisBack()
			s.after(3 * time.Second)
		}},
		"she reads nothing for a while": {play: func(s *pstage) {
			s.clock.advance(time.Minute)
			s.Numb("ann", 5*time.Second)
			s.told(false)
			s.after(11 * time.Second)
		}, want: PresenceResult{Edges: 1}},
		"the watcher reads nothing for a while": {play: func(s *pstage) {
			s.goes()
			s.NumbWatcher("w", 5*time.Second)
			s.after(6 * time.Second)
		}},
	} {
		t.Run(name, func(t *testing.T) { playPresence(t, tt.play, tt.want) })
	}
}

// The time in which a wrong view would have been found is told apart from that in
// which it would not.
func TestPresence_Judged(t *testing.T) {
	c := newClock()
	s := &pstage{Presence: NewPresence(c.now, times), clock: c}
	s.Begin()
	s.Came("ann", 1)
	s.Asks("w", 0)
	s.Answered("w", []string{"ann", "bob"}, []string{"ann"})
	for range 10 { // the first is where the time begins, up to the fourth she has just come
		s.after(time.Second)
	}
	s.Cut(1)
	s.after(time.Second)
	s.Mend(1, false)
	for range 9 { // four of them after the fault
		s.after(time.Second)
	}
	s.Left("w")
	s.after(time.Minute)
	if got := s.Result(); got.Watched != 19*time.Second || got.Judged != 11*time.Second {
		t.Errorf("judged %v of %v, want 11s of 19s", got.Judged, got.Watched)
	}
}
