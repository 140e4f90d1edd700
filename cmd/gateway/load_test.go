package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLoad_LaterSourcesOverrideEarlierOnes(t *testing.T) {
	file := writeFile(t, `
listen: ":1"
admin_listen: ":1"
node: file
log: {level: warn}
`)
	cfg, _, err := sources{
		file:    file,
		environ: []string{"GATEWAY_ADMIN_LISTEN=:2", "GATEWAY_NODE=environment", "HOME=/root"},
		flags: []setting{
			{"--set", "node", "first flag"},
			{"--set", "node", "last flag"},
		},
	}.load()
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.Listen, want.AdminListen, want.Node, want.Log.Level = ":1", ":2", "last flag", "warn"
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("load() = %+v, want %+v", cfg, want)
	}
}

// TestLoad_EveryTypeFromEverySource sets a key of each type in all three ways.
func TestLoad_EveryTypeFromEverySource(t *testing.T) {
	want := DefaultConfig()
	want.Development = true
	want.Node = "12"
	want.Limits.FramesBurst = 7
	want.Presence.Grace = 90 * time.Second
	want.JWT.Algorithms = []string{"RS256", "ES256"}
	want.Engine.Compression.Enabled = true
	kept := HistoryConfig{TTL: defaultHistoryTTL}
	fades := DeliveryRuleConfig{MaxAge: defaultMaxAge}
	want.Namespaces["chat"] = NamespaceConfig{Presence: true, Join: allowAny, Publish: allowCaps, MessageBytes: 512, History: kept, Delivery: fades}

	for name, src := range map[string]sources{
		"file": {file: writeFile(t, `
development: true
node: "12"
limits: {frames_burst: 7}
presence: {grace: 1m30s}
jwt: {algorithms: [RS256, ES256]}
engine: {compression: {enabled: true}}
namespaces: {chat: {presence: true, publish: caps, message_bytes: 512}}
`)},
		"environment": {environ: []string{
			"GATEWAY_DEVELOPMENT=1",
			"GATEWAY_NODE=12",
			"GATEWAY_LIMITS_FRAMES_BURST=7",
			"GATEWAY_PRESENCE_GRACE=1m30s",
			"GATEWAY_JWT_ALGORITHMS=RS256, ES256",
			"GATEWAY_ENGINE_COMPRESSION_ENABLED=true",
			"GATEWAY_NAMESPACES_CHAT_PRESENCE=true",
			"GATEWAY_NAMESPACES_CHAT_PUBLISH=caps",
			"GATEWAY_NAMESPACES_CHAT_MESSAGE_BYTES=512",
		}},
		"flags": {flags: []setting{
			{"--development", "development", "true"},
			{"--set", "node", "12"},
			{"--set", "limits.frames_burst", "7"},
			{"--set", "presence.grace", "1m30s"},
			{"--set", "jwt.algorithms", "RS256,ES256"},
			{"--set", "engine.compression.enabled", "true"},
			{"--set", "namespaces.chat.presence", "true"},
			{"--set", "namespaces.chat.publish", "caps"},
			{"--set", "namespaces.chat.message_bytes", "512"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, ignored, err := src.load()
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(cfg, want) {
				t.Errorf("load() = %+v, want %+v", cfg, want)
			}
			if len(ignored) > 0 {
				t.Errorf("load() ignored %v", ignored)
			}
		})
	}
}

func TestLoad_EmptyListReplacesTheDefault(t *testing.T) {
	cfg, _, err := sources{environ: []string{"GATEWAY_JWT_ALGORITHMS="}}.load()
	if err != nil || len(cfg.JWT.Algorithms) != 0 {
		t.Errorf("load() = %v, %v, want no algorithms", cfg.JWT.Algorithms, err)
	}
}

// TestLoad_NamespacesAreMerged also has names that a cut at dots would spoil.
func TestLoad_NamespacesAreMerged(t *testing.T) {
	cfg, _, err := sources{
		file: writeFile(t, `
namespaces:
  chat: {presence: true, join: caps}
  app.v1: {join: none}
  bare:
`),
		environ: []string{"GATEWAY_NAMESPACES_CHAT_JOIN=any"},
		flags:   []setting{{"--set", "namespaces.app.v1.publish", "none"}},
	}.load()
	if err != nil {
		t.Fatal(err)
	}
	kept := HistoryConfig{TTL: defaultHistoryTTL}
	fades := DeliveryRuleConfig{MaxAge: defaultMaxAge}
	want := map[string]NamespaceConfig{
		"default": {Join: allowAny, Publish: allowAny, History: kept, Delivery: fades},
		"chat":    {Presence: true, Join: allowAny, Publish: allowAny, History: kept, Delivery: fades},
		"app.v1":  {Join: allowNone, Publish: allowNone, History: kept, Delivery: fades},
		"bare":    {Join: allowAny, Publish: allowAny, History: kept, Delivery: fades},
	}
	if !reflect.DeepEqual(cfg.Namespaces, want) {
		t.Errorf("namespaces = %+v, want %+v", cfg.Namespaces, want)
	}
}

func TestLoad_EmptySectionsSetNothing(t *testing.T) {
	cfg, _, err := sources{file: writeFile(t, "engine:\nnamespaces:\n")}.load()
	if err != nil || !reflect.DeepEqual(cfg, DefaultConfig()) {
		t.Errorf("load() = %+v, %v, want the defaults", cfg, err)
	}
}

func TestLoad_ReportsVariablesThatMatchNoKey(t *testing.T) {
	_, ignored, err := sources{environ: []string{
		"GATEWAY_SERVICE_HOST=10.0.0.1", "GATEWAY_PORT=tcp://10.0.0.1:8087", "GATEWAYS=2",
		"GATEWAY_NAMESPACES__JOIN=any", "GATEWAY_LISTEN=:1",
	}}.load()
	want := []string{"GATEWAY_NAMESPACES__JOIN", "GATEWAY_PORT", "GATEWAY_SERVICE_HOST"}
	if err != nil || !slices.Equal(ignored, want) {
		t.Errorf("load() ignored %v, %v, want %v", ignored, err, want)
	}
}

func TestLoad_FileFromTheEnvironment(t *testing.T) {
	variable := configVariable + "=" + writeFile(t, "node: named by the environment")
	cfg, ignored, err := sources{environ: []string{variable}}.load()
	if err != nil || cfg.Node != "named by the environment" || len(ignored) > 0 {
		t.Errorf("load() = node %q, ignored %v, %v", cfg.Node, ignored, err)
	}
	cfg, _, err = sources{environ: []string{variable}, file: writeFile(t, "node: named by a flag")}.load()
	if err != nil || cfg.Node != "named by a flag" {
		t.Errorf("load() with a file = node %q, %v", cfg.Node, err)
	}
}

// TestLoad_SaysWhereAMistakeIs has the mistakes of the sources that are no file;
// those of files are in testdata/bad.
func TestLoad_SaysWhereAMistakeIs(t *testing.T) {
	for name, tt := range map[string]struct {
		src  sources
		want string
	}{
		"number": {
			sources{environ: []string{"GATEWAY_LIMITS_MESSAGE_BYTES=64k"}},
			`environment variable GATEWAY_LIMITS_MESSAGE_BYTES: limits.message_bytes must be a whole number, not "64k"`,
		},
		"time without a unit": {
			sources{environ: []string{"GATEWAY_PRESENCE_GRACE=10"}},
			`environment variable GATEWAY_PRESENCE_GRACE: presence.grace must be a time with its unit, such as 10s or 1m30s, not "10"`,
		},
		"bool": {
			sources{flags: []setting{{"--development", "development", "maybe"}}},
			`--development: development must be true or false, not "maybe"`,
		},
		"unknown key": {
			sources{flags: []setting{{"--set", "log.colour", "red"}}},
			`--set: unknown key log.colour; log has level, format`,
		},
		"section": {
			sources{flags: []setting{{"--set", "log", "debug"}}},
			`--set: unknown key log; it is a section with level, format`,
		},
		"no file": {
			sources{file: "testdata/none.yaml"},
			"reading the configuration: open testdata/none.yaml: no such file or directory",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := tt.src.load()
			if err == nil || err.Error() != tt.want {
				t.Errorf("load() = %v, want %s", err, tt.want)
			}
		})
	}
}

// TestBadFiles_PinTheirErrors checks each file of testdata/bad against what is
// said of it in the file of the same name that ends in .txt.
func TestBadFiles_PinTheirErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob(testdata/bad) = %v, %v", files, err)
	}
	for _, file := range files {
		base := strings.TrimSuffix(file, ".yaml")
		t.Run(filepath.Base(base), func(t *testing.T) {
			src := sources{file: file}
			if !strings.HasSuffix(base, "_secret") {
				src.environ = []string{testSecret}
			}
			cfg, _, err := src.load()
			if err == nil {
				err = cfg.Validate()
			}
			if err == nil {
				t.Fatal("the configuration is valid, want errors")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the errors show a secret: %v", err)
			}
			golden(t, base+".txt", err.Error()+"\n")
		})
	}
}

// golden compares got with the file at path, which -update rewrites.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant, from %s:\n%s", got, path, want)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
