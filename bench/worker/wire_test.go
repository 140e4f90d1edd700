package worker

import (
	"encoding/json"
	"testing"
	"time"
)

func TestHistogram_JSON(t *testing.T) {
	h := NewHistogram()
	for i := range 1000 {
		h.Record(time.Duration(i) * time.Millisecond)
	}
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var got Histogram
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Equals(h.Histogram) {
		t.Errorf("after the way through JSON p99 is %d, want %d", got.ValueAtQuantile(99), h.ValueAtQuantile(99))
	}
}

// Times beyond the histogram's range count as its ends, and are not dropped.
func TestHistogram_RecordBeyondRange(t *testing.T) {
	h := NewHistogram()
	h.Record(-time.Second)
	h.Record(time.Hour)
	if h.TotalCount() != 2 || h.Min() != 1 || h.Max() < maxMicros {
		t.Errorf("%d times from %d to %d µs, want 2 from 1 to %d", h.TotalCount(), h.Min(), h.Max(), maxMicros)
	}
}

func TestConfig_Validate(t *testing.T) {
	good := Config{Path: "/ws", Count: 10, Total: 10, Rooms: 1}
	for name, tt := range map[string]struct {
		edit func(*Config)
		ok   bool
	}{
		"good":                  {func(*Config) {}, true},
		"no users":              {func(c *Config) { c.Count = 0 }, false},
		"users beyond all":      {func(c *Config) { c.First = 1 }, false},
		"more rooms than users": {func(c *Config) { c.Rooms = 11 }, false},
		"chat without rooms":    {func(c *Config) { c.Mode, c.Rooms = ModeChat, 0 }, false},
		"no path":               {func(c *Config) { c.Path = "" }, false},
		"relative path":         {func(c *Config) { c.Path = "ws" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			tt.edit(&cfg)
			if err := cfg.Validate(); (err == nil) != tt.ok {
				t.Errorf("Validate() = %v, want ok: %v", err, tt.ok)
			}
		})
	}
}
