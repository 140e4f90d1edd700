package sequencer

import (
	"context"
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/lease"
	"github.com/ginforge/gateway/pubsub/stream"
)

const (
	// lingering is for how many TTLs of a lease a node goes on to follow when it
	// has no part any more: it may be about to have one again.
	lingering = 2
	// beat is how often a node looks at its clock and whether marks are due.
	beat = 25 * time.Millisecond
	// maxHeard is how much a feed may be ahead of Run.
	maxHeard = 1024
	// maxOwed is how many messages a node owes before it reads no more. Then
	// Redis keeps what is due to it, within client-output-buffer-limit.
	maxOwed = 16 << 10
	// markChannel is where marks are published, after the prefix.
	markChannel = "mark"
)

// Appender takes batches of messages: *stream.Store, or what waits for replicas
// too.
type Appender interface {
	Append(ctx context.Context, batch []stream.Append) []stream.Result
}

// Sequencer is this node's part in sequencing.
type Sequencer struct {
	// Fixed by New.
	cfg    Config
	redis  redis.UniversalClient // for leases and marks
	own    func() redis.UniversalClient
	log    zerolog.Logger
	leases *lease.Store
	logs   Appender
	id     string        // of this process: Node and something random
	where  string        // names what is followed, in marks
	every  time.Duration // between two checks of a feed

	stats counters
	ready atomic.Bool

	// The rest belongs to Run's goroutine.
	partitions [Partitions]*partition
	feed       *feed     // nil: not connected, and not about to
	connected  bool      // feed is up
	needed     time.Time // when this node last had a part in a partition
	now        int64     // Redis' time, as far as it is known
	retryAt    time.Time
	heard      chan heard
	marks      uint64 // ids given out
	speaker    chan string
	keeper     *keeper
	worker     *worker
	leaving    bool
	failing    bool // the last feed had an error, and that was logged
}

// New prepares a Sequencer; Run brings it to life. It uses commands for leases
// and marks; own makes a client for the connection that follows the channels,
// which the Sequencer closes.
func New(cfg Config, commands redis.UniversalClient, own func() redis.UniversalClient, logs Appender, log zerolog.Logger) (*Sequencer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Sequencer{
		cfg: cfg, redis: commands, own: own, log: log, logs: logs,
		leases: lease.New(commands, cfg.Prefix),
		id:     cfg.Node + "." + strings.ToLower(rand.Text()[:8]),
		where:  digest(cfg.Patterns), every: feedCheck,
		heard: make(chan heard, maxHeard), speaker: make(chan string, 4*Partitions),
	}
	for i := range s.partitions {
		s.partitions[i] = &partition{seq: s, index: i, machine: NewMachine(s.id, cfg.Limits)}
	}
	s.keeper, s.worker = newKeeper(s), newWorker(s)
	return s, nil
}

