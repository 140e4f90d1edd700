package stream

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Append is one message for a log.
type Append struct {
	Key
	Rules
	// Payload is the message. It is kept and published byte for byte.
	Payload []byte
	// Dedupe, unless "", makes a message that comes again under the same key
	// within DedupeWindow (2 minutes when zero) a duplicate: it is answered
	// with the position of the first and neither kept nor published.
	Dedupe       string
	DedupeWindow time.Duration
	// Order, unless its Lane is "", makes a message that does not come after
	// the last of its lane a duplicate, whenever that was: it is answered
	// with the log's position, and what is the last of the lane.
	Order Order
	// History, unless "", is the replication history of the server that the
	// message is meant for, as INFO replication names it (master_replid). A
	// server gets another when it takes over from a master or is restarted; it
	// does not take the message then, and the error names its own: see
	// OtherHistory. That of a batch's first message holds for all of its log.
	History string
	// AtLeast is a position that the caller knows to be taken, zero for
	// none: while the log has that epoch, the message gets a greater offset,
	// even when Redis forgot some in a failover. See Restore.
	AtLeast Position
}

// Order is the place of a message among those of a publisher that may repeat
// itself, and never changes their order. A log remembers the last place of each
// lane, as long as its epoch, which costs less than dedupe keys and does not
// end with a window.
type Order struct {
	Lane  string // a word; each is a field of the log's meta, so there are few
	Place string // compared byte by byte: numbers are written in one length
}

// Appended is the answer to an Append.
type Appended struct {
	Position
	Duplicate bool // it had been taken before, at Position
	// Last is the last place of the lane, for a duplicate by its Order; else
	// "". Position is then that of the log.
	Last string
}

// Result is the answer to one Append of a batch.
type Result struct {
	Appended
	// Again says that the pipeline did not carry it out, and that it was sent
	// anew behind it.
	Again bool
	// History is that of the server that has answered, if the Append named one.
	History string
	// Server names the server of the log, for whom several answer; "" where
	// nobody has said which that is.
	Server string
	Err    error // of go-redis, or ErrRules: then the message was not taken, as far as is known
}

// Append appends a batch in one round trip, and answers each message in its
// place. Messages of one log are taken in their order, all in one step; an
// error of one log does not touch another.
func (s *Store) Append(ctx context.Context, batch []Append) []Result {
	pipe := s.client.Pipeline()
	queued := s.Queue(ctx, func(Key) redis.Pipeliner { return pipe }, batch)
	_, _ = pipe.Exec(ctx) // each command has its own error, that of the connection included
	return queued.Results(ctx)
}

// Queued are appends that were put into a pipeline.
type Queued struct {
	store   *Store
	results []Result
	groups  []group
}

// group are the messages of a batch that go to one log: one run of the script.
type group struct {
	members []int // their places in the batch
	keys    []string
	args    []any
	pipe    redis.Pipeliner
	cmd     *redis.Cmd
	again   bool // it was run outside the pipeline
}

// Queue puts each append of batch into the pipeline that pipe returns for its
// log: of this store's client, or of another to the server that has the log.
// Once they were executed, Results has the answers.
func (s *Store) Queue(ctx context.Context, pipe func(Key) redis.Pipeliner, batch []Append) *Queued {
	q := &Queued{store: s, results: make([]Result, len(batch))}
	byLog := make(map[Key]int, 1)
	for i := range batch {
		a := &batch[i]
		if a.Name == "" || !a.valid() {
			q.results[i].Err = fmt.Errorf("%w: %s keeps %d for %v", ErrRules, a.Key, a.Size, a.TTL)
			continue
		}
		q.results[i].History = a.History
		n, known := byLog[a.Key]
		if !known {
			n = len(q.groups)
			byLog[a.Key] = n
			q.groups = append(q.groups, s.newGroup(a))
			q.groups[n].pipe = pipe(a.Key)
		}
		q.groups[n].add(s.names(a.Key), i, a)
	}
	for i := range q.groups {
		g := &q.groups[i]
		g.cmd = appendScript.EvalSha(ctx, g.pipe, g.keys, g.args...)
	}
	return q
}

// newGroup returns the group of a's log, still empty. The log's rules are
// those of its first message.
func (s *Store) newGroup(a *Append) group {
	n := s.names(a.Key)
	return group{
		keys: []string{n.meta(), n.entries(), n.channel},
		args: []any{newEpoch(), a.Size, a.TTL.Milliseconds(), s.metaTTL(a.TTL), s.publish(), a.History},
	}
}

// add adds the message that is at place i of the batch.
func (g *group) add(n names, i int, a *Append) {
	token := Token(a.Dedupe)
	if token != "" {
		g.keys = append(g.keys, n.seen(token))
	}
	window := a.DedupeWindow
	if window < time.Millisecond {
		window = DefaultDedupeWindow
	}
	g.members = append(g.members, i)
	g.args = append(g.args, wire(token), window.Milliseconds(), a.AtLeast.Epoch, a.AtLeast.Offset, a.Payload,
		wire(a.Order.Lane), a.Order.Place)
}

// Results returns the answers, in the order of the batch, after the pipeline
// was executed. Groups that were not executed because Redis did not know the
// script, or a Cluster's node not the slot, are tried again here.
func (q *Queued) Results(ctx context.Context) []Result {
	for i := range q.groups {
		q.retry(ctx, &q.groups[i])
	}
	return q.Answers()
}

// Answers is Results without a second try.
func (q *Queued) Answers() []Result {
	for i := range q.groups {
		g := &q.groups[i]
		answer, err := g.cmd.StringSlice()
		q.answer(g, &answerReader{rest: answer, err: err})
	}
	return q.results
}

// retry runs the script of g again if it did not run.
func (q *Queued) retry(ctx context.Context, g *group) {
	again := func() {
		g.again = true
		g.cmd = appendScript.Eval(ctx, q.store.client, g.keys, g.args...)
	}
	if redis.HasErrorPrefix(g.cmd.Err(), "NOSCRIPT") {
		again()
	}
	for attempt := 0; attempt < maxRedirects && movable(g.cmd.Err()) && q.store.moved(ctx, attempt); attempt++ {
		again()
	}
}

// answer gives the members of g what r has for them.
func (q *Queued) answer(g *group, r *answerReader) {
	for _, i := range g.members {
		if r.err == nil {
			q.results[i].Position = r.position()
			q.results[i].Last, q.results[i].Duplicate = strings.CutPrefix(r.text(), "1")
			if !q.results[i].Duplicate {
				q.results[i].Last = ""
			}
		}
		q.results[i].Again, q.results[i].Err = g.again, r.err
	}
}
