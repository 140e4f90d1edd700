package lease

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/ginforge/gateway/pubsub/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience = time.Minute
	// testTTL is that of leases that must hold for some calls on a machine that is
	// busy, and be over in a test.
	testTTL = 2 * time.Second
)

// onBoth runs a test on a real Redis and on the embedded one; pass lets time
// pass for it.
func onBoth(t *testing.T, test func(t *testing.T, s *Store, pass func(time.Duration))) {
	t.Helper()
	t.Run("redis-server", func(t *testing.T) {
		test(t, newStore(t, redistest.Start(t).Addr()), func(d time.Duration) {
			timer := time.NewTimer(d + 10*time.Millisecond) // Redis' own clock decides
			<-timer.C
		})
	})
	t.Run("miniredis", func(t *testing.T) {
		server := miniredis.RunT(t)
		now := time.Now()
		server.SetTime(now)
		test(t, newStore(t, server.Addr()), func(d time.Duration) {
			now = now.Add(d)
			server.SetTime(now)
			server.FastForward(d)
		})
	})
}

func newStore(t *testing.T, addr string) *Store {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, Protocol: 2})
	t.Cleanup(func() { _ = client.Close() })
	return New(client, "websocket:")
}

// asking makes a function that asks for the lease of a name for a time.
func (s *Store) asking(t testing.TB, name string, ttl time.Duration) func(Ask) Grant {
	return func(a Ask) Grant {
		t.Helper()
		a.Name, a.TTL = name, ttl
		g, err := s.Acquire(context.Background(), a)
		if err != nil {
			t.Fatalf("Acquire(%+v) = %v", a, err)
		}
		return g
	}
}

func TestStore_OneHoldsIt(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store, pass func(time.Duration)) {
		redistest.InTime(t, testTTL, func(t *redistest.Attempt, ttl time.Duration) {
			name := fmt.Sprint("thing for ", ttl) // no other attempt's
			ask := s.asking(t, name, ttl)
			first := ask(Ask{Owner: "a", Note: "n"})
			if !first.Held || first.Term == 0 || first.Before.Owner != "" {
				t.Fatalf("the first gets %+v", first)
			}
			if g := ask(Ask{Owner: "b"}); g.Held || g.Term != first.Term || g.Before.Owner != "a" || g.Before.Note != "n" {
				t.Errorf("another gets %+v while it is held", g)
			}
			if g := ask(Ask{Owner: "a"}); !g.Held || g.Term != first.Term {
				t.Errorf("the holder gets %+v, want the same term", g)
			}
			if seen, err := s.Look(context.Background(), name); err != nil || !seen.Held || seen.Owner != "a" || seen.Term != first.Term {
				t.Errorf("Look = %+v, %v", seen, err)
			}
			t.InTime()
			pass(ttl + 200*time.Millisecond)
			if seen, err := s.Look(context.Background(), name); err != nil || seen.Held || seen.Owner != "a" {
				t.Errorf("Look = %+v, %v, want that it is over", seen, err)
			}
			if g := ask(Ask{Owner: "a", Renew: true}); !g.Held || g.Term != first.Term {
				t.Errorf("the last holder gets %+v, want the same term", g)
			}
			pass(ttl + 200*time.Millisecond)
			t.By(time.Now().Add(ttl))
			second := ask(Ask{Owner: "b"})
			if !second.Held || second.Term <= first.Term || second.Before.Until > second.Now {
				t.Errorf("the next gets %+v after %+v", second, first)
			}
			if g := ask(Ask{Owner: "a", Renew: true}); g.Held {
				t.Errorf("who had it before gets %+v", g)
			}
			s.handOver(t, name, first, second, ask)
		})
	})
}

// handOver has the holder of the second term release its lease, in vain at first.
func (s *Store) handOver(t *redistest.Attempt, name string, first, second Grant, ask func(Ask) Grant) {
	t.Helper()
	for _, wrong := range []struct {
		owner string
		term  uint64
	}{{"a", second.Term}, {"b", first.Term}} {
		if err := s.Release(context.Background(), name, wrong.owner, wrong.term, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if g := ask(Ask{Owner: "a"}); g.Held {
		t.Errorf("after a release by somebody else: %+v", g)
	}
	t.InTime()
	if err := s.Release(context.Background(), name, "b", second.Term, time.Now()); err != nil {
		t.Fatal(err)
	}
	if g := ask(Ask{Owner: "a"}); !g.Held || g.Term <= second.Term {
		t.Errorf("after the release: %+v", g)
	}
}

func TestStore_WhileHandsOver(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := newStore(t, server.Addr())
	redistest.InTime(t, time.Second, func(t *redistest.Attempt, ttl time.Duration) { handsOver(t, server, s, ttl) })
}

// handsOver has two hold a lease in turn. Its premise is that nothing stands still
// for a ttl while the first has it, who would lose it.
func handsOver(t *redistest.Attempt, server *redistest.Server, s *Store, ttl time.Duration) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lease := fmt.Sprint("lease for ", ttl) // no other attempt's
	begun, ended := make(chan string, 8), make(chan string, 8)
	var stops []func()
	for _, name := range []string{"a", "b"} {
		mine, stop := context.WithCancel(ctx)
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			s.While(mine, Ask{Name: lease, Owner: name, TTL: ttl}, zerolog.Nop(), func(ctx context.Context, _ Grant) {
				begun <- name
				<-ctx.Done()
				ended <- name
			})
		}()
		stops = append(stops, func() { stop(); <-finished })
	}
	next := func(c chan string) string {
		select {
		case name := <-c:
			return name
		case <-time.After(patience):
			t.Fatal("nothing happens")
			return ""
		}
	}
	first := next(begun)
	if len(begun) > 0 {
		t.Fatal("two hold it")
	}
	stops[first[0]-'a']()
	if got := next(ended); got != first {
		t.Errorf("%s has ended, want %s", got, first)
	}
	t.InTime()
	second := next(begun)
	if second == first {
		t.Errorf("%s holds it again after its end", first)
	}

	// Without Redis it ends by the holder's own clock, and is back with it.
	server.Pause()
	next(ended)
	server.Resume()
	if got := next(begun); got != second {
		t.Errorf("%s begins, want %s", got, second)
	}
	stops[second[0]-'a']()
	redistest.Eventually(t, patience, func() error {
		g, err := s.Acquire(context.Background(), Ask{Name: lease, Owner: "c", TTL: time.Second})
		if err != nil || !g.Held {
			return fmt.Errorf("%+v, %w", g, err)
		}
		return nil
	})
}
