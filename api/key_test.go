package api

import (
	"fmt"
	"net/http"
	"testing"
)

func from(address, key string) func(*http.Request) {
	return func(r *http.Request) {
		r.RemoteAddr = address
		r.Header.Set(KeyHeader, key)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edit   func(*Config)
		key    string
		status int
	}{
		"one":                 {nil, testKey, 200},
		"another":             {nil, "another-key-that-is-good-too", 200},
		"none":                {nil, "", 401},
		"wrong":               {nil, testKey + "x", 401},
		"part of one":         {nil, testKey[:10], 401},
		"no keys":             {func(c *Config) { c.Keys = nil }, testKey, 403},
		"no keys, open":       {func(c *Config) { c.Keys, c.Open = nil, true }, "", 200},
		"open, but with keys": {func(c *Config) { c.Open = true }, "", 401},
	} {
		s, _ := newServer(tt.edit)
		for _, call := range []string{"GET /api/v1/stats", "GET /api/v1/nothing"} {
			got := ask(s, call, "", from("10.0.0.1:1", tt.key))
			if want := tt.status; got.status != want && !(want == 200 && got.status == 404) {
				t.Errorf("%s: %s is %d %s, want %d", name, call, got.status, got.body, want)
			}
		}
	}
}

// Who tries keys is not heard any more, not even with the right one; others are.
func TestKeys_WrongOnesAreBounded(t *testing.T) {
	t.Parallel()
	s, _ := newServer(nil)
	for i := range wrongBurst {
		ask(s, "GET /api/v1/stats", "", from("10.0.0.1:1", fmt.Sprint("guess", i))).wantError(t, 401, KeyHeader)
	}
	got := ask(s, "GET /api/v1/stats", "", from("10.0.0.1:2", testKey))
	got.wantError(t, 429, "wrong keys")
	if got.header.Get("Retry-After") == "" {
		t.Error("it is not said when to try again")
	}
	if got := ask(s, "GET /api/v1/stats", "", from("10.0.0.2:1", testKey)); got.status != 200 {
		t.Errorf("another address gets %d %s", got.status, got.body)
	}
}

func TestKeys_RememberFewAddresses(t *testing.T) {
	t.Parallel()
	k := newKeyring([]string{testKey})
	for i := range 3 * maxWrong {
		k.blame(fmt.Sprint("address", i))
	}
	if n := len(k.wrong); n > maxWrong {
		t.Errorf("%d addresses are remembered, want at most %d", n, maxWrong)
	}
}

// A page that a visitor of this machine looks at cannot make calls here.
func TestServer_RefusesOtherSites(t *testing.T) {
	t.Parallel()
	s, g := newServer(func(c *Config) { c.Keys, c.Open = nil, true })
	ask(s, "POST /api/v1/drain", "", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }).wantError(t, 403, "other sites")
	ask(s, "POST /api/v1/drain", "", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }).wantError(t, 403, "other sites")
	if len(g.did) > 0 {
		t.Errorf("the gateway was asked to %q", g.did)
	}
}
