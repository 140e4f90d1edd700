package intake

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/lease"
	"github.com/ginforge/gateway/pubsub/stream"
)

const (
	// group is the consumer group of all nodes.
	group = "gateway"
	// maxBatch is how many entries are taken at once.
	maxBatch = 128
	// block is how long a read waits for an entry.
	block = 2 * time.Second
	// batchTimeout bounds what is done about one batch.
	batchTimeout = 5 * time.Second
	// minPause and maxPause bound the pause after an error.
	minPause = 50 * time.Millisecond
	maxPause = 5 * time.Second
	// warnEvery is the least time between two lines of the same complaint.
	warnEvery = 10 * time.Second
)

// Appender takes batches of messages: *stream.Store, or what waits for replicas
// too. An entry is kept in the stream until there is no error.
type Appender interface {
	Append(ctx context.Context, batch []stream.Append) []stream.Result
}

// Intake is this node's part in taking entries.
type Intake struct {
	// Fixed by New.
	cfg    Config
	redis  redis.UniversalClient
	own    func() redis.UniversalClient
	logs   Appender
	leases *lease.Store
	log    zerolog.Logger
	id     string // of this process, as a consumer too
	stream string
	dead   string

	stats counters

	warned time.Time // of Run's goroutine
}

// New prepares an Intake; Run brings it to life. own makes a client for reads
// that block, which the Intake closes.
func New(cfg Config, commands redis.UniversalClient, own func() redis.UniversalClient, logs Appender, log zerolog.Logger) (*Intake, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Intake{
		cfg: cfg, redis: commands, own: own, logs: logs, log: log,
		leases: lease.New(commands, cfg.Prefix),
		id:     cfg.Node + "." + strings.ToLower(rand.Text()[:8]),
		stream: cfg.Prefix + "publish", dead: cfg.Prefix + "publish:dead",
	}, nil
}

// Run takes entries whenever it is this node's turn, until ctx ends.
func (i *Intake) Run(ctx context.Context) error {
	ask := lease.Ask{Name: "intake", Owner: i.id, TTL: i.cfg.LeaseTTL}
	i.leases.While(ctx, ask, i.log, func(ctx context.Context, _ lease.Grant) {
		i.stats.holding.Store(true)
		defer i.stats.holding.Store(false)
		client := i.own()
		// Also ends a read that waits.
		defer context.AfterFunc(ctx, func() { _ = client.Close() })()
		defer func() { _ = client.Close() }()
		i.take(ctx, client)
	})
	return nil
}

// take takes entries until ctx ends: first those that others have not done, and
// after an error those that this node has not done.
func (i *Intake) take(ctx context.Context, reader redis.UniversalClient) {
	pause := minPause
	for ctx.Err() == nil {
		done, err := i.takeAll(ctx, reader)
		if ctx.Err() != nil {
			return
		}
		if done > 0 {
			pause = minPause
		}
		i.stats.errors.Add(1)
		i.warn(err, "entries of the stream wait")
		wait(ctx, pause)
		pause = min(2*pause, maxPause)
	}
}

// takeAll takes entries until something fails, and returns how many it has done.
func (i *Intake) takeAll(ctx context.Context, reader redis.UniversalClient) (done int, err error) {
	err = i.redis.XGroupCreateMkStream(ctx, i.stream, group, "0").Err()
	if err != nil && !redis.HasErrorPrefix(err, "BUSYGROUP") {
		return 0, fmt.Errorf("intake: create the group: %w", err)
	}
	if done, err = i.reclaim(ctx); err != nil {
		return done, err
	}
	for {
		streams, err := reader.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: group, Consumer: i.id, Streams: []string{i.stream, ">"}, Count: maxBatch, Block: block,
		}).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return done, fmt.Errorf("intake: read: %w", err)
		}
		for _, s := range streams {
			if err := i.do(ctx, s.Messages); err != nil {
				return done, err
			}
			done += len(s.Messages)
		}
	}
}

