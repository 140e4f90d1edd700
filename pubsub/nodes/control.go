package nodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// numWorkers carry out what other nodes ask for.
	numWorkers = 2
	// maxOrders may wait for them; more are dropped, and their askers told that
	// this node has not answered.
	maxOrders = 256
	// maxAnswerBytes bounds what a node may answer.
	maxAnswerBytes = 1 << 20
	// maxControlBytes bounds what is read from a control channel.
	maxControlBytes = maxAnswerBytes + 4096
)

// Handler carries out one kind of order: args are its JSON, and what it returns
// is encoded for the asker. It may wait for a moment, bounded by ctx.
type Handler func(ctx context.Context, args json.RawMessage) (answer any, err error)

// order is what travels on a control channel, an answer included.
type order struct {
	From   string          `json:"from"`
	Op     string          `json:"op,omitempty"`
	Ask    uint64          `json:"ask,omitempty"` // 0: nobody waits for an answer
	Args   json.RawMessage `json:"args,omitempty"`
	Answer uint64          `json:"answer,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// incoming is an order for the workers.
type incoming struct{ order }

var (
	// ErrUnknownOp is returned for an order that a node does not know.
	ErrUnknownOp = errors.New("nodes: unknown operation")
	// ErrTooBig is returned for an answer of more than a megabyte.
	ErrTooBig = errors.New("nodes: the answer is too big")
)

// Handle has h carry out op, which this node or another may ask for. Called
// before Run.
func (r *Registry) Handle(op string, h Handler) { r.ops[op] = h }

// channel is the control channel of a node, or of all for "".
func (r *Registry) channel(id string) string {
	if id == "" {
		return r.cfg.Prefix + "control"
	}
	return r.cfg.Prefix + "control:" + id
}

// Receive takes what came on one of the two control channels of this node. It is
// called by the reader of the bus and never waits.
func (r *Registry) Receive(payload string) {
	var o order
	if len(payload) > maxControlBytes || json.Unmarshal([]byte(payload), &o) != nil {
		r.stats.malformed.Add(1)
		return
	}
	switch {
	case o.From == r.cfg.ID: // what it wants of itself it has done
	case o.Answer != 0:
		r.answered(o)
	default:
		select {
		case r.orders <- incoming{o}:
		default:
			r.stats.dropped.Add(1)
		}
	}
}

// work carries out orders until ctx ends.
func (r *Registry) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case in := <-r.orders:
			r.carryOut(ctx, in.order)
		}
	}
}

func (r *Registry) carryOut(ctx context.Context, o order) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.AnswerTimeout)
	defer cancel()
	r.stats.orders.Add(1)
	data, err := r.do(ctx, o.Op, o.Args)
	if o.Ask == 0 {
		return
	}
	answer := order{From: r.cfg.ID, Answer: o.Ask, Data: data}
	if err != nil {
		answer.Error = err.Error()
	}
	if err := r.send(ctx, o.From, answer); err != nil {
		r.log.Debug().Err(err).Str("op", o.Op).Msg("answer not sent")
	}
}

// do carries out an order on this node.
func (r *Registry) do(ctx context.Context, op string, args json.RawMessage) (json.RawMessage, error) {
	h, known := r.ops[op]
	if !known {
		return nil, fmt.Errorf("%w: %.40q", ErrUnknownOp, op)
	}
	answer, err := h(ctx, args)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("nodes: encode answer of %s: %w", op, err)
	}
	if len(data) > maxAnswerBytes {
		return nil, ErrTooBig
	}
	return data, nil
}

// send publishes an order on a node's channel, or on that of all for "".
func (r *Registry) send(ctx context.Context, id string, o order) error {
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("nodes: encode %s: %w", o.Op, err)
	}
	if err := r.client.Publish(ctx, r.channel(id), text).Err(); err != nil {
		return fmt.Errorf("nodes: send %s: %w", o.Op, err)
	}
	return nil
}
