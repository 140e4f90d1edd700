package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
)

// numbered is a frame of size bytes that starts with n.
func numbered(n, size int) *Frame {
	return NewFrame(OpBinary, append(binary.BigEndian.AppendUint32(nil, uint32(n)), bytes.Repeat([]byte{byte(n)}, size-4)...))
}

// waitingNow is how many bytes wait for the peer.
func (c *Conn) waitingNow() int {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.waiting()
}

// readNumbered wants the frames numbered from..to of size bytes.
func readNumbered(t *testing.T, p *peer, from, to, size int) {
	t.Helper()
	for n := from; n < to; n++ {
		f, err := p.read()
		if err != nil {
			t.Fatalf("frame %d: %v", n, err)
		}
		if want := numbered(n, size); f.b0 != 0x82 || !bytes.Equal(f.payload, want.payload) {
			t.Fatalf("frame %d: got %v of %d bytes", n, f, len(f.payload))
		}
	}
}

func TestSend_FormsThatReachTheWire(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, testLimits, nil)
	p, rec := connect(t, e, conns)
	if err := errors.Join(
		rec.Send(NewFrame(OpText, []byte("one"))),
		rec.Send(Join([]*Frame{NewFrame(OpText, []byte("two")), NewFrame(OpBinary, nil)})),
		rec.SendText([]byte("three")),
		rec.SendText(filled(100_000)),
	); err != nil {
		t.Fatalf("Send: %v", err)
	}
	scratch, err := rec.SendAll([]*Frame{NewFrame(OpText, []byte("four")), NewFrame(OpText, []byte("five"))}, nil)
	if err != nil || len(scratch) != 12 {
		t.Fatalf("SendAll = %d bytes of scratch, %v, want 12", len(scratch), err)
	}
	for _, want := range []wireFrame{
		textFrame("one"), textFrame("two"), binaryFrame(""), textFrame("three"), textFrame(string(filled(100_000))), textFrame("four"), textFrame("five"),
	} {
		p.want(want.b0, want.payload)
	}
}

// A peer that reads slowly gets everything that Send accepted, in order and whole,
// though it leaves in pieces.
func TestSend_SlowReaderGetsWhatWasAccepted(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, Limits{MessageBytes: 1000, WriteBufferBytes: 1 << 20}, nil)
	p, rec := connect(t, e, conns)
	const size = 50_000
	sent := 0
	for ; ; sent++ {
		if err := rec.Send(numbered(sent, size)); errors.Is(err, ErrSlow) {
			break
		} else if err != nil {
			t.Fatalf("Send %d: %v", sent, err)
		}
		if sent > 10_000 {
			t.Fatal("half a gigabyte was accepted for a peer that does not read")
		}
	}
	if waits := rec.waitingNow(); waits == 0 || waits > 1<<20 || e.Stats().PendingBytes != int64(waits) {
		t.Errorf("%d bytes wait, in sum %d, want the same and at most the limit", waits, e.Stats().PendingBytes)
	}
	if n := rec.pending.Load(); n > size+10 {
		t.Errorf("nbio holds %d bytes, want no more than one frame", n)
	}
	if err := rec.Send(numbered(0, size)); !errors.Is(err, ErrSlow) {
		t.Errorf("Send to a full connection = %v, want ErrSlow", err)
	}
	if n := len(rec.slow); n != 1 {
		t.Errorf("OnSlow was called %d times, want once", n)
	}
	readNumbered(t, p, 0, sent, size)
	eventually(t, func() error {
		if n := rec.waitingNow(); n != 0 || e.Stats().PendingBytes != 0 || e.Stats().Behind != 0 {
			return fmt.Errorf("%d bytes wait, in sum %d, after all was read", n, e.Stats().PendingBytes)
		}
		return nil
	})
	if err := rec.Send(numbered(sent, size)); err != nil {
		t.Errorf("Send after the peer has caught up = %v", err)
	}
	readNumbered(t, p, sent, sent+1, size)
}

