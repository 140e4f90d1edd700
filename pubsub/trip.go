package pubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// waitTimeout bounds how long replicas have to take what was appended.
const waitTimeout = time.Second

// trip is one round trip of the publisher, or of an Appender: one pipeline to
// Redis, in a Cluster one to each master that a log of the batch is at, and one to
// that of the channels.
type trip struct {
	ctx      context.Context
	to       *route                                   // of the publisher
	home     func(k stream.Key) redis.UniversalClient // the server that has a log
	replicas int                                      // that are to have what is appended
	legs     []*leg
	homes    map[stream.Key]*leg // the leg of each log, when there are replicas
}

// leg is what goes to one server.
type leg struct {
	client redis.UniversalClient
	pipe   redis.Pipeliner
	logs   bool          // it appends
	alone  bool          // its replicas are not waited for
	wait   *redis.IntCmd // behind all it appends; nil when nobody waits
}

func newTrip(ctx context.Context, to *route, replicas int) *trip {
	t := &trip{ctx: ctx, to: to, replicas: replicas}
	t.home = t.homeOf
	return t
}

// channels returns the pipeline for what is published on channels.
func (t *trip) channels() redis.Pipeliner { return t.leg(t.to.node).pipe }

// log returns the pipeline for a log.
func (t *trip) log(k stream.Key) redis.Pipeliner {
	l := t.leg(t.home(k))
	l.logs = true
	if t.replicas > 0 {
		if t.homes == nil {
			t.homes = map[stream.Key]*leg{}
		}
		t.homes[k] = l
	}
	return l.pipe
}

// homeOf returns the client of the server that has a log. A Cluster that does not
// say so is left to go-redis as a whole.
func (t *trip) homeOf(k stream.Key) redis.UniversalClient {
	cluster, ok := t.to.client.(*redis.ClusterClient)
	if !ok {
		return t.to.node
	}
	master, err := cluster.MasterForKey(t.ctx, t.to.store.SlotKey(k))
	if err != nil {
		return cluster
	}
	return master
}

// leg returns the leg to client, which is new if there was none.
func (t *trip) leg(client redis.UniversalClient) *leg {
	for _, l := range t.legs {
		if l.client == client {
			return l
		}
	}
	l := &leg{client: client, pipe: client.Pipeline()}
	t.legs = append(t.legs, l)
	return l
}

// exec makes the trip. Behind what is appended replicas are waited for.
func (t *trip) exec() {
	var others sync.WaitGroup
	for i, l := range t.legs {
		l.addWait(t.ctx, t.replicas)
		if i == len(t.legs)-1 {
			_, _ = l.pipe.Exec(t.ctx) // each command has its own error, that of the connection included
			break
		}
		others.Go(func() { _, _ = l.pipe.Exec(t.ctx) })
	}
	others.Wait()
}

// addWait puts WAIT behind what is appended, which it finds by their common
// connection: with a Cluster as a whole there is none.
func (l *leg) addWait(ctx context.Context, replicas int) {
	if _, one := l.client.(*redis.Client); one && l.logs && !l.alone && replicas > 0 {
		l.wait = redis.NewIntCmd(ctx, "wait", replicas, waitTimeout.Milliseconds())
		_ = l.pipe.Process(ctx, l.wait) // only puts it into the pipeline
	}
}

// check returns r, or why it is not known that enough replicas have what it was the
// answer to: ErrReplicas when they have not, or nobody has waited for them, else the
// error by which WAIT ended.
func (t *trip) check(k stream.Key, r stream.Result) stream.Result {
	if t.replicas == 0 || r.Err != nil {
		return r
	}
	l := t.homes[k]
	switch {
	case r.Again, l == nil:
		r.Err = ErrReplicas
	case l.alone:
	case l.wait == nil:
		r.Err = ErrReplicas
	case l.wait.Err() != nil:
		r.Err = waitError(l.wait.Err())
	case l.wait.Val() < int64(t.replicas):
		r.Err = ErrReplicas
	}
	return r
}

// waitError says what an error of WAIT means. A server that does not know or allow it
// lives, and says nothing about its replicas. Any other may be the server's last word:
// it is lost, or no master any more, and its heir may lack what it has taken. The
// message is to be sent again then, so the error is never hopeless (stream.Hopeless):
// a refusal is not that of the message, and is not wrapped.
func waitError(err error) error {
	var refusal redis.Error
	switch {
	case !errors.As(err, &refusal):
		return fmt.Errorf("pubsub: wait for replicas: %w", err)
	case redis.HasErrorPrefix(err, "NOPERM"), redis.HasErrorPrefix(err, "unknown command"):
		return ErrReplicas
	}
	return fmt.Errorf("pubsub: wait for replicas: %s", refusal.Error())
}