// reclaim does what was taken and not done, by this node or by those that had
// the lease before, in its order.
func (i *Intake) reclaim(ctx context.Context) (done int, err error) {
	i.forgetConsumers(ctx)
	for start := "0-0"; ; {
		messages, next, err := i.redis.XAutoClaim(ctx, &redis.XAutoClaimArgs{
			Stream: i.stream, Group: group, Consumer: i.id, Start: start, Count: maxBatch,
		}).Result()
		if err != nil {
			return done, fmt.Errorf("intake: reclaim: %w", err)
		}
		if err := i.do(ctx, messages); err != nil {
			return done, err
		}
		done += len(messages)
		i.stats.reclaimed.Add(uint64(len(messages)))
		if next == "0-0" || next == "" {
			return done, nil
		}
		start = next
	}
}

// forgetConsumers removes the names of nodes that are no more and have nothing
// pending, so that the group does not grow with every deploy.
func (i *Intake) forgetConsumers(ctx context.Context) {
	consumers, err := i.redis.XInfoConsumers(ctx, i.stream, group).Result()
	if err != nil {
		return // it is about tidiness
	}
	for _, c := range consumers {
		if c.Pending == 0 && c.Name != i.id {
			_ = i.redis.XGroupDelConsumer(ctx, i.stream, group, c.Name).Err()
		}
	}
}

// do does a batch, and lets Redis forget it when all of it is done.
func (i *Intake) do(ctx context.Context, messages []redis.XMessage) error {
	if len(messages) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	var logged, plain, poison []entry
	ids := make([]string, len(messages))
	for n, m := range messages {
		ids[n] = m.ID
		switch e := i.read(m); {
		case e.poison != nil:
			poison = append(poison, e)
		case e.message.Log.Name == "":
			plain = append(plain, e)
		default:
			logged = append(logged, e)
		}
	}
	history, err := i.history(ctx)
	if err != nil {
		return err
	}
	if len(plain) > 0 && !i.heard(history) {
		return fmt.Errorf("intake: publish: %w", stream.ErrSettling)
	}
	done, err := i.appendAll(ctx, logged)
	if err != nil {
		return err
	}
	later, err := i.publish(ctx, plain, history)
	if err != nil {
		return err
	}
	if err := i.setAside(ctx, append(poison, done.poison...)); err != nil {
		return err
	}
	if err := i.again(ctx, append(done.late, later...)); err != nil {
		return err
	}
	if done.history != "" && history != "" && done.history != history {
		return fmt.Errorf("%w: %s and %s", errTwoServers, done.history, history)
	}
	return i.forget(ctx, ids, cmp.Or(done.history, history))
}

// appended is what has become of entries that have a log.
type appended struct {
	poison  []entry // those that no log will ever take
	late    []entry // those that seem to come too late
	history string  // of the server that has taken the others, "" if it has not said
}

// appendAll appends entries to their logs.
func (i *Intake) appendAll(ctx context.Context, entries []entry) (done appended, err error) {
	if len(entries) == 0 {
		return done, nil
	}
	batch := make([]stream.Append, len(entries))
	for n, e := range entries {
		batch[n] = i.append(e)
	}
	for n, r := range i.logs.Append(ctx, batch) {
		switch {
		case r.Err == nil && r.Last > entries[n].place:
			entries[n].behind = r.Last
			done.late = append(done.late, entries[n])
		case r.Err == nil:
			i.count(r.Duplicate)
			done.history = r.History
		case errors.Is(r.Err, stream.ErrReplicas):
			if !r.Duplicate {
				i.count(false)
			}
			err = r.Err // it is a duplicate until they have it
		case stream.Hopeless(r.Err):
			entries[n].poison = r.Err
			done.poison = append(done.poison, entries[n])
		default:
			err = r.Err
		}
	}
	if err != nil {
		return appended{}, fmt.Errorf("intake: append: %w", err)
	}
	return done, nil
}

func (i *Intake) count(duplicate bool) {
	if duplicate {
		i.stats.duplicates.Add(1)
	} else {
		i.stats.taken.Add(1)
	}
}

// warn complains once in a while.
func (i *Intake) warn(err error, what string) {
	if now := time.Now(); now.Sub(i.warned) >= warnEvery {
		i.warned = now
		i.log.Warn().Err(err).Msg(what)
	}
}

// wait waits for d or the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
