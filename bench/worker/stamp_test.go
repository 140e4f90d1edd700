package worker

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestAppendMessage(t *testing.T) {
	for name, tt := range map[string]struct {
		stamp Stamp
		room  string
		size  int
	}{
		"to a room":       {Stamp{Window: 1, Stream: 2, Seq: 3, Sent: 1763843342123456789}, "bench:2", 200},
		"to a user":       {Stamp{Window: 7}, "", 133},
		"with all digits": {Stamp{math.MaxUint32, math.MaxUint32, math.MaxUint32, math.MaxInt64}, "bench", 300},
	} {
		t.Run(name, func(t *testing.T) {
			b := AppendMessage(nil, tt.stamp, tt.room, tt.size)
			if len(b) != tt.size {
				t.Errorf("%d bytes, want %d: %s", len(b), tt.size, b)
			}
			var m struct{ Type, Room string }
			if err := json.Unmarshal(b, &m); err != nil || m.Type == "" || m.Room != tt.room {
				t.Errorf("%s is %+v, %v", b, m, err)
			}
			got, rest, ok := CutStamp(b)
			if !ok || got != tt.stamp {
				t.Errorf("CutStamp = %+v, %v, want %+v", got, ok, tt.stamp)
			}
			if _, _, again := CutStamp(rest); again {
				t.Error("a second stamp in one message")
			}
		})
	}
}

// Some servers put several messages into one frame.
func TestCutStamp_Several(t *testing.T) {
	var b []byte
	for seq := range uint32(3) {
		b = append(AppendMessage(b, Stamp{Seq: seq}, "bench", 133), '\n')
	}
	for want := range uint32(3) {
		s, rest, ok := CutStamp(b)
		if !ok || s.Seq != want {
			t.Fatalf("stamp %d = %+v, %v", want, s, ok)
		}
		b = rest
	}
}

func TestCutStamp_Malformed(t *testing.T) {
	for _, message := range []string{
		"", `{"type":"pong"}`, stampKey, stampKey + `1,2,3]`, stampKey + `1,2,3,4`, stampKey + `1,2,,4]`,
		stampKey + `1,2,x,4]`, stampKey + `1,2,-3,4]`, stampKey + strings.Repeat("9", 40) + `,2,3,4]`,
	} {
		if s, _, ok := CutStamp([]byte(message)); ok {
			t.Errorf("CutStamp(%q) = %+v, want none", message, s)
		}
	}
}
