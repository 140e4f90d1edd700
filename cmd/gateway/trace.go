package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ginforge/gateway/api"
	"github.com/ginforge/gateway/cluster/trace"
	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/pubsub/stream"
	"github.com/ginforge/gateway/session"
)

// The ways in which a message comes to the gateway.
const (
	viaPublish = "publish" // plain PUBLISH, for what is kept: the node that sequences says so
	viaXAdd    = "xadd"    // durably
	viaAPI     = "api"
	viaFrame   = "frame" // of a browser
)

// ingress notes that a message has come to the gateway, if somebody looks for it.
func (n *node) ingress(via string, key stream.Key, payload []byte) {
	if id := n.trace.FindBytes(payload); id != "" {
		n.trace.Note(id, trace.Event{Stage: trace.Ingress, Via: via, Channel: channelOf(key)})
	}
}

// appended notes which place a message has got.
func (n *node) appended(m stream.Append, at stream.Appended, err error) {
	id := n.trace.FindBytes(m.Payload)
	if id == "" {
		return
	}
	e := trace.Event{Stage: trace.Appended, Channel: channelOf(m.Key), Epoch: at.Epoch, Offset: at.Offset}
	switch {
	case err != nil:
		e.Reason = "refused: " + err.Error()
	case at.Duplicate:
		e.Reason = "duplicate"
	}
	n.trace.Note(id, e)
}

func channelOf(key stream.Key) string {
	switch {
	case key.Name == "":
		return session.ToAll.String()
	case key.Kind == stream.User:
		return session.ToUser.String() + ":" + key.Name
	default:
		return session.ToRoom.String() + ":" + key.Name
	}
}

// watch notes that this node has a message for its connections, and has what
// becomes of it at each of them noted. It is what session.Manager.Watch wants.
func (n *node) watch(to session.Target, name string, offset uint64, payload string, f *engine.Frame) {
	id := n.trace.Find(payload)
	if id == "" {
		return
	}
	channel := to.String()
	if to != session.ToAll {
		channel += ":" + name
	}
	n.trace.Note(id, trace.Event{Stage: trace.Received, Channel: channel, Offset: offset})
	f.Watch(func(h engine.Handler, what engine.Fate) {
		e := trace.Event{Stage: trace.Dropped, Channel: channel, Offset: offset}
		switch what {
		case engine.FateWritten:
			e.Stage = trace.Written
		case engine.FateWaits:
			e.Stage = trace.Waits
		default:
			e.Reason = what.String()
		}
		if s, ok := h.(*session.Session); ok {
			e.User, e.Device, e.Client = s.Who()
		}
		n.trace.Note(id, e)
	})
}

// acked notes what a device has confirmed.
func (n *node) acked(userID, device string, offset uint64) {
	n.trace.Ack(session.ToUser.String()+":"+userID, trace.Event{User: userID, Device: device, Offset: offset})
}

// tracedAppender appends what backends have published, and notes where.
type tracedAppender struct {
	appender interface {
		Append(ctx context.Context, batch []stream.Append) []stream.Result
	}
	node *node
}

// Append implements sequencer.Appender and intake.Appender.
func (t tracedAppender) Append(ctx context.Context, batch []stream.Append) []stream.Result {
	results := t.appender.Append(ctx, batch)
	if t.node.trace.Armed() {
		for i, r := range results {
			t.node.appended(batch[i], r.Appended, r.Err)
		}
	}
	return results
}

// What nodes ask of each other about traces.
const (
	opTrace  = "trace"  // look for a message
	opTraced = "traced" // what is known of it
)

type traceArgs struct {
	ID    string    `json:"id"`
	Until time.Time `json:"until,omitzero"` // of opTrace, to join those that look for it; zero is trace.TTL from now
}

