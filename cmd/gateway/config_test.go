package main

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/knadh/koanf/parsers/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// testSecret is a configuration's missing piece: see DefaultConfig.
const testSecret = "GATEWAY_JWT_SECRET=a-secret-for-tests-of-at-least-32-bytes"

func TestDefaultConfig_LacksOnlyTheSecret(t *testing.T) {
	cfg := DefaultConfig()
	if err := cfg.Validate(); err == nil || err.Error() != errNoSecret.Error() {
		t.Errorf("Validate() = %v, want only %v", err, errNoSecret)
	}
	cfg.Development = true
	if err := cfg.Validate(); err != nil {
		t.Errorf("Validate() in development mode = %v, want nil", err)
	}
}

func TestSamples_AreValid(t *testing.T) {
	samples, err := filepath.Glob("../../configs/*.yaml")
	if err != nil || len(samples) < 3 {
		t.Fatalf("Glob(configs) = %v, %v, want three samples or more", samples, err)
	}
	for _, path := range samples {
		t.Run(filepath.Base(path), func(t *testing.T) {
			cfg, _, err := sources{file: path, environ: []string{testSecret}}.load()
			if err != nil {
				t.Fatal(err)
			}
			if err := cfg.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestReferenceSample_HasEveryKeyWithItsDefault keeps configs/gateway.yaml what
// it says it is.
func TestReferenceSample_HasEveryKeyWithItsDefault(t *testing.T) {
	const path = "../../configs/gateway.yaml"
	cfg, _, err := sources{file: path}.load()
	if err != nil {
		t.Fatal(err)
	}
	if want := DefaultConfig(); !reflect.DeepEqual(cfg, want) {
		t.Errorf("loading %s = %+v, want the defaults %+v", path, cfg, want)
	}

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := yaml.Parser().Unmarshal(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if !hasValue(tree, k.path(defaultNamespace)) {
			t.Errorf("%s lacks %s", path, k.name)
		}
	}
}

// TestReferenceSample_CommentsEveryKey asks for a comment above each key or
// for each block of keys that share one.
func TestReferenceSample_CommentsEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../configs/gateway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	above := ""
	for i, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		isKey := trimmed != "" && !strings.HasPrefix(trimmed, "#")
		if isKey && above == "" && !strings.HasSuffix(trimmed, ":") {
			t.Errorf("line %d: %q has nothing above it", i+1, trimmed)
		}
		above = trimmed
	}
}

func TestKeys_HaveDistinctVariables(t *testing.T) {
	seen := map[string]string{}
	for _, k := range keys {
		if other, ok := seen[k.env()]; ok {
			t.Errorf("%s and %s are both set by %s%s", other, k.name, envPrefix, k.env())
		}
		seen[k.env()] = k.name
	}
	for _, name := range []string{"listen", "jwt.secret", "engine.compression.min_bytes", "namespaces.*.join"} {
		if !slices.ContainsFunc(keys, func(k key) bool { return k.name == name }) {
			t.Errorf("keys lacks %s", name)
		}
	}
}

func TestNodeName(t *testing.T) {
	if got := nodeName("n1"); got != "n1" {
		t.Errorf("nodeName(%q) = %q", "n1", got)
	}
	first, second := nodeName(""), nodeName("")
	if first == second {
		t.Errorf("nodeName(%q) = %q twice, want a random suffix", "", first)
	}
}

func hasValue(tree map[string]any, path []string) bool {
	value, ok := tree[path[0]]
	if len(path) == 1 {
		return ok
	}
	below, ok := value.(map[string]any)
	return ok && hasValue(below, path[1:])
}
