package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ginforge/gateway/bench"
	"github.com/ginforge/gateway/bench/chaos/ledger"
	"github.com/ginforge/gateway/bench/chaos/player"
)

// ErrLossy is returned when messages were lost, duplicated or out of order.
var ErrLossy = errors.New("chaos: not every message arrived once and in order")

// run is one run under way.
type run struct {
	Options
	world    *world
	book     *ledger.Book
	presence *ledger.Presence
	crowd    *player.Crowd
	sources  *sources
	sampler  *sampler
	result   *bench.Result
	cpu      time.Duration // ownCPU at the beginning
	began    time.Time     // when the faults did
	// published is for how long messages were published from outside.
	published time.Duration
}

// Run carries out a run. The result holds what was found also when an error is
// returned; that it is not clean is one, ErrLossy.
func Run(ctx context.Context, o Options) (*bench.Result, error) {
	r := &run{Options: o, result: newResult(o), cpu: ownCPU()}
	if err := o.Validate(); err != nil {
		return r.result, fmt.Errorf("chaos: %w", err)
	}
	o.Report.Say("chaos, %s: %s", o.Topology, r.result.What)
	err := r.start(ctx)
	if err == nil {
		err = r.play(ctx)
	}
	if r.sources != nil {
		r.sources.close()
	}
	if r.world != nil {
		r.world.close()
	}
	r.result.Seconds = time.Since(r.result.Started).Seconds()
	return r.result, err
}

// start starts the world and everybody in it.
func (r *run) start(ctx context.Context) error {
	var err error
	if r.world, err = newWorld(ctx, r.Options); err != nil {
		return err
	}
	r.book = ledger.New(time.Now)
	r.presence = ledger.NewPresence(time.Now, ledger.Times{Lease: lease, Grace: grace, Slack: slack, Calm: calm, Close: closing})
	rooms := make([]target, r.rooms())
	logs := make([]int, len(rooms))
	for i := range rooms {
		logs[i] = r.book.Open("room " + roomName(i))
		rooms[i] = target{log: logs[i], room: roomName(i)}
	}
	r.crowd, err = player.New(player.Options{
		Server: r.world.balancer.Addr(), Secret: bench.Secret, Seed: r.Seed, Clients: r.Clients,
		Rooms: logs, RoomName: roomName, Each: roomsEach, Talk: r.Rate * memberShare, Away: awayEvery,
		Watchers: min(watchers, r.Clients/2), Watched: min(watched, r.Clients/2),
	}, r.book, r.presence)
	if err != nil {
		return err
	}
	r.sources = newSources(r.Options, r.world.redis, r.book, rooms, r.crowd)
	r.sampler = &sampler{start: time.Now(), crowd: r.crowd, book: r.book, presence: r.presence, redis: r.world.redis}
	return nil
}

// play lets everybody in, publishes while the faults come, and closes the books
// when all has arrived, or nothing more does.
func (r *run) play(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	background, stop := context.WithCancel(ctx)
	var others sync.WaitGroup
	others.Go(func() {
		if err := r.crowd.Run(background); err != nil {
			cancel(err)
		}
	})
	others.Go(func() { r.sampler.run(background) })
	err := r.gather(ctx)
	if err == nil {
		publishing, silence := context.WithCancel(ctx)
		r.presence.Begin()
		r.sources.start(publishing)
		started := time.Now()
		err = r.strike(ctx)
		silence()
		r.sources.wait()
		r.published = time.Since(started)
		r.settle(ctx)
	}
	r.conclude(ctx)
	stop()
	others.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(err, cause)
	}
	if err == nil && !r.result.Chaos.Clean {
		err = ErrLossy
	}
	return err
}

// arrival is how many clients connect in a second at first.
const arrival = 300

// gather waits until all clients are there.
func (r *run) gather(ctx context.Context) error {
	r.crowd.Begin(ctx, time.Duration(r.Clients)*time.Second/arrival)
	r.Report.Begin("clients", int64(r.Clients))
	defer r.Report.End()
	err := r.await(ctx, gatherTimeout, func() bool {
		p := r.crowd.Progress()
		r.Report.Set(int64(p.Ready))
		return p.Ready >= p.Wanted
	})
	if err != nil {
		return fmt.Errorf("chaos: %d of %d clients are there: %w; ends: %v", r.crowd.Progress().Ready, r.Clients, err, r.crowd.Ends(ctx))
	}
	return nil
}

const (
	gatherTimeout = time.Minute
	settleTimeout = time.Minute
	awaitInterval = 100 * time.Millisecond
)

var errTimeout = errors.New("it takes too long")

// await waits until something is so.
func (r *run) await(ctx context.Context, timeout time.Duration, so func() bool) error {
	deadline := time.Now().Add(timeout)
	tick := time.NewTicker(awaitInterval)
	defer tick.Stop()
	for !so() {
		if time.Now().After(deadline) {
			return errTimeout
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// settle waits until everything that is due has arrived, and then a little for
// what should not. It gives up when nothing more moves.
func (r *run) settle(ctx context.Context) {
	r.crowd.Rest(ctx)
	expected, delivered, moved, looked := r.book.Missing(), 0, time.Now(), time.Now()
	r.Report.Begin("deliveries to come", int64(expected))
	defer r.Report.End()
	_ = r.await(ctx, settleTimeout, func() bool { // what is missing then is lost
		if time.Since(looked) < lookAgain {
			return false
		}
		looked = time.Now()
		if now := r.book.Counts().Delivered; now != delivered {
			delivered, moved = now, time.Now()
		}
		p, missing := r.crowd.Progress(), r.book.Missing()
		r.Report.Set(int64(max(0, expected-missing)))
		return p.Ready >= p.Wanted && p.Unacknowledged == 0 && (missing == 0 || time.Since(moved) > stillness)
	})
	pause(ctx, afterwards)
}

const (
	// stillness is how long nothing may move before what is missing is lost: longer
	// than a log is left alone before a node compares it with Redis.
	stillness = 20 * time.Second
	// lookAgain is how often the books are gone through, which takes a while.
	lookAgain = time.Second
	// afterwards is how long a run listens for what comes twice.
	afterwards = 2 * time.Second
)
