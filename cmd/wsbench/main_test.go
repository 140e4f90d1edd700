package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// What cannot be measured is said before anything is started.
func TestRun_Refuses(t *testing.T) {
	for name, tt := range map[string]struct {
		args string
		want string
	}{
		"no such scenario":       {"dance", "unknown command"},
		"no connections":         {"connect -n 0", "connections: 0"},
		"no such target":         {"connect --target nowhere", "peers/nowhere"},
		"settings without value": {"connect --target gateway@/bin/true --target gateway", "bin/gateway"},
		"a flag of another":      {"connect --burst 3", "unknown flag"},
		"uneven rooms":           {"rooms -n 100 --rooms 7", "evenly"},
		"url without redis":      {"idle --url 127.0.0.1:8087", "--redis"},
		"url without port":       {"idle --url localhost --redis 127.0.0.1:6379", "--url"},
		"url with IPv6":          {"idle --url [::1]:80 --redis 127.0.0.1:6379", "IPv4"},
		"secret without url":     {"idle --secret s", "--secret"},
		"no such suite":          {"suite long", "invalid argument"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			args := append(strings.Fields(tt.args), "--bin", "/nowhere/bin")
			if tt.args == "dance" {
				args = args[:1]
			}
			err := run(context.Background(), args, strings.NewReader(""), &out, &errOut)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("run(%q) = %v, want %q in it", args, err, tt.want)
			}
		})
	}
}

// Every command explains itself, and names what it measures by default.
func TestRun_Help(t *testing.T) {
	for _, s := range scenarios {
		var out bytes.Buffer
		if err := run(context.Background(), []string{s.name, "--help"}, strings.NewReader(""), &out, &out); err != nil {
			t.Errorf("%s --help: %v", s.name, err)
		}
		for _, want := range []string{s.short, s.example, "--connections", "--target"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s --help lacks %q", s.name, want)
			}
		}
		if err := s.make(s.defaults).Validate(); err != nil {
			t.Errorf("the defaults of %s: %v", s.name, err)
		}
	}
}

// A worker ends with its standard input.
func TestRun_Worker(t *testing.T) {
	var out bytes.Buffer
	err := run(context.Background(), []string{"worker"}, strings.NewReader(""), &out, &out)
	if err == nil || !strings.Contains(out.String(), `"error":`) {
		t.Errorf("worker without orders = %v, told %q; want an error, told on its output", err, &out)
	}
}

func TestCommandLine(t *testing.T) {
	got := commandLine([]string{"fanout", "--results", "here", "--target", "floor --threads 2", "--log=there", "-n", "100"})
	if want := `wsbench fanout --target "floor --threads 2" -n 100`; got != want {
		t.Errorf("commandLine = %s, want %s", got, want)
	}
}

// Without a terminal progress is lines that a log can hold.
func TestReporter_Lines(t *testing.T) {
	var b bytes.Buffer
	r := newReporter(&b)
	r.Say("fanout, %s", "gateway")
	r.Begin("connections", 100)
	r.Set(50)
	r.Set(100)
	r.End()
	want := "fanout, gateway\n  connections: 100 of 100 after 0.0s\n"
	if b.String() != want {
		t.Errorf("showed %q, want %q", &b, want)
	}
}
