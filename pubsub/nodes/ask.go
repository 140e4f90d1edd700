package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// maxAsks bounds the questions of this node that wait for answers.
const maxAsks = 1024

var (
	// ErrBusy is returned when too many questions wait for answers already.
	ErrBusy = errors.New("nodes: too many questions at once")
	// ErrNoNode is returned when no live node has the given ID.
	ErrNoNode = errors.New("nodes: no such node")
)

// Answer is what one node has answered.
type Answer struct {
	Node string // its ID
	Data json.RawMessage
	Err  error // what the node could not do; its text is the node's
}

// Answers is what became of a question.
type Answers struct {
	Answers []Answer
	// Missing are the IDs of live nodes that have not answered in time.
	Missing []string
}

// ask is a question that waits for answers.
type ask struct {
	answers chan order // has room for all of them
}

// AskAll asks every live node, this one included, and returns what they have
// answered before Config.AnswerTimeout or the end of ctx. It waits for Redis and
// for the others, and fails only when it cannot ask at all.
func (r *Registry) AskAll(ctx context.Context, op string, args any) (Answers, error) {
	return r.ask(ctx, r.Live(), op, args)
}

// Ask asks one node, by its ID.
func (r *Registry) Ask(ctx context.Context, id, op string, args any) (json.RawMessage, error) {
	live := r.Live()
	i := slices.IndexFunc(live, func(n Node) bool { return n.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("%w: %.40q", ErrNoNode, id)
	}
	got, err := r.ask(ctx, live[i:i+1], op, args)
	switch {
	case err != nil:
		return nil, err
	case len(got.Answers) == 0:
		return nil, fmt.Errorf("nodes: %s does not answer: %w", id, context.DeadlineExceeded)
	}
	return got.Answers[0].Data, got.Answers[0].Err
}

// TellAll has every live node carry op out, this one before it returns, and does
// not wait for the others.
func (r *Registry) TellAll(ctx context.Context, op string, args any) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("nodes: encode %s: %w", op, err)
	}
	_, own := r.do(ctx, op, raw)
	return errors.Join(own, r.send(ctx, "", order{From: r.cfg.ID, Op: op, Args: raw}))
}

// Tell has one node carry op out, by its ID, and does not wait for it unless it
// is this one.
func (r *Registry) Tell(ctx context.Context, id, op string, args any) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("nodes: encode %s: %w", op, err)
	}
	if id == r.cfg.ID {
		_, err := r.do(ctx, op, raw)
		return err
	}
	return r.send(ctx, id, order{From: r.cfg.ID, Op: op, Args: raw})
}

// ask asks nodes, and this one by itself when it is among them.
func (r *Registry) ask(ctx context.Context, whom []Node, op string, args any) (Answers, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return Answers{}, fmt.Errorf("nodes: encode %s: %w", op, err)
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.AnswerTimeout)
	defer cancel()
	waiting := map[string]bool{}
	for _, n := range whom {
		waiting[n.ID] = true
	}
	own := waiting[r.cfg.ID]
	delete(waiting, r.cfg.ID)

	var got Answers
	var answers chan order
	if len(waiting) > 0 {
		number, q, err := r.open(len(waiting))
		if err != nil {
			return Answers{}, err
		}
		defer r.close(number)
		answers = q.answers
		if err := r.sendTo(ctx, waiting, order{From: r.cfg.ID, Op: op, Ask: number, Args: raw}); err != nil {
			return Answers{}, err
		}
	}
	if own {
		data, err := r.do(ctx, op, raw)
		got.Answers = append(got.Answers, Answer{Node: r.cfg.ID, Data: data, Err: err})
	}
	got.collect(ctx, waiting, answers)
	return got, nil
}

// sendTo sends a question to one node, or to all when there are several: nodes
// that were not asked are not waited for.
func (r *Registry) sendTo(ctx context.Context, whom map[string]bool, o order) error {
	if len(whom) > 1 {
		return r.send(ctx, "", o)
	}
	for id := range whom {
		return r.send(ctx, id, o)
	}
	return nil
}

// collect takes answers until all have come, or ctx ends.
func (got *Answers) collect(ctx context.Context, waiting map[string]bool, answers <-chan order) {
	for len(waiting) > 0 {
		select {
		case o := <-answers:
			if !waiting[o.From] {
				continue
			}
			delete(waiting, o.From)
			a := Answer{Node: o.From, Data: o.Data}
			if o.Error != "" {
				a.Err = errors.New(o.Error)
			}
			got.Answers = append(got.Answers, a)
		case <-ctx.Done():
			for id := range waiting {
				got.Missing = append(got.Missing, id)
			}
			slices.Sort(got.Missing)
			return
		}
	}
}

// open notes a question, for which n answers are expected.
func (r *Registry) open(n int) (number uint64, q *ask, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.asks) >= maxAsks {
		return 0, nil, ErrBusy
	}
	r.lastAsk++
	// Nodes that have just come may answer too.
	q = &ask{answers: make(chan order, 2*n+8)}
	r.asks[r.lastAsk] = q
	return r.lastAsk, q, nil
}

func (r *Registry) close(number uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.asks, number)
}

// answered gives an answer to the question it is for, if that still waits.
func (r *Registry) answered(o order) {
	r.mu.Lock()
	q := r.asks[o.Answer]
	r.mu.Unlock()
	if q == nil {
		r.stats.late.Add(1)
		return
	}
	select {
	case q.answers <- o:
	default: // more than there are nodes: not all of them can be genuine
		r.stats.dropped.Add(1)
	}
}
