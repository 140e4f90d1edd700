package engine

import (
	"bytes"
	"fmt"
	"testing"
)

// filled returns size bytes of valid UTF-8 that do not repeat in step with
// anything.
func filled(size int) []byte {
	return bytes.Repeat([]byte("BAsd7&jh23-"), size/11+1)[:size]
}

func TestConformance9_Sizes(t *testing.T) {
	t.Parallel()
	const kib, mib = 1 << 10, 1 << 20
	fragmented := 4 * mib
	if raceEnabled {
		fragmented = mib
	}
	var cases []conformanceCase
	for g, op := range []byte{0x81, 0x82} {
		for i, size := range []int{64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib} {
			if raceEnabled && size > 4*mib {
				continue
			}
			cases = append(cases, conformanceCase{fmt.Sprintf("9.%d.%d", g+1, i+1), echoed(op, filled(size))})
		}
		for i, size := range []int{64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, mib, 4 * mib} {
			cases = append(cases, conformanceCase{fmt.Sprintf("9.%d.%d", g+3, i+1), func(p *peer) {
				p.send(fragments(op, filled(fragmented), size))
				wants(wireFrame{op, filled(fragmented)})(p)
			}})
		}
		for i, size := range []int{64, 128, 256, 512, kib, 2 * kib} {
			cases = append(cases, conformanceCase{fmt.Sprintf("9.%d.%d", g+5, i+1), func(p *peer) {
				p.sendChopped(masked(op, filled(mib)), size)
				wants(wireFrame{op, filled(mib)})(p)
			}})
		}
		for i, size := range []int{0, 16, 64, 256, kib, 4 * kib} {
			cases = append(cases, conformanceCase{fmt.Sprintf("9.%d.%d", g+7, i+1), func(p *peer) {
				frame := masked(op, filled(size))
				for range 1000 {
					p.send(frame)
					p.want(op, filled(size))
				}
				p.close(closePayload(1000, ""), 1000)
			}})
		}
	}
	cases = append(cases, conformanceCase{"10.1.1", func(p *peer) {
		p.send(fragments(0x81, filled(64*kib), 1300))
		wants(wireFrame{0x81, filled(64 * kib)})(p)
	}})
	runConformance(t, nil, nil, cases)
}

// A gateway's own limit is refused from the header on, before any payload comes.
func TestConformance_TooBigIsRefusedByTheHeader(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, testLimits, nil)
	limit := testLimits.MessageBytes
	tooBig := masked(0x82, filled(limit+1))
	for name, stream := range map[string][]byte{
		"header only":      tooBig[:len(tooBig)-limit-1],
		"in one piece":     tooBig,
		"third fragment":   append(frames(0x01, string(filled(limit-1)), 0x00, "x"), masked(0x00, []byte("y"))...),
		"endless fragment": fragments(0x81, filled(10*limit), 1000),
	} {
		p := dial(t, e, "/ws")
		rec := receive(t, conns, "connection")
		p.send(stream)
		p.wantClose(CloseTooBig)
		if got := receive(t, rec.closed, "OnClose"); got != CloseTooBig || len(rec.messages) > 0 {
			t.Errorf("%s: OnClose(%d) after %d messages, want 1009 after none", name, got, len(rec.messages))
		}
	}
	p := dial(t, e, "/ws")
	rec := receive(t, conns, "connection")
	p.send(masked(0x82, filled(limit)))
	if got := receive(t, rec.messages, "message"); len(got) != limit {
		t.Errorf("message of the largest size has %d bytes, want %d", len(got), limit)
	}
}
