package session

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ginforge/gateway/session/auth"
)

// askedAt is when each client was asked to move and when its connection was
// closed, since the start; zero for not at all.
type askedAt struct{ asked, closed time.Duration }

// watchMove looks at clients every moveTick until d has passed.
func watchMove(clients []*client, d time.Duration) []askedAt {
	times, started := make([]askedAt, len(clients)), time.Now()
	for time.Since(started) <= d {
		time.Sleep(moveTick)
		for i, c := range clients {
			if f := c.got(); len(f) > 0 && strings.Contains(f[0], `"type":"reconnect"`) {
				times[i].asked = time.Since(started)
			}
			if _, closed := c.conn.closed(); closed && times[i].closed == 0 {
				times[i].closed = time.Since(started)
			}
		}
	}
	return times
}

func (w *world) crowd(t testing.TB, n int) (clients []*client) {
	t.Helper()
	for i := range n {
		clients = append(clients, w.connect(t, fmt.Sprint("u", i)))
	}
	return clients
}

// Clients are asked at the configured rate, and each has the grace.
func TestMove_PacedWithGrace(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		clients := w.crowd(t, 200) // at 100 a second
		done := make(chan error, 1)
		go func() {
			v := w.drainMove(t.Context())
			done <- v.run(t.Context())
		}()
		times := watchMove(clients, 5*time.Second)
		perSecond := map[int]int{}
		for i, at := range times {
			grace := at.closed - at.asked
			if at.asked == 0 || grace < 2*time.Second-moveTick || grace > 2*time.Second+2*moveTick {
				t.Errorf("client %d was asked after %v and closed after %v, want 2s between", i, at.asked, at.closed)
			}
			perSecond[int((at.asked-moveTick).Seconds())]++
		}
		if perSecond[0] < 98 || perSecond[0] > 104 || perSecond[0]+perSecond[1] < 198 {
			t.Errorf("asked in each second: %v, want 100 in the first and in the next", perSecond)
		}
		for _, c := range clients {
			c.wantClosed(4200)
		}
		if err := <-done; err != nil {
			t.Errorf("run = %v, want nil", err)
		}
	})
}

func TestMove_Frame(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		v := w.drainMove(t.Context())
		go func() { _ = v.run(t.Context()) }()
		c.want(`{"type":"reconnect","content":{"code":4200,"reason":"draining","delay_ms":0,"grace_ms":2000},"timestamp":946684800}`)
	})
}

// When there is not enough time, everybody is asked nevertheless.
func TestMove_FitsItsTime(t *testing.T) {
	for name, tt := range map[string]struct{ within, grace time.Duration }{
		"long":  {time.Minute, 2 * time.Second},
		"short": {4 * time.Second, 2 * time.Second},
		"less":  {2 * time.Second, time.Second},
		"none":  {time.Millisecond, 500 * time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				w.crowd(t, 300)
				ctx, cancel := context.WithTimeout(t.Context(), tt.within)
				defer cancel()
				v := w.drainMove(ctx)
				takes := v.grace + time.Duration(float64(len(v.sessions))/v.rate*float64(time.Second))
				if v.grace != tt.grace || takes > max(tt.within, time.Second) {
					t.Errorf("a move within %v has %v of grace and takes %v", tt.within, v.grace, takes)
				}
				if (v.rate == 100) != (name == "long") {
					t.Errorf("within %v the rate is %v", tt.within, v.rate)
				}
			})
		})
	}
}

func TestMove_EndsWithItsContext(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		clients := w.crowd(t, 2)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.drainMove(ctx).run(ctx); err == nil {
			t.Error("run = nil, want the context's error")
		}
		for _, c := range clients {
			c.wantClosed(0)
		}
	})
}

// Each connection is moved once, between three quarters of the age and all of it,
// and those that came together do not go together.
func TestManager_Rebalance(t *testing.T) {
	inWorld(t, func(c *Config) { c.MaxAge = 10 * time.Minute }, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Rebalance(ctx) }()
		time.Sleep(90 * time.Minute) // numbers go on in the life of a node
		clients := w.crowd(t, 100)
		young := w.session(t, auth.Identity{UserID: "young"})
		minutes := map[time.Duration]int{}
		for tick := range 615 {
			if tick == 400 {
				young.attach(auth.Identity{UserID: "young"})
			}
			time.Sleep(time.Second)
			synctest.Wait()
			for _, c := range clients {
				for _, f := range c.conn.take() {
					if strings.Contains(f, `"code":4203,"reason":"rebalance"`) {
						minutes[(time.Duration(tick)*time.Second).Truncate(30*time.Second)]++
					}
				}
			}
		}
		total := 0
		for at, n := range minutes {
			if total += n; at < 7*time.Minute || n > 40 {
				t.Errorf("%d of 100 were asked at %v, want them spread over the last quarter of 10m", n, at)
			}
		}
		if total != 100 || len(minutes) < 4 {
			t.Errorf("%d of 100 were asked, at %v, want each once, spread", total, minutes)
		}
		for _, c := range clients {
			c.wantClosed(4203)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Rebalance = %v, want nil", err)
		}
	})
}

func TestManager_RebalanceIsOff(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.Rebalance(t.Context()); err != nil {
		t.Errorf("Rebalance = %v, want nil at once", err)
	}
}
