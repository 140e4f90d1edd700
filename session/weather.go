package session

import (
	"context"
	"errors"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
)

const (
	// weatherEvery is how often it is asked how Redis is.
	weatherEvery = 100 * time.Millisecond
	// weatherSettled is how long it must have been so before clients are told: a
	// connection that is lost and found again is no news.
	weatherSettled = time.Second
	// noticesPerSecond is how many clients are told in a second at least; more when
	// all would take longer than the reconnect window.
	noticesPerSecond = 1000
)

// What clients are told, as content.event.
const (
	eventDegraded = "degraded"
	eventRestored = "restored"
)

// WatchRedis tells all clients by a system frame when Redis has gone, and when it
// is back, until ctx ends. connected says how it is now. Each client is told once
// for each of the two; who connects meanwhile is told behind welcome. Clients are
// told over the reconnect window, so that they do not all do something at once.
func (m *Manager) WatchRedis(ctx context.Context, connected func() bool) error {
	t := time.NewTicker(weatherEvery)
	defer t.Stop()
	told, since := true, time.Now()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
		if connected() == told {
			since = time.Now()
			continue
		}
		if time.Since(since) < weatherSettled {
			continue
		}
		told = !told
		m.tellWeather(ctx, told)
		since = time.Now()
	}
}

// tellWeather tells the clients that are there, and has those told that come.
func (m *Manager) tellWeather(ctx context.Context, fine bool) {
	last := m.numbers.Load()
	if fine {
		m.degradedAfter.Store(0)
	} else {
		m.degradedAfter.Store(uint64(last) + 1)
	}
	sessions := sessionsOf(m.hub.Members())
	m.log.Info().Bool("connected", fine).Int("clients", len(sessions)).Msg("telling clients how Redis is")
	frame := engine.NewFrame(engine.OpText, appendWeather(nil, fine))
	rate := noticesPerSecond
	if window := m.cfg.ReconnectWindow.Seconds(); window > 0 {
		rate = max(rate, int(float64(len(sessions))/window))
	}
	t := time.NewTicker(moveTick)
	defer t.Stop()
	for started, next := time.Now(), 0; next < len(sessions); {
		for due := int(time.Since(started).Seconds()*float64(rate)) + 1; next < min(due, len(sessions)); next++ {
			if s := sessions[next]; s.number <= last {
				s.afterWelcome(frame)
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// afterWelcome sends a frame now or, to a client whose welcome waits for Redis,
// behind that.
func (s *Session) afterWelcome(frame *engine.Frame) {
	s.manager.hub.InOrder(&s.member, room.User(s.member.UserID()), func(err error) {
		if !errors.Is(err, room.ErrGone) {
			_ = s.conn().Send(frame) // an error means that it is gone
		}
	})
}

// warnOfWeather tells a client that has just been greeted when Redis is away, unless
// it is among those whom tellWeather tells.
func (s *Session) warnOfWeather() {
	if after := s.manager.degradedAfter.Load(); after > 0 && uint64(s.number) >= after {
		s.reply(func(dst []byte) []byte { return appendWeather(dst, false) })
	}
}

func appendWeather(dst []byte, fine bool) []byte {
	now := time.Now().Unix()
	if fine {
		return message.AppendSystem(dst, eventRestored, "messages are delivered again", "info", now)
	}
	return message.AppendSystem(dst, eventDegraded, "messages may be delayed or refused for the moment", "warning", now)
}
