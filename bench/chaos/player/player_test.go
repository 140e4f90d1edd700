package player

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ginforge/gateway/bench/chaos/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a crowd at a fake server.
type stage struct {
	*Crowd
	presence *ledger.Presence
	t        *testing.T
	fake     *fake
	book     *ledger.Book
	log      int
	ctx      context.Context
}

// begin has n clients join; talk is what they send in a second.
func begin(t *testing.T, n int, talk float64) *stage {
	t.Helper()
	return beginWith(t, n, talk, 0, &fakeOptions{})
}

// fakeOptions are what the server is like before anybody comes.
type fakeOptions struct{ busy bool }

// beginWith has so many of the clients watch others, and as many look who is in the
// room.
func beginWith(t *testing.T, n int, talk float64, watchers int, with *fakeOptions) *stage {
	t.Helper()
	f := newFake(t)
	f.with(func() { f.busy = with.busy })
	book := ledger.New(time.Now)
	room := book.Open("room log:0")
	presence := ledger.NewPresence(time.Now, ledger.Times{Lease: time.Second, Grace: time.Millisecond, Slack: time.Millisecond})
	presence.Begin()
	c, err := New(Options{
		Server: f.addr, Secret: "secret", Clients: n, Rooms: []int{room}, RoomName: func(int) string { return "log:0" }, Each: 1, Talk: talk,
		Watchers: watchers, Watched: n,
	}, book, presence)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	c.Begin(ctx, 0)
	s := &stage{Crowd: c, presence: presence, t: t, fake: f, book: book, log: room, ctx: ctx}
	s.ready()
	return s
}

// eventually waits until check returns nil.
func (s *stage) eventually(check func() error) {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("%v; ends: %v", err, s.Ends(s.ctx))
		}
	}
}

func (s *stage) ready() {
	s.t.Helper()
	s.eventually(func() error {
		if p := s.Progress(); p.Ready != len(s.clients) {
			return fmt.Errorf("progress %+v, want all of %d", p, len(s.clients))
		}
		return nil
	})
}

// delivered waits until n messages have been delivered.
func (s *stage) delivered(n int) {
	s.t.Helper()
	s.eventually(func() error {
		if got := s.book.Counts().Delivered; got != n {
			return fmt.Errorf("%d delivered, want %d", got, n)
		}
		return nil
	})
}

// verdict compares what was found.
func (s *stage) verdict(lost, duplicated, outOfOrder int) {
	s.t.Helper()
	v := s.book.Verdict()
	if v.Lost != lost || v.Duplicated != duplicated || v.OutOfOrder != outOfOrder || v.Strange+v.Misdelivered+v.Unnumbered != 0 {
		s.t.Errorf("%d lost, %d duplicated, %d out of order; want %d, %d, %d\n%q", v.Lost, v.Duplicated, v.OutOfOrder, lost, duplicated, outOfOrder, v.Events)
	}
}

const clients = 5

func TestCrowd_AccountsForAll(t *testing.T) {
	s := begin(t, clients, 0)
	for range 10 {
		s.fake.publish(s.book, s.log)
	}
	s.delivered(10 * clients)
	s.verdict(0, 0, 0)
}

func TestCrowd_FindsALoss(t *testing.T) {
	s := begin(t, clients, 0)
	s.fake.with(func() { s.fake.lose[2] = true })
	for range 3 {
		s.fake.publish(s.book, s.log)
	}
	s.delivered(2 * clients)
	s.verdict(clients, 0, 0)
}

func TestCrowd_FindsADuplicate(t *testing.T) {
	s := begin(t, clients, 0)
	s.fake.publish(s.book, s.log)
	s.fake.resend(1)
	s.fake.publish(s.book, s.log)
	s.delivered(2 * clients)
	s.verdict(0, clients, 0)
}

func TestCrowd_FindsASwap(t *testing.T) {
	s := begin(t, clients, 0)
	s.fake.with(func() { s.fake.lose[1] = true })
	s.fake.publish(s.book, s.log)
	s.fake.publish(s.book, s.log)
	s.fake.resend(1)
	s.fake.publish(s.book, s.log)
	s.delivered(2 * clients)
	s.verdict(clients, 0, clients) // a client drops what is behind its position
}

