package engine

import (
	"net/http"
	"testing"
)

func TestOrigin_Allowed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		origins []string
		origin  string
		want    bool
	}{
		// By default the page must come from the host that it connects to.
		{nil, "", true},
		{nil, "https://gateway.test", true},
		{nil, "http://GATEWAY.test", true},
		{nil, "https://gateway.test:8443", false},
		{nil, "https://evil.test", false},
		{nil, "https://gateway.test.evil.test", false},
		{nil, "https://gateway.test@evil.test", false},
		{nil, "null", false},
		{nil, "gateway.test", false},
		{nil, "https://%zz", false},

		{[]string{"*"}, "https://anything.test", true},
		{[]string{"*"}, "null", true},
		{[]string{"https://a.test", "*"}, "null", true},

		{[]string{"https://a.test"}, "https://a.test", true},
		{[]string{"https://a.test"}, "HTTPS://A.TEST", true},
		{[]string{"https://a.test"}, "http://a.test", false},
		{[]string{"https://a.test"}, "https://a.test:8443", false},
		{[]string{"https://a.test"}, "https://b.a.test", false},
		{[]string{"https://a.test"}, "https://gateway.test", false},
		{[]string{"https://a.test:8443"}, "https://a.test:8443", true},
		{[]string{"https://a.test", "http://b.test"}, "http://b.test", true},
		{[]string{"https://a.test"}, "", true},
		{[]string{"https://a.test"}, "null", false},

		{[]string{"https://*.a.test"}, "https://x.a.test", true},
		{[]string{"https://*.a.test"}, "https://x.y.A.test", true},
		{[]string{"https://*.a.test"}, "https://a.test", false},
		{[]string{"https://*.a.test"}, "https://.a.test", false},
		{[]string{"https://*.a.test"}, "https://xa.test", false},
		{[]string{"https://*.a.test"}, "https://x.a.test.evil.test", false},
		{[]string{"https://*.a.test"}, "http://x.a.test", false},
	} {
		e := &Engine{cfg: Config{Origins: tt.origins}}
		r := &http.Request{Host: "gateway.test", Header: http.Header{}}
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		if got := e.originAllowed(r); got != tt.want {
			t.Errorf("origins %q: originAllowed(%q) = %v, want %v", tt.origins, tt.origin, got, tt.want)
		}
	}
}

func TestOrigin_PatternsThatCanNeverMatchAreRefused(t *testing.T) {
	t.Parallel()
	for pattern, ok := range map[string]bool{
		"*": true, "https://a.test": true, "http://localhost:3000": true, "https://*.a.test": true,
		"": false, "a.test": false, "https://": false, "https://a.test/": false, "https://a.test/page": false,
		"https://*": false, "https://a.*": false, "https://*.*.test": false, "https://x*.a.test": false,
		"https://a.test?x=1": false, "https://user@a.test": false, "https://a.test#f": false, "://a.test": false,
	} {
		cfg := DefaultConfig()
		cfg.Origins = []string{"https://fine.test", pattern}
		if err := cfg.Validate(); (err == nil) != ok {
			t.Errorf("Validate with origin %q = %v, want valid %v", pattern, err, ok)
		}
	}
}
