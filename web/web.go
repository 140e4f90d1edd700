// Package web holds the pages that the gateway serves, as Vite has built them from
// web/apps. What is in dist is committed, so that the gateway can be built without
// Node; scripts/web.sh checks that it is what the sources make.
package web

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed dist
var dist embed.FS

// policy lets a page load what it came with, talk to its own gateway, and nothing
// else. Element Plus places its pop-ups with inline styles.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Demo serves the demo page under /, for development. Its handler does not block:
// all it serves is in memory. It may be called from any goroutine.
func Demo() http.Handler { return pages("demo") }

// Console serves the operators' console under /console/, on the internal listener.
// It may be called from any goroutine.
func Console() http.Handler { return http.StripPrefix("/console", pages("console")) }

// pages serves one application of dist.
func pages(name string) http.Handler {
	files, err := fs.Sub(dist, "dist/"+name)
	if err != nil {
		panic(err) // the name is one of ours
	}
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if strings.Contains(r.URL.Path, "/assets/") {
			h.Set("Cache-Control", "public, max-age=31536000, immutable") // their names say what is in them
		} else {
			h.Set("Cache-Control", "no-cache")
		}
		server.ServeHTTP(w, r)
	})
}
