package engine

import (
	"errors"
	"fmt"
	"testing"
)

// A replay may wait for a slow peer beyond the limit of other frames, but not
// without bound, and when the peer has read it the usual limit holds again.
func TestReplay_HasRoomOfItsOwn(t *testing.T) {
	t.Parallel()
	const size, usual, more = 50_000, 200_000, 2_000_000
	e, conns := startRecorder(t, Limits{MessageBytes: 1000, WriteBufferBytes: usual, ReplayBytes: more}, nil)
	p, rec := connect(t, e, conns)
	sent := 0
	send := func(how func(*Frame) error) error {
		err := how(numbered(sent, size))
		if err == nil {
			sent++
		}
		return err
	}
	replay := func(f *Frame) error {
		_, err := rec.Replay([]*Frame{f}, nil)
		return err
	}
	for rec.pending.Load() == 0 { // what the sockets take
		if err := send(rec.Send); err != nil {
			t.Fatalf("Send = %v with nothing waiting", err)
		}
	}
	for {
		err := send(replay)
		if errors.Is(err, ErrSlow) {
			break
		}
		if err != nil {
			t.Fatalf("Replay = %v", err)
		}
	}
	waiting := rec.waitingNow()
	if waiting <= usual || waiting > usual+more {
		t.Errorf("%d bytes wait, want more than %d and at most %d", waiting, usual, usual+more)
	}
	readNumbered(t, p, 0, sent, size)
	eventually(t, func() error {
		if n, flag := rec.waitingNow(), rec.has(flagReplay); n != 0 || flag {
			return fmt.Errorf("%d bytes wait after all was read, and room for a replay: %v", n, flag)
		}
		return nil
	})
}

// Who waits for a peer to catch up is told once, when it has read everything.
func TestCaughtUp_IsToldWhenNothingWaits(t *testing.T) {
	t.Parallel()
	const size = 50_000
	e, conns := startRecorder(t, Limits{MessageBytes: 1000, WriteBufferBytes: 1 << 20, ReplayBytes: 1 << 20}, nil)
	p, rec := connect(t, e, conns)
	if !rec.CaughtUp() {
		t.Error("CaughtUp() = false with nothing sent")
	}
	sent := 0
	for round := range 3 {
		from := sent
		for waiting := 0; waiting < 3*size; waiting = rec.waitingNow() { // in nbio and in the backlog
			if err := rec.Send(numbered(sent, size)); err != nil {
				t.Fatalf("Send = %v", err)
			}
			sent++
		}
		for range 2 {
			if rec.CaughtUp() {
				t.Errorf("round %d: CaughtUp() = true with %d bytes waiting", round, rec.waitingNow())
			}
		}
		if len(rec.caughtUp) > 0 {
			t.Errorf("round %d: told with %d bytes waiting", round, rec.waitingNow())
		}
		readNumbered(t, p, from, sent, size)
		receive(t, rec.caughtUp, "OnCaughtUp")
		if n := rec.waitingNow(); n > 0 || len(rec.caughtUp) > 0 {
			t.Errorf("round %d: told with %d bytes waiting, and %d times more", round, n, len(rec.caughtUp))
		}
	}
}
