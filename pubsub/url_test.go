package pubsub

import (
	"slices"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]struct {
		addrs              []string
		user, password     string
		db                 int
		tls, cluster       bool
		master             string
		sentinelUser, sPwd string
		display            string
	}{
		"redis://localhost":        {addrs: []string{"localhost:6379"}, display: "redis://localhost:6379"},
		"redis://localhost/":       {addrs: []string{"localhost:6379"}, display: "redis://localhost:6379"},
		"redis://10.0.0.1:7000/3":  {addrs: []string{"10.0.0.1:7000"}, db: 3, display: "redis://10.0.0.1:7000/3"},
		"redis://[::1]":            {addrs: []string{"[::1]:6379"}, display: "redis://[::1]:6379"},
		"redis://[::1]:7000":       {addrs: []string{"[::1]:7000"}, display: "redis://[::1]:7000"},
		"redis://:hush@h":          {addrs: []string{"h:6379"}, password: "hush", display: "redis://h:6379"},
		"redis://ann:hu%40sh%2F@h": {addrs: []string{"h:6379"}, user: "ann", password: "hu@sh/", display: "redis://h:6379"},
		"redis://ann:hu/sh@x@h":    {addrs: []string{"h:6379"}, user: "ann", password: "hu/sh@x", display: "redis://h:6379"},
		"rediss://h":               {addrs: []string{"h:6379"}, tls: true, display: "rediss://h:6379"},
		"unix:///run/redis.sock":   {addrs: []string{"/run/redis.sock"}, display: "unix:///run/redis.sock"},
		"unix://a:b@/r.sock?db=2":  {addrs: []string{"/r.sock"}, user: "a", password: "b", db: 2, display: "unix:///r.sock/2"},
		"redis+cluster://a,b:7000": {addrs: []string{"a:6379", "b:7000"}, cluster: true, display: "redis+cluster://a:6379,b:7000"},
		"rediss+cluster://u:p@a":   {addrs: []string{"a:6379"}, user: "u", password: "p", cluster: true, tls: true, display: "rediss+cluster://a:6379"},
		"redis+sentinel://a/m":     {addrs: []string{"a:26379"}, master: "m", display: "redis+sentinel://a:26379/m"},
		"redis+sentinel://:p@a,b/m/1?sentinel_username=s&sentinel_password=q": {
			addrs: []string{"a:26379", "b:26379"}, password: "p", master: "m", db: 1, sentinelUser: "s", sPwd: "q",
			display: "redis+sentinel://a:26379,b:26379/m/1",
		},
		"rediss+sentinel://a:1/m": {addrs: []string{"a:1"}, master: "m", tls: true, display: "rediss+sentinel://a:1/m"},
	} {
		t.Run(raw, func(t *testing.T) {
			got, err := parseURL(raw)
			if err != nil {
				t.Fatal(err)
			}
			o := got.options
			if got.embedded || !slices.Equal(o.Addrs, want.addrs) || got.display != want.display ||
				o.Username != want.user || o.Password != want.password || o.DB != want.db ||
				(o.TLSConfig != nil) != want.tls || o.IsClusterMode != want.cluster || o.MasterName != want.master ||
				o.SentinelUsername != want.sentinelUser || o.SentinelPassword != want.sPwd {
				t.Errorf("got %+v, displayed as %q, want %+v", o, got.display, want)
			}
		})
	}
}

func TestParseURL_Embedded(t *testing.T) {
	if got, err := parseURL("embedded"); err != nil || !got.embedded {
		t.Errorf(`parseURL("embedded") = %+v, %v`, got, err)
	}
}

// TestParseURL_Errors puts a password into wrong URLs wherever one may stray to.
func TestParseURL_Errors(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                   "no scheme",
		"s3cret":                             "no scheme",
		"localhost:6379":                     "no scheme",
		"http://s3cret@localhost":            "unknown scheme",
		"s3cret://localhost":                 "unknown scheme",
		"redis://":                           "host is missing",
		"redis://:6379":                      "host is missing",
		"redis://u:s3cret@":                  "host is missing",
		"redis://u:s3cret":                   "port is not a number",
		"redis://h:0":                        "port is not a number",
		"redis://h:65536":                    "port is not a number",
		"redis://::1":                        "not host, host:port",
		"redis://u:s3cret%zz@h":              "bad percent-encoding",
		"redis://h/s3cret":                   "database is not a number",
		"redis://h/-1":                       "database is not a number",
		"redis://a,b":                        "more than one host",
		"redis://h?s3cret=s3cret":            "unknown query parameter",
		"redis://h?s3cret=%zz":               "bad encoding",
		"redis://h?sentinel_password=s3cret": "unknown query parameter",
		"redis+cluster://a/1":                "no database numbers",
		"redis+cluster://a,,b":               "host is missing",
		"redis+sentinel://a":                 "master's name is missing",
		"redis+sentinel://a/m/s3cret":        "database is not a number",
		"unix://s3cret":                      "not absolute",
		"unix:///r.sock?db=s3cret":           "database is not a number",
	} {
		t.Run(raw, func(t *testing.T) {
			_, err := parseURL(raw)
			if err == nil {
				t.Fatal("no error")
			}
			text := err.Error()
			if !strings.HasPrefix(text, "redis.url: ") || !strings.Contains(text, want) ||
				!strings.Contains(text, "redis+sentinel://") {
				t.Errorf("error %q, want one that names redis.url, %q and what is allowed", text, want)
			}
			if strings.Contains(text, "s3cret") {
				t.Errorf("error %q shows the password", text)
			}
		})
	}
}
