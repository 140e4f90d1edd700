package session

import (
	"context"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
)

// moveTick is how often clients are asked in a move: so many of them at once as
// are due then.
const moveTick = 20 * time.Millisecond

// move sends the clients of some connections to other nodes: each is asked by a
// reconnect frame, in its turn, to open a new connection and then end this one.
// Who has not ended it when the grace is over is closed. So nobody is without a
// connection who does as asked, and the other nodes see a slope and not a spike.
type move struct {
	manager  *Manager
	sessions []*Session
	why      reason
	rate     float64 // clients in a second
	grace    time.Duration
	progress func(asked, of int) // called at most once a second; may be nil
	nobody   func() bool         // reports that there is nobody left to wait for; may be nil
}

// run returns when every connection has been closed or its close frame sent, or
// with the context's error.
func (v *move) run(ctx context.Context) error {
	frame := engine.NewFrame(engine.OpText, message.AppendReconnect(nil, int(v.why.code), v.why.name, v.grace, time.Now().Unix()))
	t := time.NewTicker(moveTick)
	defer t.Stop()
	started, reported := time.Now(), time.Now()
	for asked, closed := 0, 0; closed < len(v.sessions); {
		since := time.Since(started)
		for due := v.due(since); asked < due; asked++ {
			_ = v.sessions[asked].conn().Send(frame) // an error means that it is gone
		}
		for due := v.due(since - v.grace); closed < due; closed++ {
			v.sessions[closed].close(v.why)
			v.sessions[closed] = nil // it may be garbage
		}
		if v.nobody != nil && v.nobody() {
			return nil
		}
		if v.progress != nil && time.Since(reported) >= time.Second {
			v.progress(asked, len(v.sessions))
			reported = time.Now()
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// due is how many clients are to be asked in the time d.
func (v *move) due(d time.Duration) int {
	if d < 0 {
		return 0
	}
	return min(1+int(d.Seconds()*v.rate), len(v.sessions))
}

// sessionsOf are the sessions of members.
func sessionsOf(members []*room.Member) []*Session {
	sessions := make([]*Session, len(members))
	for i, m := range members {
		sessions[i] = sessionOf(m)
	}
	return sessions
}
