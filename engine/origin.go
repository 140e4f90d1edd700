package engine

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// checkOriginPattern refuses a configured origin that could never match.
func checkOriginPattern(p string) error {
	if p == "*" {
		return nil
	}
	u, err := url.Parse(p)
	if err != nil || u.Scheme == "" || u.Host == "" || !strings.EqualFold(p, u.Scheme+"://"+u.Host) ||
		strings.Contains(strings.TrimPrefix(u.Host, "*."), "*") {
		return fmt.Errorf("engine: origins has %q: allowed are \"*\", \"https://example.com\" and \"https://*.example.com\"", p)
	}
	return nil
}

// originAllowed applies Config.Origins (RFC 6455 §10.2).
func (e *Engine) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return slices.Contains(e.cfg.Origins, "*") // such as "null" of a sandboxed page
	}
	if len(e.cfg.Origins) == 0 {
		return strings.EqualFold(u.Host, r.Host)
	}
	for _, p := range e.cfg.Origins {
		if matchOrigin(p, u) {
			return true
		}
	}
	return false
}

func matchOrigin(pattern string, origin *url.URL) bool {
	if pattern == "*" {
		return true
	}
	scheme, host, _ := strings.Cut(pattern, "://")
	if !strings.EqualFold(scheme, origin.Scheme) {
		return false
	}
	if suffix, ok := strings.CutPrefix(host, "*"); ok {
		return len(origin.Host) > len(suffix) &&
			strings.EqualFold(origin.Host[len(origin.Host)-len(suffix):], suffix)
	}
	return strings.EqualFold(host, origin.Host)
}
