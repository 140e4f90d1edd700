package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestNewLogger_JSON(t *testing.T) {
	for _, format := range []string{formatJSON, formatAuto} { // a buffer is no terminal
		var out bytes.Buffer
		log, err := newLogger(LogConfig{Level: "info", Format: format}, &out)
		if err != nil {
			t.Fatal(err)
		}
		log.Debug().Msg("unseen")
		log.Info().Str("node", "n1").Msg("seen")

		var line struct{ Level, Time, Node, Message string }
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatalf("%s: %q: %v", format, out.String(), err)
		}
		if line.Level != "info" || line.Node != "n1" || line.Message != "seen" {
			t.Errorf("%s: the line is %+v", format, line)
		}
		if _, err := time.Parse(time.RFC3339Nano, line.Time); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestNewLogger_Console(t *testing.T) {
	var out bytes.Buffer
	log, err := newLogger(LogConfig{Level: "debug", Format: formatConsole}, &out)
	if err != nil {
		t.Fatal(err)
	}
	log.Debug().Str("node", "n1").Msg("seen")
	if got := out.String(); !strings.HasSuffix(got, " DBG seen node=n1\n") || strings.Contains(got, "<nil>") {
		t.Errorf("the line is %q", got)
	}
}

func TestWarnDevelopment(t *testing.T) {
	for name, tt := range map[string]struct {
		development bool
		secret      string
		want        int
	}{
		"production":                     {false, "s", 0},
		"development":                    {true, "s", 1},
		"development, well-known secret": {true, "", 2},
	} {
		var out bytes.Buffer
		log, err := newLogger(LogConfig{Level: "warn", Format: formatJSON}, &out)
		if err != nil {
			t.Fatal(err)
		}
		cfg := DefaultConfig()
		cfg.Development, cfg.JWT.Secret = tt.development, tt.secret
		warnDevelopment(cfg, log)
		if got := strings.Count(out.String(), "DEVELOPMENT MODE"); got != tt.want {
			t.Errorf("%s: %d warnings, want %d: %s", name, got, tt.want, out.String())
		}
	}
}
