package session

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ginforge/gateway/engine"
)

// closeText is what a client reads in a close frame.
type closeText struct {
	Reason string `json:"reason"`
	Delay  *int64 `json:"delay_ms"`
}

func parseClose(t testing.TB, r engine.CloseReason) closeText {
	t.Helper()
	var text closeText
	if err := json.Unmarshal([]byte(r.Text), &text); err != nil {
		t.Fatalf("close reason %q: %v", r.Text, err)
	}
	if len(r.Text) > 123 {
		t.Errorf("close reason %q has %d bytes, want at most 123", r.Text, len(r.Text))
	}
	return text
}

func TestReason_Close(t *testing.T) {
	const window = 5 * time.Second
	for _, tt := range []struct {
		reason    reason
		code      engine.CloseCode
		name      string
		low, high time.Duration // both zero: no delay
	}{
		{reasonBadToken, 4001, "bad token", 0, 0},
		{reasonAbuse, 4005, "protocol error", 0, 0},
		{reasonOverCapacity, 4100, "over capacity", 5 * time.Second, 15 * time.Second},
		{reasonRate, 4101, "rate limit", 2 * time.Second, 10 * time.Second},
		{reasonSlow, 4102, "too slow", time.Second, 5 * time.Second},
		{reasonDraining, 4200, "draining", time.Millisecond, window},
		{reasonNoPong, 4201, "no pong", time.Millisecond, window},
		{reasonExpired, 4300, "expired", 0, 0},
		{reasonBinary, 1003, "text frames only", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			least, most := time.Hour, time.Duration(0)
			for range 2000 {
				r := tt.reason.close(window)
				text := parseClose(t, r)
				if r.Code != tt.code || text.Reason != tt.name {
					t.Fatalf("close = %d %q, want %d %q", r.Code, text.Reason, tt.code, tt.name)
				}
				if (text.Delay != nil) != (tt.high > 0) {
					t.Fatalf("close = %s: is there a delay: %t, want %t", r.Text, text.Delay != nil, tt.high > 0)
				}
				if text.Delay != nil {
					delay := time.Duration(*text.Delay) * time.Millisecond
					least, most = min(least, delay), max(most, delay)
				}
			}
			if tt.high == 0 {
				return
			}
			if least < tt.low || most > tt.high {
				t.Errorf("delays are %s to %s, want within %s to %s", least, most, tt.low, tt.high)
			}
			if edge := (tt.high - tt.low) / 10; least > tt.low+edge || most < tt.high-edge {
				t.Errorf("delays are %s to %s, want them spread over %s to %s", least, most, tt.low, tt.high)
			}
		})
	}
}

// The families of PROTOCOL: 41 and 42 say when to try again, the others must not.
func TestReason_Families(t *testing.T) {
	for _, r := range []reason{
		reasonBadToken, reasonAbuse, reasonOverCapacity, reasonRate, reasonSlow,
		reasonDraining, reasonNoPong, reasonExpired, reasonBinary,
	} {
		delay := parseClose(t, r.close(time.Second)).Delay
		switch family := r.code / 100; family {
		case 41, 42:
			if delay == nil || *delay <= 0 {
				t.Errorf("%d %s has delay %v, want one", r.code, r.name, delay)
			}
		case 10, 40, 43:
			if delay != nil {
				t.Errorf("%d %s has delay %d, want none", r.code, r.name, *delay)
			}
		default:
			t.Errorf("%d %s is of no family", r.code, r.name)
		}
	}
}

func TestReason_CloseWithoutWindow(t *testing.T) {
	if text := parseClose(t, reasonDraining.close(0)); text.Delay != nil {
		t.Errorf("delay = %d, want none without a window", *text.Delay)
	}
}

func TestNoPong(t *testing.T) {
	if r := NoPong(time.Second); r.Code != 4201 || parseClose(t, r).Reason != "no pong" {
		t.Errorf("NoPong = %v, want 4201 no pong", r)
	}
}
