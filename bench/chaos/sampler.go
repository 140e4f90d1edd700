package chaos

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ginforge/gateway/bench"
	"github.com/ginforge/gateway/bench/chaos/ledger"
	"github.com/ginforge/gateway/bench/chaos/player"
	"github.com/ginforge/gateway/bench/chaos/redises"
)

// sampler looks at a run many times a second: how many clients are back, what
// watchers believe, what Redis does.
type sampler struct {
	start    time.Time
	crowd    *player.Crowd
	book     *ledger.Book
	presence *ledger.Presence
	redis    *redises.Set
	takes    redises.Takeovers

	mu       sync.Mutex // guards the fields below
	fault    time.Time  // when the present one began; zero before the first
	taken    int        // takeovers before it
	doubted  bool       // whether clients were asked to show that they are there since
	below    time.Time  // when fewer than 99 % were back last
	samples  []bench.ChaosSample
	peak     float64            // commands a second
	peakBy   map[string]float64 // of which
	commands int64
}

const (
	lookEvery    = 50 * time.Millisecond
	sampleEvery  = time.Second
	minCommandBy = 0.005 // of the peak: what a command must have to be named
)

// run looks until ctx ends.
func (s *sampler) run(ctx context.Context) {
	var redis sync.WaitGroup
	defer redis.Wait()
	redis.Go(func() { s.sampleAgain(ctx) })
	redis.Go(func() { s.takes.Watch(ctx, s.redis) })
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if s.doubt() {
			s.crowd.Doubt(ctx)
		}
		p := s.crowd.Progress()
		s.mu.Lock()
		if s.doubted && p.Back < enough(p.Wanted) {
			s.below = time.Now()
		}
		s.mu.Unlock()
		s.presence.Check()
	}
}

// doubtAfter is how long after its begin a fault has struck, and what was under way
// before has arrived.
const doubtAfter = 200 * time.Millisecond

// doubt reports whether it is time to ask who is there.
func (s *sampler) doubt() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doubted || s.fault.IsZero() || time.Since(s.fault) < doubtAfter {
		return false
	}
	s.doubted = true
	return true
}

// enough is 99 % of the clients, and with few of them all but two.
func enough(wanted int) int { return wanted - max(2, wanted/100) }

// begin notes that a fault begins, and end returns how long it took until 99 % had
// received something since, as far as is known by now, and how many replicas have
// taken over.
func (s *sampler) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.doubted, s.taken = time.Now(), false, s.takes.Count()
}

func (s *sampler) end() (back time.Duration, takeovers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, s.below.Sub(s.fault)), s.takes.Count() - s.taken
}

// sampleAgain takes a sample every second.
func (s *sampler) sampleAgain(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	last, delivered := s.count(ctx), reading{at: time.Now()}
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		// Redis is asked first: a server that hangs takes a while to say so.
		now := s.count(ctx)
		rates, total, ok := since(last, now)
		if now.commands != nil {
			last = now
		}
		p, got := s.crowd.Progress(), reading{at: time.Now(), delivered: s.book.Counts().Delivered}
		sample := bench.ChaosSample{
			Seconds: got.at.Sub(s.start).Seconds(), Ready: p.Ready, Wanted: p.Wanted,
			Deliveries: float64(got.delivered-delivered.delivered) / got.at.Sub(delivered.at).Seconds(),
		}
		delivered = got
		if ok {
			sample.Commands = &total
		}
		s.keep(sample, rates)
	}
}

// reading is what a counter said at one moment.
type reading struct {
	at        time.Time
	commands  map[string]int64 // nil: Redis could not be asked
	masters   []string         // who have counted these
	delivered int
}

// count asks Redis.
func (s *sampler) count(ctx context.Context) reading {
	commands, masters, err := s.redis.Commands(ctx)
	if err != nil || len(commands) == 0 {
		commands = nil
	}
	return reading{at: time.Now(), commands: commands, masters: masters}
}

// minApart is how many seconds there must be between two counts for a rate: after
// a server has hung, two may come close together.
const minApart = 0.5

// since turns counts into rates; ok is false when there are none, when other servers
// are masters now, and when one has begun to count anew.
func since(last, now reading) (rates map[string]float64, total float64, ok bool) {
	seconds := now.at.Sub(last.at).Seconds()
	if last.commands == nil || now.commands == nil || seconds < minApart || !slices.Equal(last.masters, now.masters) {
		return nil, 0, false
	}
	rates = make(map[string]float64)
	for name, n := range now.commands {
		before := last.commands[name]
		if n < before {
			return nil, 0, false
		}
		if n > before {
			rates[name] = float64(n-before) / seconds
			total += rates[name]
		}
	}
	return rates, total, true
}

func (s *sampler) keep(sample bench.ChaosSample, rates map[string]float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples = append(s.samples, sample)
	if sample.Commands == nil {
		return
	}
	s.commands += int64(*sample.Commands * sampleEvery.Seconds())
	if *sample.Commands > s.peak {
		s.peak, s.peakBy = *sample.Commands, rates
	}
}

// result is what Redis had to do.
func (s *sampler) result() (samples []bench.ChaosSample, redis bench.ChaosRedis) {
	s.mu.Lock()
	defer s.mu.Unlock()
	redis = bench.ChaosRedis{Peak: s.peak, PeakBy: make(map[string]float64), Commands: s.commands}
	for name, rate := range s.peakBy {
		if rate >= minCommandBy*s.peak {
			redis.PeakBy[name] = rate
		}
	}
	return s.samples, redis
}
