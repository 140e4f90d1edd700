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
	for _, tt := range []struct {
		reason reason
		delay  time.Duration
		want   string
	}{
		{reasonBadToken, 0, `{"reason":"bad token"}`},
		{reasonOverCapacity, 7250 * time.Millisecond, `{"reason":"over capacity","delay_ms":7250}`},
		{reasonRate, time.Microsecond, `{"reason":"rate limit","delay_ms":1}`}, // 0 would say that there is none
		{reasonDraining, time.Hour, `{"reason":"draining","delay_ms":3600000}`},
	} {
		if r := tt.reason.close(tt.delay); r.Code != tt.reason.code || r.Text != tt.want {
			t.Errorf("close = %d %s, want %d %s", r.Code, r.Text, tt.reason.code, tt.want)
		}
	}
}

// Those who are told to come back here are told their places in a queue, one
// behind the other; those who go elsewhere are spread over the window.
func TestManager_Delay(t *testing.T) {
	w := newWorld(t, nil)
	last := time.Duration(0)
	for i := range 1000 {
		delay := w.delay(reasonSlow)
		if delay < reasonSlow.wait || delay > 2*reasonSlow.wait {
			t.Fatalf("delay %d is %s, want little more than %s", i, delay, reasonSlow.wait)
		}
		last = max(last, delay)
	}
	if least := reasonSlow.wait + 50*time.Millisecond; last < least {
		t.Errorf("1000 clients are spread up to %s, want at least %s: that is what their handshakes take", last, least)
	}
	least, most := time.Hour, time.Duration(0)
	for range 2000 {
		delay := w.delay(reasonDraining)
		least, most = min(least, delay), max(most, delay)
	}
	if window := w.cfg.ReconnectWindow; least > window/10 || most > window || most < window*9/10 {
		t.Errorf("delays are %s to %s, want them spread over %s", least, most, window)
	}
}

// The families of PROTOCOL: 41 and 42 say when to try again, the others must not.
func TestReason_Families(t *testing.T) {
	w := newWorld(t, nil)
	for _, r := range []reason{
		reasonBadToken, reasonAbuse, reasonOverCapacity, reasonRate, reasonSlow,
		reasonDraining, reasonNoPong, reasonExpired, reasonBinary,
	} {
		delay := parseClose(t, r.close(w.delay(r))).Delay
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
	w := newWorld(t, func(c *Config) { c.ReconnectWindow = 0 })
	if text := parseClose(t, reasonDraining.close(w.delay(reasonDraining))); text.Delay != nil {
		t.Errorf("delay = %d, want none without a window", *text.Delay)
	}
}

func TestNoPong(t *testing.T) {
	if r := NoPong(time.Second); r.Code != 4201 || parseClose(t, r).Reason != "no pong" {
		t.Errorf("NoPong = %v, want 4201 no pong", r)
	}
}
