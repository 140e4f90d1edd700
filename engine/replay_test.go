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
