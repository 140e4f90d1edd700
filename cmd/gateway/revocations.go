package main

import (
	"context"
	"time"

	"github.com/ginforge/gateway/pubsub/revoked"
	"github.com/ginforge/gateway/session/auth"
)

const (
	// revokedPoll is how often it is looked whether Redis has come back.
	revokedPoll = 200 * time.Millisecond
	// revokedReload is how often all revocations are loaded nevertheless: what a
	// node was to be told may be lost on the way.
	revokedReload = 15 * time.Second
)

// revoke makes tokens void on all nodes: it is kept first, so that a node which is
// not told finds it, and done here before revoke returns.
func (n *node) revoke(ctx context.Context, r auth.Revocation) error {
	text := r.Encode()
	if err := n.revoked.Add(ctx, revoked.Entry{Text: text, Until: r.Until}); err != nil {
		return err
	}
	return n.together.cluster.TellRevoked(ctx, text, r.Until)
}

// toldRevoked takes a revocation that another node has kept, or this one.
func (n *node) toldRevoked(text string, until time.Time) error {
	r, err := auth.DecodeRevocation(text, until)
	if err != nil {
		return err
	}
	n.sessions.Revoke(r)
	return nil
}

// keepRevoked loads the revocations when this node starts, when Redis has been
// away, and once in a while, and forgets those that are over, until ctx ends.
func (n *node) keepRevoked(ctx context.Context) error {
	t := time.NewTicker(revokedPoll)
	defer t.Stop()
	var connects int64
	var loaded time.Time
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
		now := n.bus.Stats().Connects
		if !n.bus.State().Connected || now == connects && time.Since(loaded) < revokedReload {
			continue
		}
		if err := n.loadRevoked(ctx); err != nil {
			n.log.Warn().Err(err).Msg("revocations not loaded; trying again")
			continue
		}
		n.sessions.ForgetRevoked()
		connects, loaded = now, time.Now()
	}
}

func (n *node) loadRevoked(ctx context.Context) error {
	entries, err := n.revoked.All(ctx)
	if err != nil {
		return err
	}
	revocations := make([]auth.Revocation, 0, len(entries))
	for _, e := range entries {
		r, err := auth.DecodeRevocation(e.Text, e.Until)
		if err != nil { // not ours: it keeps none of the others
			n.log.Warn().Err(err).Msg("a revocation in Redis is ignored")
			continue
		}
		revocations = append(revocations, r)
	}
	n.sessions.Revoke(revocations...)
	return nil
}
