package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestCheck_Valid(t *testing.T) {
	r := command(t, []string{testSecret}, "", "check", "--config", "../../configs/gateway.yaml")
	if r.err != nil || r.out != "configuration is valid\n" || r.errOut != "" {
		t.Errorf("check = %+v, want only that it is valid", r)
	}
}

func TestCheck_SaysEverythingThatIsWrong(t *testing.T) {
	r := command(t, []string{testSecret}, "", "check", "--listen", "x", "--set", "limits.json_depth=1", "--log-level", "loud")
	if r.err == nil || r.out != "" {
		t.Fatalf("check = %+v, want an error", r)
	}
	want := `listen must be host:port, such as 127.0.0.1:8087, or :8087 for all interfaces, not "x"
log.level must be one of trace, debug, info, warn, error, not "loud"
limits.json_depth must be a number from 4 to 512 levels of arrays and objects, not 1`
	if r.err.Error() != want {
		t.Errorf("check = %v\nwant %s", r.err, want)
	}
}

func TestCheck_NotesVariablesThatMatchNoKey(t *testing.T) {
	r := command(t, []string{testSecret, "GATEWAY_LISTN=:1"}, "", "check")
	if r.err != nil || r.errOut != "note: no key matches the environment's GATEWAY_LISTN\n" {
		t.Errorf("check = %+v, want a note about GATEWAY_LISTN", r)
	}
}

// TestCheck_PrintsAConfigurationFile reads what --print writes as a file again.
func TestCheck_PrintsAConfigurationFile(t *testing.T) {
	args := []string{"check", "--development", "--set", "namespaces.app.v1.join=caps", "--set", "node=:"}
	r := command(t, nil, "", append(args, "--print")...)
	if r.err != nil {
		t.Fatal(r.err)
	}
	cfg, _, err := sources{file: writeFile(t, r.out)}.load()
	if err != nil {
		t.Fatalf("loading the output: %v\n%s", err, r.out)
	}
	want := DefaultConfig()
	want.Development, want.Node = true, ":"
	want.Namespaces["app.v1"] = NamespaceConfig{Join: allowCaps, Publish: allowAny, History: HistoryConfig{TTL: defaultHistoryTTL}, Delivery: DeliveryRuleConfig{MaxAge: defaultMaxAge}}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("the output reads as %+v, want %+v", cfg, want)
	}
}

func TestCheck_PrintsNoSecrets(t *testing.T) {
	r := command(t, []string{testSecret, "GATEWAY_ADMIN_API_KEYS=key-one-of-two-for-all,key-two-of-two-for-all"}, "", "check", "--print", "--redis-url", "rediss://gateway:hunter2@redis:6379/1")
	if r.err != nil {
		t.Fatal(r.err)
	}
	if strings.Contains(r.out, "a-secret-for-tests") || strings.Contains(r.out, "hunter2") || strings.Contains(r.out, "of-two") {
		t.Errorf("the output has a secret:\n%s", r.out)
	}
	if !strings.Contains(r.out, "url: rediss://gateway:********@redis:6379/1\n") {
		t.Errorf("the output lacks the masked redis.url:\n%s", r.out)
	}
}

// An API key that is too short is refused without being shown.
func TestCheck_ShortAPIKey(t *testing.T) {
	r := command(t, []string{testSecret}, "", "check", "--set", "admin.api_keys=long-enough-for-anybody,tooshort")
	if r.err == nil || !strings.Contains(r.err.Error(), "admin.api_keys must be keys of 16 bytes") || strings.Contains(r.err.Error(), "tooshort") {
		t.Errorf("check = %v, want an error that names the key and not the value", r.err)
	}
}

func TestMaskURL(t *testing.T) {
	for url, want := range map[string]string{
		"embedded":                                    "embedded",
		"redis://redis:6379/0":                        "redis://redis:6379/0",
		"redis://:hunter2@redis":                      "redis://:********@redis",
		"redis://u:hun@ter/2@redis":                   "redis://u:********@redis",
		"unix://u:hunter2@/run/redis.sock?db=1":       "unix://u:********@/run/redis.sock?db=1",
		"redis+sentinel://u:hunter2@h1:1,h2:2/m/0":    "redis+sentinel://u:********@h1:1,h2:2/m/0",
		"redis+sentinel://h/m?sentinel_password=a%20": "redis+sentinel://h/m?sentinel_password=********",
	} {
		if got := maskURL(url); got != want {
			t.Errorf("maskURL(%q) = %q, want %q", url, got, want)
		}
	}
}
