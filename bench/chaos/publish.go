package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/bench/chaos/ledger"
	"github.com/ginforge/gateway/bench/chaos/player"
	"github.com/ginforge/gateway/bench/chaos/redises"
)

// target is where a message goes: a room, or a user's inbox.
type target struct {
	log  int
	room string // or ""
	user string
}

// channel is the target's, without the prefix.
func (t target) channel() string {
	if t.room != "" {
		return "room:" + t.room
	}
	return "user:" + t.user
}

// envelope is a message for a target; id may be empty.
func (t target) envelope(s ledger.Stamp, id string, pad int) []byte {
	b := []byte(`{"type":"user_message"`)
	if t.room != "" {
		b = []byte(`{"type":"room_message"`)
	}
	if id != "" {
		b = append(append(append(b, `,"id":"`...), id...), '"')
	}
	b = player.AppendStamp(append(b, `,"content":{`...), s)
	if pad > 0 {
		b = append(append(append(b, `,"pad":"`...), strings.Repeat("x", pad)...), '"')
	}
	return append(b, `}}`...)
}

// messageID is the id of a message, the same however often it is sent.
func messageID(s ledger.Stamp) string { return fmt.Sprintf("p%d.%d", s.Log, s.N) }

// errUnheard is returned when Redis has answered that nobody heard a PUBLISH.
var errUnheard = errors.New("chaos: nobody listens")

// send makes one attempt to publish a message, with so many bytes more than it
// needs.
type send func(ctx context.Context, t target, s ledger.Stamp, pad int) error

// publisher sends one message after the other, each until it is taken.
type publisher struct {
	book    *ledger.Book
	source  ledger.Source
	number  int
	rate    float64
	repeats bool // whether what was not answered is sent again
	targets func(r *rand.Rand) target
	send    send
	rand    *rand.Rand
	failed  *atomic.Int64 // attempts
}

const (
	sendTimeout  = 3 * time.Second
	retryPause   = 200 * time.Millisecond
	retryTimeout = 30 * time.Second
)

// run publishes until ctx ends. What is under way then is brought to an end.
func (p *publisher) run(ctx context.Context) {
	every := time.Duration(float64(time.Second) / p.rate)
	timer := time.NewTimer(within(p.rand, every))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		began := time.Now()
		p.publish(context.WithoutCancel(ctx), p.targets(p.rand), 0)
		timer.Reset(max(time.Millisecond, every/2+within(p.rand, every)-time.Since(began)))
	}
}

// publish sends one message until it is taken, or as long as makes sense.
func (p *publisher) publish(ctx context.Context, t target, pad int) {
	ctx, cancel := context.WithTimeout(ctx, retryTimeout)
	defer cancel()
	stamp := p.book.Publish(t.log, p.source, p.number)
	for {
		err := p.attempt(ctx, t, stamp, pad)
		if err == nil {
			p.book.Acknowledge(stamp)
			return
		}
		p.failed.Add(1)
		if !p.repeats && !errors.Is(err, errUnheard) && !notSent(err) {
			return // it may have been taken
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return
		}
	}
}

func (p *publisher) attempt(ctx context.Context, t target, s ledger.Stamp, pad int) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return p.send(ctx, t, s, pad)
}

// notSent reports whether an error says that Redis has not carried the command
// out: it said so itself.
func notSent(err error) bool {
	var refusal redis.Error
	return errors.As(err, &refusal)
}

// errUnreplicated is returned when no replica has confirmed a write in time.
var errUnreplicated = errors.New("chaos: no replica has it yet")

// replicaTimeout is how long a replica may take to confirm.
const replicaTimeout = time.Second

// xadd returns a send that appends to the stream for publishers, as any language
// can, and waits for a replica where there are any.
func xadd(c redis.UniversalClient, topology redises.Topology) send {
	return func(ctx context.Context, t target, s ledger.Stamp, pad int) error {
		one, err := masterOf(ctx, c, intakeKey)
		if err != nil {
			return err
		}
		var wait *redis.Cmd
		_, err = one.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.XAdd(ctx, &redis.XAddArgs{
				Stream: intakeKey,
				Values: []any{"channel", t.channel(), "message", t.envelope(s, "", pad), "id", messageID(s)},
			})
			if topology != redises.Standalone {
				wait = pipe.Do(ctx, "WAIT", 1, replicaTimeout.Milliseconds())
			}
			return nil
		})
		if err != nil || wait == nil {
			return err
		}
		if replicas, err := wait.Int(); err != nil || replicas < 1 {
			return errors.Join(errUnreplicated, err)
		}
		return nil
	}
}

// The names that the gateways give to what publishers use.
const (
	prefix    = "websocket:"
	intakeKey = prefix + "publish"
)

// masterOf returns a client of the server that has a key: a Cluster's own client
// would send each command of a pipeline where it pleases.
func masterOf(ctx context.Context, c redis.UniversalClient, key string) (redis.UniversalClient, error) {
	cluster, ok := c.(*redis.ClusterClient)
	if !ok {
		return c, nil
	}
	one, err := cluster.MasterForKey(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("chaos: who has %s: %w", key, err)
	}
	return one, nil
}

// bare returns a send that uses PUBLISH, with or without ids in the messages. All
// goes through one server, since a Cluster keeps no order between two.
func bare(c redis.UniversalClient, topology redises.Topology, ids bool) send {
	return func(ctx context.Context, t target, s ledger.Stamp, pad int) error {
		one, err := masterOf(ctx, c, intakeKey)
		if err != nil {
			return err
		}
		id := ""
		if ids {
			id = messageID(s)
		}
		heard, err := one.Publish(ctx, prefix+t.channel(), t.envelope(s, id, pad)).Result()
		if err == nil && heard == 0 && topology != redises.Cluster {
			err = errUnheard
		}
		return err
	}
}