// Clients whose connections are cut come back with their position; a replay that
// is right leaves nothing to find, and one that is not does.
func TestCrowd_ComesBack(t *testing.T) {
	for name, tt := range map[string]struct {
		replay           func(uint64) int
		lost, duplicated int
	}{
		"to all it has missed":          {replay: func(offset uint64) int { return int(offset) }},
		"to what it had, once more":     {replay: func(offset uint64) int { return int(offset) - 1 }, duplicated: clients},
		"to a replay that is too short": {replay: func(offset uint64) int { return int(offset) + 1 }, lost: clients},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, clients, 0)
			s.fake.publish(s.book, s.log)
			s.delivered(clients)
			s.fake.with(func() {
				s.fake.replay = tt.replay
				clear(s.fake.members) // nobody hears the next one
			})
			s.fake.publish(s.book, s.log)
			s.Herd(s.ctx, 1, true)
			s.eventually(func() error {
				if n := s.fake.count(`"since":{"epoch":"e","offset":1}`); n != clients {
					return fmt.Errorf("%d came back", n)
				}
				return nil
			})
			s.ready()
			s.fake.publish(s.book, s.log)
			s.delivered(3*clients - tt.lost)
			s.verdict(tt.lost, tt.duplicated, 0)
		})
	}
}

// The delay of a close frame is kept to.
func TestCrowd_WaitsAsTold(t *testing.T) {
	s := begin(t, clients, 0)
	began := time.Now()
	s.fake.close(4200, `{"reason":"draining","delay_ms":300}`)
	s.eventually(func() error {
		if n := s.fake.count(`"since"`); n != clients {
			return fmt.Errorf("%d came back", n)
		}
		return nil
	})
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("back after %v, told to wait 300ms", took)
	}
	if n := s.Ends(s.ctx)["closed with 4200"]; n != clients {
		t.Errorf("%d closed with 4200, want %d", n, clients)
	}
}

// A reconnect frame moves clients to a new connection before the old one ends:
// nothing is missing, and nobody is without one.
func TestCrowd_Moves(t *testing.T) {
	s := begin(t, clients, 0)
	s.fake.publish(s.book, s.log)
	s.fake.tell(`{"type":"reconnect","content":{"code":4200,"reason":"draining","delay_ms":10,"grace_ms":5000}}`)
	s.eventually(func() error {
		if n := s.fake.count(`"since"`); n != clients {
			return fmt.Errorf("%d have moved", n)
		}
		if p := s.Progress(); p.Ready != clients {
			t.Fatalf("%d are there while they move", p.Ready)
		}
		return nil
	})
	s.fake.publish(s.book, s.log)
	s.delivered(2 * clients)
	s.verdict(0, 0, 0)
	if ends := s.Ends(s.ctx); len(ends) != 0 {
		t.Errorf("connections ended: %v", ends)
	}
}

// A server that is silent is asked, and given up.
func TestCrowd_GivesUpTheSilent(t *testing.T) {
	s := begin(t, 1, 0)
	s.fake.with(func() { s.fake.mute = true })
	s.Jump(s.ctx, 1, time.Minute) // so that it takes no minute
	s.eventually(func() error {
		if s.fake.count(`"ping"`) == 0 {
			return fmt.Errorf("no ping")
		}
		return nil
	})
	s.Jump(s.ctx, 1, time.Minute)
	s.eventually(func() error {
		if n := s.Ends(s.ctx)["given up: no answer to a ping"]; n != 1 {
			return fmt.Errorf("%d given up", n)
		}
		return nil
	})
}

// What was not answered is sent again with the same id, and counts once.
func TestCrowd_SendsAgain(t *testing.T) {
	s := begin(t, 1, 0.2)
	s.fake.with(func() { s.fake.deaf = true })
	first := `"type":"room_message","room":"log:0","id":"m0.0"`
	for attempt := 1; attempt <= 2; attempt++ {
		s.Jump(s.ctx, 1, answerTimeout+time.Second)
		s.eventually(func() error {
			if n := s.fake.count(first); n < attempt {
				return fmt.Errorf("sent %d times", n)
			}
			return nil
		})
	}
	if got := s.book.Counts().Published; got != 0 {
		t.Errorf("%d published without an answer", got)
	}
	if p := s.Progress(); p.Unacknowledged != 1 {
		t.Errorf("%d unacknowledged, want 1", p.Unacknowledged)
	}
}

// A client that reads nothing gets everything when it reads again.
func TestCrowd_Hushes(t *testing.T) {
	s := begin(t, clients, 0)
	s.Hush(s.ctx, 0, 1, 200*time.Millisecond)
	s.fake.publish(s.book, s.log)
	s.delivered(clients)
	s.verdict(0, 0, 0)
}
