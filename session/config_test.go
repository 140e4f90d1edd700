package session

import (
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func TestConfig_Validate(t *testing.T) {
	if err := testConfig().Validate(); err != nil {
		t.Fatalf("Validate = %v, want nil", err)
	}
	for name, tt := range map[string]struct {
		edit func(*Config)
		want string
	}{
		"message_bytes":      {func(c *Config) { c.Limits.MessageBytes = 255 }, "limits.message_bytes is 255: allowed is 256 to 16777216"},
		"write_buffer_bytes": {func(c *Config) { c.Limits.WriteBufferBytes = 0 }, "limits.write_buffer_bytes is 0"},
		"room_name_bytes":    {func(c *Config) { c.Limits.RoomNameBytes = 256 }, "limits.room_name_bytes is 256: allowed is 1 to 255"},
		"json_depth":         {func(c *Config) { c.Limits.JSONDepth = 1 }, "limits.json_depth is 1"},
		"protocol_errors":    {func(c *Config) { c.Limits.ProtocolErrors = 0 }, "limits.protocol_errors is 0"},
		"frames_per_second":  {func(c *Config) { c.Limits.FramesPerSecond = 0 }, "limits.frames_per_second is 0"},
		"frames_burst":       {func(c *Config) { c.Limits.FramesBurst = -1 }, "limits.frames_burst is -1"},
		"watched_users":      {func(c *Config) { c.Limits.WatchedUsers = 10_001 }, "limits.watched_users is 10001"},
		"join": {
			func(c *Config) { c.Namespaces["x"] = Namespace{Join: "all", Publish: AllowAny} },
			`namespaces.x.join is "all": allowed are any, caps and none`,
		},
		"publish": {
			func(c *Config) { c.Namespaces["x"] = Namespace{Join: AllowAny} },
			`namespaces.x.publish is "": allowed are any, caps and none`,
		},
		"namespace message_bytes": {
			func(c *Config) { c.Namespaces["x"] = Namespace{Join: AllowAny, Publish: AllowAny, MessageBytes: -1} },
			"namespaces.x.message_bytes is -1",
		},
		"no default": {func(c *Config) { delete(c.Namespaces, DefaultNamespace) }, `namespaces has no "default"`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			tt.edit(&cfg)
			err := cfg.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Validate = %v, want %q", err, tt.want)
			}
			if _, err := NewManager(cfg, nil, nil, nil, nil, nil, zerolog.Nop()); err == nil {
				t.Error("NewManager = nil, want the error of Validate")
			}
		})
	}
}
