package pubsub

import (
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestConfig_Validate(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string // "" for no error
	}{
		"the defaults":        {func(*Config) {}, ""},
		"the zero value":      {func(c *Config) { *c = Config{} }, ""},
		"no linger":           {func(c *Config) { c.Linger = 0 }, ""},
		"url":                 {func(c *Config) { c.URL = "http://u:s3cret@h" }, "redis.url: unknown scheme; want"},
		"embedded listen":     {func(c *Config) { c.EmbeddedListen = "6379" }, `redis.embedded_listen: "6379"; want host:port`},
		"embedded port":       {func(c *Config) { c.EmbeddedListen = "h:x" }, "redis.embedded_listen"},
		"prefix with a space": {func(c *Config) { c.Prefix = "a b" }, `redis.prefix: "a b"; want`},
		"prefix too long":     {func(c *Config) { c.Prefix = strings.Repeat("x", 129) }, "at most 128 bytes"},
		"linger":              {func(c *Config) { c.Linger = -time.Second }, "redis.linger: -1s is negative"},
		"replicas":            {func(c *Config) { c.URL, c.WaitReplicas = "redis://x", 17 }, "redis.wait_replicas: 17; want 0 (do not wait) to 16"},
		"embedded replicas":   {func(c *Config) { c.WaitReplicas = 1 }, "redis.wait_replicas: 1; want 0 with the embedded Redis"},
		"queue messages":      {func(c *Config) { c.QueueMessages = -1 }, "redis.queue_messages: -1; want 1 or more"},
		"queue bytes":         {func(c *Config) { c.QueueBytes = -1 }, "redis.queue_bytes: -1; want 1 or more"},
		"backoff":             {func(c *Config) { c.MinBackoff = time.Hour }, "backoff from 1h0m0s to 2s"},
		"health":              {func(c *Config) { c.HealthInterval = -1 }, "health interval"},
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig()
			tt.change(&c)
			err := c.Validate()
			switch {
			case err == nil && tt.want != "":
				t.Errorf("Validate() = nil, want %q", tt.want)
			case err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Validate() = %q, want %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "s3cret"):
				t.Errorf("Validate() = %q shows the password", err)
			}
			if err == nil {
				return
			}
			if _, openErr := Open(c, nil, zerolog.Nop()); openErr == nil || openErr.Error() != err.Error() {
				t.Errorf("Open = %v, want Validate's %v", openErr, err)
			}
		})
	}
}

func TestConfig_ValidateNamesAllProblems(t *testing.T) {
	err := Config{URL: "x", Linger: -1, QueueBytes: -1}.Validate()
	for _, key := range []string{"redis.url", "redis.linger", "redis.queue_bytes"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("Validate() = %v, want %s named", err, key)
		}
	}
}

func TestChannel_RoundTrip(t *testing.T) {
	for _, tt := range []struct {
		kind    Kind
		name    string
		channel string
	}{
		{KindBroadcast, "", "websocket:broadcast"},
		{KindUser, "42", "websocket:user:42"},
		{KindUser, "a:b", "websocket:user:a:b"},
		{KindNotification, "42", "websocket:notification:42"},
		{KindRoom, "chat:room001", "websocket:room:chat:room001"},
		{KindRoom, "", "websocket:room:"},
	} {
		if got := channelName("websocket:", tt.kind, tt.name); got != tt.channel {
			t.Errorf("channelName(%v, %q) = %q, want %q", tt.kind, tt.name, got, tt.channel)
		}
		kind, name, ok := parseChannel("websocket:", tt.channel)
		if !ok || kind != tt.kind || name != tt.name {
			t.Errorf("parseChannel(%q) = %v, %q, %v, want %v, %q", tt.channel, kind, name, ok, tt.kind, tt.name)
		}
	}
	for _, channel := range []string{"", "websocket:", "websocket:broadcast:", "websocket:users:1", "other:room:1"} {
		if kind, name, ok := parseChannel("websocket:", channel); ok {
			t.Errorf("parseChannel(%q) = %v, %q, want not ours", channel, kind, name)
		}
	}
}

func TestKind_String(t *testing.T) {
	for kind, want := range map[Kind]string{
		KindBroadcast: "broadcast", KindUser: "user", KindNotification: "notification", KindRoom: "room", 99: "unknown",
	} {
		if got := kind.String(); got != want {
			t.Errorf("Kind(%d).String() = %q, want %q", uint8(kind), got, want)
		}
	}
}
