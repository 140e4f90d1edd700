package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestHeader_RoundTripsEveryLengthClass(t *testing.T) {
	t.Parallel()
	for _, length := range []int{0, 1, 124, 125, 126, 127, 128, 0xFFFE, 0xFFFF, 0x10000, 0x10001, 1 << 31, math.MaxInt} {
		for _, op := range []Opcode{OpText, OpBinary} {
			b := appendHeader(nil, op, true, length)
			b[1] |= maskBit
			b = append(b, 1, 2, 3, 4)
			if n := headerLen(b); n != len(b) {
				t.Errorf("headerLen of a header for %d bytes = %d, want %d", length, n, len(b))
			}
			got, err := parseHeader(b)
			want := header{fin: true, rsv1: true, op: op, mask: [4]byte{1, 2, 3, 4}, length: int64(length)}
			if err != nil || got != want {
				t.Errorf("parseHeader for %d bytes = %+v, %v, want %+v", length, got, err, want)
			}
		}
	}
}

func TestHeader_UsesTheShortestForm(t *testing.T) {
	t.Parallel()
	for length, want := range map[int]int{0: 2, 125: 2, 126: 4, 0xFFFF: 4, 0x10000: 10, math.MaxInt: 10} {
		if got := len(appendHeader(nil, OpText, false, length)); got != want {
			t.Errorf("header for %d bytes has %d bytes, want %d", length, got, want)
		}
	}
}

func TestHeader_RefusesLengthsInALongerFormOrOutOfRange(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"125 in 16 bits":    {0x82, 0xFE, 0, 125, 0, 0, 0, 0},
		"0 in 16 bits":      {0x82, 0xFE, 0, 0, 0, 0, 0, 0},
		"65535 in 64 bits":  append(binary.BigEndian.AppendUint64([]byte{0x82, 0xFF}, 65535), 0, 0, 0, 0),
		"0 in 64 bits":      append(binary.BigEndian.AppendUint64([]byte{0x82, 0xFF}, 0), 0, 0, 0, 0),
		"2^63 in 64 bits":   append(binary.BigEndian.AppendUint64([]byte{0x82, 0xFF}, 1<<63), 0, 0, 0, 0),
		"2^64-1 in 64 bits": append(binary.BigEndian.AppendUint64([]byte{0x82, 0xFF}, math.MaxUint64), 0, 0, 0, 0),
	} {
		if _, err := parseHeader(b); codeOf(err) != CloseProtocol {
			t.Errorf("parseHeader(%s) = %v, want close code 1002", name, err)
		}
	}
}

func TestHeaderLen_IsUnknownUntilTwoBytesAreThere(t *testing.T) {
	t.Parallel()
	b := []byte{0x81, 0x80 | 127}
	for n, want := range []int{0, 0, 14} {
		if got := headerLen(b[:n]); got != want {
			t.Errorf("headerLen of %d bytes = %d, want %d", n, got, want)
		}
	}
}

func TestUnmask_AgreesWithTheLoopOfTheRFCAtEveryOffset(t *testing.T) {
	t.Parallel()
	key := [4]byte{0x12, 0x34, 0x56, 0x78}
	for length := range 70 {
		for pos := range int64(9) {
			for misalign := range 3 {
				got := make([]byte, misalign+length)[misalign:]
				for i := range got {
					got[i] = byte(rand.N(256))
				}
				want := slices.Clone(got)
				for i := range want {
					want[i] ^= key[(int64(i)+pos)%4]
				}
				if unmask(got, key, pos); !bytes.Equal(got, want) {
					t.Fatalf("unmask of %d bytes at position %d = %x, want %x", length, pos, got, want)
				}
			}
		}
	}
}

func TestUnmask_InPiecesIsTheSameAsAtOnce(t *testing.T) {
	t.Parallel()
	key := [4]byte{0xA1, 0xB2, 0xC3, 0xD4}
	whole := bytes.Repeat([]byte("payload"), 9)
	for cut := range whole {
		pieces := slices.Clone(whole)
		unmask(pieces[:cut], key, 0)
		unmask(pieces[cut:], key, int64(cut))
		atOnce := slices.Clone(whole)
		if unmask(atOnce, key, 0); !bytes.Equal(pieces, atOnce) {
			t.Fatalf("unmask cut at %d = %x, want %x", cut, pieces, atOnce)
		}
	}
}

func TestFrame_CopiesItsPayload(t *testing.T) {
	t.Parallel()
	payload := []byte("hello")
	f := NewFrame(OpText, payload)
	copy(payload, "?????")
	if want := "\x81\x05hello"; string(f.plain) != want {
		t.Errorf("frame = %q, want %q", f.plain, want)
	}
}

func TestFrame_JoinedIsTheConcatenation(t *testing.T) {
	t.Parallel()
	d := newDeflater(Compression{Level: 1, MinBytes: 16})
	long := NewFrame(OpText, bytes.Repeat([]byte("long "), 100))
	parts := []*Frame{NewFrame(OpText, []byte("a")), long, NewFrame(OpBinary, nil)}
	joined := Join([]*Frame{parts[0], Join(parts[1:])})

	var plain, deflated []byte
	for _, p := range parts {
		plain = append(plain, p.plain...)
		deflated = append(deflated, p.compressed(d)...)
	}
	if !bytes.Equal(joined.plain, plain) {
		t.Errorf("joined frame = %x, want %x", joined.plain, plain)
	}
	if got := joined.compressed(d); !bytes.Equal(got, deflated) || len(got) >= len(plain) {
		t.Errorf("joined compressed frame = %x, want %x", got, deflated)
	}
	if joined.Len() != len(plain) || joined.longest != 500 {
		t.Errorf("Len, longest = %d, %d, want %d, 500", joined.Len(), joined.longest, len(plain))
	}
	if Join(parts[:1]) != parts[0] {
		t.Error("Join of one frame is not that frame")
	}
	i := 0
	for payload := range joined.Payloads() {
		if !bytes.Equal(payload, parts[i].payload) {
			t.Errorf("payload %d = %q, want %q", i, payload, parts[i].payload)
		}
		i++
	}
}

func TestOpcode_ControlIsTheHighBit(t *testing.T) {
	t.Parallel()
	for op := range Opcode(16) {
		if got, want := op.control(), op >= 8; got != want {
			t.Errorf("%s.control() = %v, want %v", fmt.Sprintf("%#x", byte(op)), got, want)
		}
	}
}
