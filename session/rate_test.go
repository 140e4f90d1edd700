package session

import (
	"fmt"
	"testing"
	"time"
)

func TestBucket_Take(t *testing.T) {
	r := newRate(50, time.Second, 5)
	for name, tt := range map[string]struct {
		idle  time.Duration // before the first
		every time.Duration // between two
		tries int
		want  int
	}{
		"a burst":                 {0, 0, 10, 5},
		"a burst after a long":    {time.Hour, 0, 10, 5},
		"at the rate":             {0, 20 * time.Millisecond, 1000, 1000},
		"slower":                  {0, time.Second, 100, 100},
		"at double the rate":      {0, 10 * time.Millisecond, 1000, 504}, // half of them, and what was saved up
		"one period is one token": {0, 1 * time.Millisecond, 20, 5},
	} {
		t.Run(name, func(t *testing.T) {
			var b bucket
			got := 0
			for i := range tt.tries {
				if b.take(r, tt.idle+time.Duration(i)*tt.every, 1) {
					got++
				}
			}
			if got != tt.want {
				t.Errorf("%d of %d were let through, want %d", got, tt.tries, tt.want)
			}
		})
	}
}

// A refused take costs nothing: the next token comes as soon as it would have.
func TestBucket_RefusalIsFree(t *testing.T) {
	r := newRate(1, time.Second, 1)
	var b bucket
	b.take(r, 0, 1)
	for i := range 999 {
		if b.take(r, time.Duration(i)*time.Millisecond, 1) {
			t.Fatalf("a token after %d ms, want one a second", i)
		}
	}
	if !b.take(r, time.Second, 1) {
		t.Error("no token after a second")
	}
}

func TestBucket_TakeMany(t *testing.T) {
	r := newRate(1, time.Second, 10)
	var b bucket
	for i, tt := range []struct {
		now  time.Duration
		n    int
		want bool
	}{{0, 11, false}, {0, 4, true}, {0, 7, false}, {0, 6, true}, {0, 1, false}, {0, 0, true}, {3 * time.Second, 4, false}, {3 * time.Second, 3, true}} {
		if got := b.take(r, tt.now, tt.n); got != tt.want {
			t.Errorf("take %d: %d tokens at %s = %t, want %t", i, tt.n, tt.now, got, tt.want)
		}
	}
}

const (
	pong    = `{"type":"pong"}`
	tooFast = `{"type":"error","content":{"code":4101,"message":"too many frames: slow down"}}`
)

func TestSession_FrameRate(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		burst := make([]string, 100)
		for i := range burst {
			c.send(`{"type":"ping"}`)
			burst[i] = pong
		}
		c.want(burst...)
		c.send(`{"type":"ping"}`)
		c.want(tooFast)
		c.send(`{"type":"ping","id":"7"}`) // the id of what is refused is told
		c.want(`{"type":"error","id":"7","content":{"code":4101,"message":"too many frames: slow down"}}`)

		time.Sleep(time.Second)
		for range 50 {
			c.send(`{"type":"ping"}`)
		}
		c.want(burst[:50]...)
		c.wantClosed(0)
	})
}

func TestSession_ClosedWhenItDoesNotSlowDown(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		for range 100 {
			c.send(`{"type":"ping"}`)
		}
		c.got()
		for range 20 {
			c.send(`{"type":"ping"}`)
		}
		c.wantClosed(0)
		c.send(`{"type":"ping"}`)
		c.wantClosed(4101)
	})
}

func TestSession_ClosedForAbuse(t *testing.T) {
	for _, frame := range []string{`{`, `[]`, `{}`, `{"type":"nonsense"}`, `{"type":7}`, `{"type":"join_room","content":7}`} {
		t.Run(frame, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				c := w.connect(t, "u1")
				for range 20 {
					c.send(frame)
				}
				c.wantClosed(0)
				if got := len(c.got()); got != 20 {
					t.Errorf("%d errors for 20 malformed frames", got)
				}
				c.send(frame)
				c.wantClosed(4005)
				c.want() // no answer but the close frame
			})
		})
	}
}

func TestSession_SlowAbuseIsBorne(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		for range 200 { // ten minutes of 20 a minute
			c.send(`{`)
			time.Sleep(3 * time.Second)
		}
		c.wantClosed(0)
		for range 20 {
			c.send(`{`)
		}
		c.wantClosed(0)
		c.send(`{`)
		c.wantClosed(4005)
	})
}

// What is well-formed and not allowed is refused as often as the client likes.
func TestSession_RefusalsAreNoAbuse(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		for i := range 100 {
			c.send(fmt.Sprintf(`{"type":"join_room","content":"secret:%d"}`, i))
		}
		c.wantClosed(0)
		if got := w.Stats().Refusals[4003]; got != 100 {
			t.Errorf("%d refusals, want 100", got)
		}
	})
}

// Each connection has buckets of its own.
func TestSession_RatesAreNotShared(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		first, second := w.connect(t, "u1"), w.connect(t, "u1")
		for range 200 {
			first.send(`{"type":"ping"}`)
		}
		first.wantClosed(4101)
		second.send(`{"type":"ping"}`)
		second.want(pong)
	})
}

// Microseconds are counted modulo 2³²; that shows neither in a bucket that is used all
// the time nor in one that was left alone.
func TestBucket_GoesRound(t *testing.T) {
	r := newRate(1, time.Second, 4)
	const round = (1 << 32) * time.Microsecond
	for _, start := range []time.Duration{round - 10*time.Second, 3*round - 2*time.Second, round / 2} {
		var b bucket
		got := 0
		for i := range 40 {
			if b.take(r, start+time.Duration(i)*time.Second/2, 1) {
				got++
			}
		}
		if got < 23 || got > 24 {
			t.Errorf("from %v on: %d of 40 at double the rate were let through, want half of them and a burst", start, got)
		}
		for _, pause := range []time.Duration{time.Minute, round / 2, round - time.Minute, 5 * round / 3} {
			left := b
			for i := range 4 {
				if !left.take(r, start+20*time.Second+pause, 1) {
					t.Errorf("from %v on: token %d is refused after a pause of %v", start, i, pause)
				}
			}
		}
	}
}
