package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ginforge/gateway/"

// arrows are the packages of this module that each may import, outside its
// tests: to the right and downwards in the picture of ARCHITECTURE.md. A new
// package needs a line here.
var arrows = map[string][]string{
	"cmd/gateway":         {"session", "session/admission", "session/auth", "room", "engine", "message", "pubsub", "pubsub/stream", "pubsub/nodes", "pubsub/presence", "pubsub/revoked", "cluster", "cluster/trace", "api", "pubsub/sequencer", "pubsub/intake", "web"},
	"api":                 {"cluster", "pubsub/nodes", "session/auth", "message"},
	"cluster":             {"pubsub/nodes"},
	"cluster/trace":       {},
	"web":                 {},
	"pubsub/presence":     {},
	"session":             {"session/admission", "session/auth", "room", "engine", "message"},
	"session/admission":   {},
	"session/auth":        {"message"},
	"room":                {"engine"},
	"engine":              {},
	"message":             {},
	"pubsub":              {"pubsub/stream"},
	"pubsub/stream":       {},
	"pubsub/intake":       {"pubsub/lease", "pubsub/stream"},
	"pubsub/sequencer":    {"pubsub/lease", "pubsub/stream"},
	"pubsub/lease":        {},
	"pubsub/revoked":      {},
	"pubsub/notification": {"message"},
	"pubsub/redistest":    {},
	"pubsub/nodes":        {},
	"cmd/adminapi":        {"pubsub/notification"},
}

// isBench reports whether a package is a load scenario or its command, which may
// import one another and the gateway's packages; nothing of the gateway imports
// them, since arrows has none.
func isBench(pkg string) bool {
	return pkg == "bench" || strings.HasPrefix(pkg, "bench/") || pkg == "cmd/wsbench"
}

// homes are the only packages that may import a library, besides bench.
var homes = map[string][]string{
	"github.com/lesismal/nbio":                  {"engine"},
	"github.com/redis/go-redis":                 {"pubsub", "pubsub/notification", "pubsub/intake", "pubsub/lease", "pubsub/nodes", "pubsub/presence", "pubsub/revoked", "pubsub/stream", "pubsub/sequencer", "cmd/adminapi"}, // adminapi stands for a backend
	"github.com/alicebob/miniredis":             {"pubsub"},
	"github.com/golang-jwt/jwt":                 {"session/auth"},
	"golang.org/x/time/rate":                    {"session/admission", "api"},
	"github.com/bytedance/sonic":                {"message"},
	"github.com/prometheus":                     {"cmd/gateway"},
	"github.com/knadh/koanf":                    {"cmd/gateway"},
	"github.com/spf13/cobra":                    {"cmd/gateway"},
	"github.com/coder/websocket":                {}, // in tests alone, as all below
	"github.com/gorilla/websocket":              {},
	"go.uber.org/goleak":                        {},
	"testing":                                   {"pubsub/redistest"},
	module + "pubsub/redistest":                 {},
	"github.com/lesismal/nbio/nbhttp/websocket": {}, // not strict enough: engine reads frames itself
}

// listedPackage is what `go list` says of a package.
type listedPackage struct {
	ImportPath string
	Name       string
	Doc        string
	Imports    []string // of its files that are no tests
}

// short is the path within the module.
func (p listedPackage) short() string { return strings.TrimPrefix(p.ImportPath, module) }

func listPackages(t *testing.T) (packages []listedPackage) {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Doc,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < len(arrows) {
		t.Fatalf("go list knows %d packages, want at least the %d of the gateway", len(packages), len(arrows))
	}
	return packages
}

func TestImports_RunDownwards(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		allowed, known := arrows[p.short()]
		if !known && !isBench(p.short()) {
			t.Errorf("%s has no line in arrows: what may it import?", p.short())
			continue
		}
		for _, path := range p.Imports {
			if to, ours := strings.CutPrefix(path, module); ours && !isBench(p.short()) && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s, may import %q", p.short(), to, allowed)
			}
		}
	}
}

func TestImports_LibrariesStayAtHome(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		for _, path := range p.Imports {
			for library, home := range homes {
				inside := path == library || strings.HasPrefix(path, library+"/")
				if inside && !isBench(p.short()) && !slices.Contains(home, p.short()) {
					t.Errorf("%s imports %s, which only %q may", p.short(), path, home)
				}
			}
		}
	}
}

// TestPackages_SayWhatTheyAre wants a comment of each package that begins as Go's
// conventions have it.
func TestPackages_SayWhatTheyAre(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command " + p.short()[strings.LastIndexByte(p.short(), '/')+1:] + " "
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: the package comment begins %.40q, want %q", p.short(), p.Doc, want)
		}
	}
}
