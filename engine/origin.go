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

// maxLetIn is how many origins LetIn remembers.
const maxLetIn = 16

// LetIn has pages of an origin connect as if Config.Origins had it, until this
// process ends; of many origins the latest maxLetIn. It reports whether origin is
// one. It may be called from any goroutine.
func (e *Engine) LetIn(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || strings.ContainsRune(u.Host, '*') {
		return false
	}
	pattern := u.Scheme + "://" + u.Host
	for {
		old := e.letIn.Load()
		var list []string
		if old != nil {
			list = *old
		}
		if slices.Contains(list, pattern) {
			return true
		}
		list = append(slices.Clone(list[max(0, len(list)-maxLetIn+1):]), pattern)
		if e.letIn.CompareAndSwap(old, &list) {
			return true
		}
	}
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
	if len(e.cfg.Origins) == 0 && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	matches := func(p string) bool { return matchOrigin(p, u) }
	if more := e.letIn.Load(); more != nil && slices.ContainsFunc(*more, matches) {
		return true
	}
	return slices.ContainsFunc(e.cfg.Origins, matches)
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
