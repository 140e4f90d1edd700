package engine

import (
	"strings"
	"testing"
	"time"
)

func TestConfig_DefaultIsValid(t *testing.T) {
	t.Parallel()
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("Validate of the default: %v", err)
	}
}

func TestConfig_ValidateNamesKeyValueAndWhatIsAllowed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edit func(*Config)
		want []string
	}{
		"no handshake timeout": {func(c *Config) { c.HandshakeTimeout = 0 }, []string{"handshake_timeout", "0s", "1s to 600s"}},
		"short close timeout":  {func(c *Config) { c.CloseTimeout = 999 * time.Millisecond }, []string{"close_timeout", "999ms", "1s to 600s"}},
		"long ping interval":   {func(c *Config) { c.PingInterval = time.Hour }, []string{"ping_interval", "1h0m0s", "1s to 600s"}},
		"negative pong":        {func(c *Config) { c.PongTimeout = -time.Second }, []string{"pong_timeout", "-1s", "1s to 600s"}},
		"pong after ping":      {func(c *Config) { c.PongTimeout = c.PingInterval }, []string{"pong_timeout", "25s", "shorter than ping_interval"}},
		"level 0":              {func(c *Config) { c.Compression.Level = 0 }, []string{"compression.level", "0", "1 to 9"}},
		"level 10":             {func(c *Config) { c.Compression.Level = 10 }, []string{"compression.level", "10", "1 to 9"}},
		"negative pollers":     {func(c *Config) { c.Pollers = -1 }, []string{"pollers", "negative"}},
		"negative connections": {func(c *Config) { c.MaxConnections = -1 }, []string{"max_connections", "negative"}},
	} {
		cfg := DefaultConfig()
		tt.edit(&cfg)
		err := cfg.Validate()
		if err == nil {
			t.Errorf("%s: Validate = nil, want an error", name)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: Validate = %q, want it to say %q", name, err, part)
			}
		}
	}
}

func TestConfig_NewRefusesWhatDoesNotValidate(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}, nil, testLog); err == nil {
		t.Error("New with the zero Config succeeded")
	}
}