// traceTogether has this node answer the others. Called before the registry runs.
func (n *node) traceTogether() {
	handle := func(op string, f func(traceArgs) (any, error)) {
		n.together.nodes.Handle(op, func(_ context.Context, raw json.RawMessage) (any, error) {
			var args traceArgs
			if err := json.Unmarshal(raw, &args); err != nil {
				return nil, fmt.Errorf("arguments: %w", err)
			}
			return f(args)
		})
	}
	handle(opTrace, func(args traceArgs) (any, error) {
		if args.Until.IsZero() {
			return n.trace.Arm(args.ID)
		}
		return n.trace.ArmUntil(args.ID, args.Until)
	})
	handle(opTraced, func(args traceArgs) (any, error) {
		report, ok := n.trace.Report(args.ID)
		if !ok {
			return nil, nil
		}
		return nodeReport(report), nil
	})
}

// envelopeID returns what reads the id in a payload's envelope, as deliveries read
// it, within this limit of bytes and depth.
func envelopeID(l message.Limits) func(payload string) string {
	return func(payload string) string {
		var e message.Envelope
		if err := l.DecodePayload([]byte(payload), &e); err != nil {
			return "" // it is not delivered either
		}
		return e.ID
	}
}

// errTraceID is what callers are told of trace.ErrID.
var errTraceID = &api.Error{Status: http.StatusBadRequest, Message: "id: want 4 to 128 bytes without quotes, backslashes and control characters"}

// nodeReport is as much of a report as nodes send each other: an answer is bounded.
func nodeReport(r trace.Report) trace.Report {
	const most = 200
	return trace.Merge(r.ID, []trace.Report{r}, most)
}

// apiTracer is the traces of all nodes as the API sees them.
type apiTracer struct{ node *node }

// Trace implements api.Tracer.
func (t apiTracer) Trace(ctx context.Context, id string) (api.Tracing, error) {
	until, err := t.node.trace.Arm(id)
	switch {
	case errors.Is(err, trace.ErrID):
		return api.Tracing{}, errTraceID
	case errors.Is(err, trace.ErrTooMany):
		return api.Tracing{}, &api.Error{Status: http.StatusTooManyRequests, Message: fmt.Sprintf("%d messages are looked for already: wait a minute", trace.MaxArmed)}
	case err != nil:
		return api.Tracing{}, err
	}
	got, err := t.node.together.nodes.AskAll(ctx, opTrace, traceArgs{ID: id})
	if err != nil {
		return api.Tracing{}, fmt.Errorf("trace: %w", err)
	}
	answer := api.Tracing{ID: id, Until: until.UTC(), Missing: got.Missing}
	for _, a := range got.Answers {
		if a.Err != nil {
			answer.Missing = append(answer.Missing, a.Node)
		}
	}
	return answer, nil
}

// maxTraceEvents bounds what one answer holds.
const maxTraceEvents = 2000

// Traced implements api.Tracer. Nodes that do not look for the message yet, as they
// did not hear of it or were not there, are missing in the answer, and do from then on.
func (t apiTracer) Traced(ctx context.Context, id string) (any, error) {
	if trace.CheckID(id) != nil {
		return nil, errTraceID
	}
	nodes := t.node.together.nodes
	got, err := nodes.AskAll(ctx, opTraced, traceArgs{ID: id})
	if err != nil {
		return nil, fmt.Errorf("traced: %w", err)
	}
	var reports []trace.Report
	missing := got.Missing
	for _, a := range got.Answers {
		var r *trace.Report
		if a.Err == nil && json.Unmarshal(a.Data, &r) == nil && r != nil {
			reports = append(reports, *r)
		} else {
			missing = append(missing, a.Node)
		}
	}
	if len(reports) == 0 {
		return nil, &api.Error{Status: http.StatusNotFound, Message: "id: nobody has looked for this message lately"}
	}
	all := trace.Merge(id, reports, maxTraceEvents)
	if len(missing) > 0 && time.Now().Before(all.Until) {
		if err := nodes.TellAll(ctx, opTrace, traceArgs{ID: id, Until: all.Until}); err != nil {
			t.node.log.Debug().Err(err).Strs("nodes", missing).Msg("a trace goes on without some nodes")
		}
	}
	return struct {
		trace.Report
		Missing []string `json:"missing_nodes,omitempty"`
	}{all, missing}, nil
}