// A frame larger than the whole buffer is not refused when nothing waits.
func TestSend_LargeFrameToAnIdlePeer(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, Limits{MessageBytes: 1000, WriteBufferBytes: 1000}, nil)
	p, rec := connect(t, e, conns)
	for n := range 3 {
		if err := rec.Send(numbered(n, 6<<20)); err != nil {
			t.Fatalf("Send: %v", err)
		}
		readNumbered(t, p, n, n+1, 6<<20)
		eventually(t, func() error {
			if n := rec.waitingNow(); n != 0 {
				return fmt.Errorf("pending = %d", n)
			}
			return nil
		})
	}
}

// A peer that does not read cannot have pongs pile up either.
func TestSend_PongsToASlowReaderAreBounded(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, Limits{MessageBytes: 1000, WriteBufferBytes: 10_000}, nil)
	p, rec := connect(t, e, conns)
	for rec.Send(numbered(0, 60_000)) == nil { // fill the socket
		continue
	}
	ping := bytes.Repeat(masked(0x89, bytes.Repeat([]byte("p"), 125)), 1000)
	for range 10 {
		p.send(ping)
	}
	answer(t, e, p, masked(0x81, []byte("all pings have been read")))
	receive(t, rec.messages, "message")
	if n := rec.waitingNow(); n > 60_000+3*10_000 {
		t.Errorf("%d bytes wait after 10,000 pings", n)
	}
}

func TestSend_ConcurrentSendersNeverMixFrames(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, Limits{MessageBytes: 1000, WriteBufferBytes: 1 << 30}, nil)
	e.stopTick() // pings are counted
	p, rec := connect(t, e, conns)
	const senders, each, size = 8, 200, 5000
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			f := numbered(s, size)
			for range each {
				if err := rec.Send(f); err != nil {
					t.Errorf("Send: %v", err)
				}
				rec.ping()
			}
		})
	}
	got := map[uint32]int{}
	pings := 0
	for range 2 * senders * each {
		f, err := p.readAny()
		switch {
		case err != nil:
			t.Fatalf("read: %v", err)
		case f.b0 == 0x89 && len(f.payload) == 0:
			pings++
		case f.b0 == 0x82 && len(f.payload) == size && bytes.Count(f.payload[4:], f.payload[3:4]) == size-4:
			got[binary.BigEndian.Uint32(f.payload)]++
		default:
			t.Fatalf("got %v, which nobody sent", f)
		}
	}
	wg.Wait()
	if len(got) != senders || got[0] != each || pings != senders*each {
		t.Errorf("frames = %v, %d pings, want %d of each and %d", got, pings, each, senders*each)
	}
}

func TestSend_ToAGonePeer(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, testLimits, nil)
	for name, gone := range map[string]func(*peer){
		"reset":  func(p *peer) { _ = p.conn.SetLinger(0); _ = p.conn.Close() },
		"closed": func(p *peer) { _ = p.conn.Close() },
	} {
		p, rec := connect(t, e, conns)
		gone(p)
		if got := receive(t, rec.closed, "OnClose"); got != CloseAbnormal {
			t.Errorf("%s: OnClose(%d), want 1006", name, got)
		}
		if err := rec.Send(numbered(0, 100)); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: Send = %v, want ErrClosed", name, err)
		}
		if err := rec.SendText(nil); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: SendText = %v, want ErrClosed", name, err)
		}
		if _, err := rec.SendAll([]*Frame{numbered(0, 100)}, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: SendAll = %v, want ErrClosed", name, err)
		}
		rec.Close(CloseReason{Code: CloseNormal}) // does no harm
		rec.SetDeadline(1)
	}
}

// What was queued before Close leaves before the close frame, also to a slow
// reader.
func TestClose_ComesBehindWhatIsQueued(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, Limits{MessageBytes: 1000, WriteBufferBytes: 1 << 20}, nil)
	p, rec := connect(t, e, conns)
	n := 0
	for rec.Send(numbered(n, 50_000)) == nil {
		n++
	}
	rec.Close(CloseReason{4102, "too slow"})
	readNumbered(t, p, 0, n, 50_000)
	p.wantClose(4102)
	if got := receive(t, rec.closed, "OnClose"); got != 4102 {
		t.Errorf("OnClose(%d), want 4102", got)
	}
}
