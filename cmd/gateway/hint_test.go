package main

import "testing"

func TestHint_NamesRedisAsItsToolsTakeIt(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]struct{ url, flags string }{
		"127.0.0.1:6379":         {"redis://127.0.0.1:6379", ""},
		"127.0.0.1:40123":        {"redis://127.0.0.1:40123", " -h 127.0.0.1 -p 40123"},
		"redis://redis:6379":     {"redis://redis:6379", " -u redis://redis:6379"},
		"rediss://redis:6380/1":  {"rediss://redis:6380/1", " -u rediss://redis:6380/1"},
		"unix:///run/redis.sock": {"unix:///run/redis.sock", " -s /run/redis.sock"},
	} {
		if got := redisURL(addr); got != want.url {
			t.Errorf("redisURL(%q) = %q, want %q", addr, got, want.url)
		}
		if got := cliFlags(addr); got != want.flags {
			t.Errorf("cliFlags(%q) = %q, want %q", addr, got, want.flags)
		}
	}
}
