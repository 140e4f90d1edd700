package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ginforge/gateway/room"
)

// Draining reports whether Drain has been called.
func (m *Manager) Draining() bool { return m.draining.Load() }

// Drain refuses new sessions and sends all others elsewhere, as Config.Move says
// but at a higher rate and with less grace if ctx's deadline asks for that. When
// there is no other node to go to, clients are told at once to come back, with
// delays spread over the reconnect window. It returns when all are gone, or with
// the context's error when it ends first.
//
// A session that the hub does not know yet is told by whoever attaches it (see
// ServeHTTP), or at the end.
func (m *Manager) Drain(ctx context.Context, elsewhere bool) error {
	m.draining.Store(true)
	if elsewhere {
		if err := m.drainMove(ctx).run(ctx); err != nil {
			return fmt.Errorf("session: drain: %w", err)
		}
	}
	m.hub.Each(func(member *room.Member) {
		member.Conn().Close(reasonDraining.close(m.delay(reasonDraining)))
	})
	return m.awaitNobody(ctx)
}

// drainMove is the move of everybody, in an order that has nothing to do with when
// or where they came in.
func (m *Manager) drainMove(ctx context.Context) *move {
	sessions := sessionsOf(m.hub.Members())
	rand.Shuffle(len(sessions), func(i, j int) { sessions[i], sessions[j] = sessions[j], sessions[i] })
	v := &move{
		manager: m, sessions: sessions, why: reasonDraining,
		rate: float64(m.cfg.Move.Rate), grace: m.cfg.Move.Grace,
		progress: func(asked, of int) {
			m.log.Info().Int("asked", asked).Int("of", of).Int64("connections", m.hub.Stats().Members).Msg("draining")
		},
	}
	v.nobody = func() bool { return m.hub.Stats().Members == 0 }
	if deadline, ok := ctx.Deadline(); ok {
		v.fit(time.Until(deadline))
	}
	return v
}

// fit has the move end within d: an eighth of that is left for closing
// handshakes, at most half is grace.
func (v *move) fit(d time.Duration) {
	v.grace = max(0, min(v.grace, d/2))
	needed := float64(len(v.sessions)) / max(0.001, (d-d/8-v.grace).Seconds())
	if needed <= v.rate {
		return
	}
	v.manager.log.Warn().Int("connections", len(v.sessions)).Float64("drain_rate", v.rate).Float64("needed", needed).
		Msg("drain.rate is too low for shutdown.timeout: asking clients faster")
	v.rate = needed
}

// awaitNobody waits until the last WebSocket has gone.
func (m *Manager) awaitNobody(ctx context.Context) error {
	t := time.NewTicker(moveTick)
	defer t.Stop()
	for m.engine.Stats().WebSockets > 0 {
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("session: drain: %w", ctx.Err())
		}
	}
	return nil
}
