package chaos

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginforge/gateway/bench/chaos/ledger"
)

// redisError is an answer of Redis that says no.
type redisError string

func (e redisError) Error() string { return string(e) }
func (redisError) RedisError()     {}

// What a publisher was told decides what counts as published, and what is sent
// again.
func TestPublisher(t *testing.T) {
	for name, tt := range map[string]struct {
		repeats                 bool
		answers                 []error // then nil
		wantSent, wantPublished int
	}{
		"taken at once":                      {wantSent: 1, wantPublished: 1},
		"not answered, sent again":           {repeats: true, answers: []error{errBroken, errBroken}, wantSent: 3, wantPublished: 1},
		"not answered, not repeated":         {answers: []error{errBroken}, wantSent: 1},
		"nobody heard it":                    {answers: []error{errUnheard}, wantSent: 2, wantPublished: 1},
		"Redis said no":                      {answers: []error{redisError("LOADING")}, wantSent: 2, wantPublished: 1},
		"no replica has confirmed it so far": {repeats: true, answers: []error{errUnreplicated}, wantSent: 2, wantPublished: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			book := ledger.New(time.Now)
			var failed atomic.Int64
			sent := make(map[ledger.Stamp]int)
			p := &publisher{
				book: book, repeats: tt.repeats, failed: &failed,
				send: func(_ context.Context, _ target, s ledger.Stamp, _ int) error {
					sent[s]++
					if n := sent[s]; n <= len(tt.answers) {
						return tt.answers[n-1]
					}
					return nil
				},
			}
			p.publish(context.Background(), target{log: book.Open("room")}, 0)
			if got := book.Counts().Published; len(sent) != 1 || sent[ledger.Stamp{}] != tt.wantSent || got != tt.wantPublished {
				t.Errorf("sent %v, %d published; want %d times, %d published", sent, got, tt.wantSent, tt.wantPublished)
			}
			if got := int(failed.Load()); got != len(tt.answers) {
				t.Errorf("%d failed attempts, want %d", got, len(tt.answers))
			}
		})
	}
}

// A publisher ends with its context, and brings to an end what it has begun.
func TestPublisher_Ends(t *testing.T) {
	book := ledger.New(time.Now)
	room := target{log: book.Open("room")}
	ctx, cancel := context.WithCancel(context.Background())
	p := &publisher{
		book: book, rate: 1000, rand: rand.New(rand.NewPCG(1, 1)), failed: &atomic.Int64{},
		targets: func(*rand.Rand) target { return room },
		send: func(sending context.Context, _ target, _ ledger.Stamp, _ int) error {
			cancel()
			return sending.Err()
		},
	}
	p.run(ctx)
	if got := book.Counts().Published; got != 1 {
		t.Errorf("%d published, want the one under way", got)
	}
}

func TestTarget(t *testing.T) {
	for want, got := range map[string]string{
		"room:log:1": target{room: "log:1"}.channel(),
		"user:u7":    target{user: "u7"}.channel(),
		`{"type":"room_message","id":"p1.2","content":{"chaos":[1,2]}}`: string(target{room: "log:1"}.envelope(ledger.Stamp{Log: 1, N: 2}, "p1.2", 0)),
		`{"type":"user_message","content":{"chaos":[1,2],"pad":"xxx"}}`: string(target{user: "u7"}.envelope(ledger.Stamp{Log: 1, N: 2}, "", 3)),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