// digest names a list of patterns.
func digest(patterns []string) string {
	h := fnv.New64a()
	for _, p := range patterns {
		_, _ = h.Write([]byte(p)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// partitionOf returns the partition of a log.
func partitionOf(k stream.Key) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte{byte(k.Kind)}) // never fails
	_, _ = h.Write([]byte(k.Name))
	return int(h.Sum32() % Partitions)
}

// Ready reports whether all partitions have been found to be led, by this node
// or another, so that what is published is not published in vain. Once true it
// stays so.
func (s *Sequencer) Ready() bool { return s.ready.Load() || len(s.cfg.Patterns) == 0 }

// Run sequences until ctx ends. Then it hands over to the standby if there is
// one, appends what it owes, and returns nil; that takes a few seconds at most.
func (s *Sequencer) Run(ctx context.Context) error {
	if len(s.cfg.Patterns) == 0 {
		<-ctx.Done()
		return nil
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended, spoken := make(chan struct{}, 2), make(chan struct{})
	for _, run := range []func(context.Context){s.keeper.run, s.worker.run} {
		go func() { // ends with background
			run(background)
			ended <- struct{}{}
		}()
	}
	go func() { // ends with speaker
		s.speak(background)
		close(spoken)
	}()
	s.loop(background, ctx.Done())
	s.disconnect()
	close(s.speaker) // whose last marks still go
	<-spoken
	stop()
	for range cap(ended) {
		<-ended
	}
	return nil
}

// loop is where everything of the machines happens.
func (s *Sequencer) loop(ctx context.Context, leave <-chan struct{}) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var deadline time.Time
	for {
		heard := s.heard
		if s.owed() > maxOwed {
			heard = nil
		}
		select {
		case <-leave:
			leave, deadline = nil, time.Now().Add(leaveTimeout)
			s.leave()
		case h := <-heard:
			s.hear(h)
		case answers := <-s.keeper.answers:
			for _, a := range answers {
				s.partitions[a.partition].answered(a)
			}
			s.keeper.asking = false
			s.judge()
		case done := <-s.worker.done:
			s.landed(done)
		case now := <-tick.C:
			s.beat(ctx, now)
			if s.leaving && (now.After(deadline) || s.left()) {
				return
			}
		}
		s.offer()
	}
}

// owed returns how many messages this node is to append.
func (s *Sequencer) owed() (n int) {
	for _, p := range s.partitions {
		n += p.machine.Owed()
	}
	return n
}

// leave begins the end: what stands by stands by no longer, and what leads hands
// over.
func (s *Sequencer) leave() {
	s.leaving = true
	for _, p := range s.partitions {
		if p.standby {
			p.giveUp()
		}
	}
	s.keeper.kick()
}

// beat does what time asks for.
func (s *Sequencer) beat(ctx context.Context, now time.Time) {
	for _, p := range s.partitions {
		p.beat(now)
		if p.held || p.standby {
			s.needed = now
		}
	}
	switch needed := now.Sub(s.needed) < lingering*s.cfg.LeaseTTL; {
	case needed && s.feed == nil && now.After(s.retryAt):
		s.feed = &feed{
			client: s.own(), clock: s.clock, markKey: s.cfg.Prefix + markChannel, every: s.every,
			patterns: append([]string{Escape(s.cfg.Prefix) + markChannel}, s.cfg.Patterns...),
		}
		s.feed.start(ctx, s.heard)
	case !needed && s.feed != nil:
		s.disconnect()
		for _, p := range s.partitions {
			p.end()
		}
	}
	s.keeper.ask(now)
	s.count()
}

// clock returns Redis' time as leases know it, from any goroutine.
func (s *Sequencer) clock(ctx context.Context) (int64, error) {
	seen, err := s.leases.Look(ctx, leaseName(leaderPart, 0))
	return seen.Now, err
}

// left reports whether a node that ends has nothing to do any more.
func (s *Sequencer) left() bool {
	for _, p := range s.partitions {
		if p.held || len(p.release) > 0 || p.machine.Owed() > 0 {
			return false
		}
	}
	return !s.keeper.asking
}

// hear takes what a feed brings.
func (s *Sequencer) hear(h heard) {
	switch {
	case h.feed != s.feed: // of one that is no more
	case h.err != nil:
		s.broken(h.err)
	case h.up:
		// It brings the messages of all partitions. This node keeps them all,
		// so that nothing depends on who comes back first when all were cut off.
		s.connected, s.failing, s.now = true, false, h.feed.since
		for _, p := range s.partitions {
			p.begin()
		}
	default:
		s.message(strings.TrimPrefix(h.channel, s.cfg.Prefix), h.payload)
	}
}

// message takes one message, in its order.
func (s *Sequencer) message(channel, payload string) {
	if channel == markChannel {
		mark, err := decodeMark(payload, Partitions)
		if err != nil {
			s.stats.badMarks.Add(1)
			return
		}
		s.partitions[mark.Partition].hearMark(mark)
		return
	}
	if key, ok := s.cfg.Resolve(channel); ok {
		s.partitions[partitionOf(key)].hear(Message{Channel: channel, Payload: payload})
	}
}

// broken notes that the connection is gone.
func (s *Sequencer) broken(err error) {
	if !s.failing && !s.leaving {
		s.log.Warn().Err(err).Msg("the connection that follows bare messages is gone")
		s.failing = true
	}
	s.disconnect()
	for _, p := range s.partitions {
		p.broken()
	}
	s.count()
	s.stats.breaks.Add(1)
	s.retryAt = time.Now().Add(4 * beat)
}

// disconnect ends the feed.
func (s *Sequencer) disconnect() {
	if s.feed == nil {
		return
	}
	s.feed.cancel()
	client := s.feed.client
	s.feed, s.connected = nil, false
	_ = client.Close() // it has no work left
}

// judge notes whether all partitions are led.
func (s *Sequencer) judge() {
	for _, p := range s.partitions {
		if !p.led && p.machine.Role() != Leading {
			return
		}
	}
	if !s.ready.Swap(true) {
		s.log.Info().Msg("bare messages are sequenced")
	}
}

// markID returns an id for a mark.
func (s *Sequencer) markID() string {
	s.marks++
	return s.id + "." + strconv.FormatUint(s.marks, 36)
}

// say has a mark published. When too many wait it is dropped: another will
// follow.
func (s *Sequencer) say(m Mark) {
	select {
	case s.speaker <- m.encode():
	default:
	}
}

// speak publishes marks, on a goroutine of its own. An error is no news: the
// connection that follows will have it too, or the next mark is heard.
func (s *Sequencer) speak(ctx context.Context) {
	for text := range s.speaker {
		_ = s.redis.Publish(ctx, s.cfg.Prefix+markChannel, text).Err()
	}
}

// Escape returns a pattern of Redis that matches name and nothing else.
func Escape(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if strings.IndexByte(`*?[]^\-`, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// leaseName names the lease of a part in a partition. All have the same hash
// tag, so that one node of a Cluster decides on them.
func leaseName(part string, partition int) string {
	return fmt.Sprintf("{sequencer}:%d:%s", partition, part)
}
