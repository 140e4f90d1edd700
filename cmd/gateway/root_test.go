package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// result is what a command line came to.
type result struct {
	out, errOut string
	err         error
}

// command runs a command line of one-shot commands, such as check.
func command(t *testing.T, environ []string, in string, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	p := process{environ: environ, in: strings.NewReader(in), out: &out, errOut: &errOut}
	err := run(t.Context(), args, p)
	return result{out.String(), errOut.String(), err}
}

func TestRun_HelpNamesEveryCommand(t *testing.T) {
	r := command(t, nil, "", "--help")
	if r.err != nil {
		t.Fatal(r.err)
	}
	for _, name := range []string{"serve", "token", "publish", "check", "version", "--config", "--set key=value"} {
		if !strings.Contains(r.out, name) {
			t.Errorf("the help lacks %q:\n%s", name, r.out)
		}
	}
}

func TestRun_EveryCommandHasHelpWithExamples(t *testing.T) {
	for _, name := range []string{"serve", "token", "publish", "check"} {
		r := command(t, nil, "", name, "--help")
		if r.err != nil || !strings.Contains(r.out, "Examples:\n  gateway "+name) {
			t.Errorf("%s --help = %v:\n%s", name, r.err, r.out)
		}
	}
}

func TestRun_RefusesWhatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{
		{"server"},
		{"serve", "now"},
		{"serve", "--prot", "1"},
		{"check", "--set", "log.level"},
		{"publish", "broadcast"},
		{"token"},
	} {
		if r := command(t, nil, "", args...); r.err == nil {
			t.Errorf("gateway %s did not fail", strings.Join(args, " "))
		}
	}
}

// TestServe_StartsNothingWithABadConfiguration would hang if it did, or end
// without an error.
func TestServe_StartsNothingWithABadConfiguration(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, args := range map[string][]string{
		"invalid":    {"serve", "--development", "--listen", "nowhere"},
		"unknown":    {"serve", "--development", "--set", "listn=:1"},
		"no secret":  {"serve"},
		"no file":    {"serve", "--development", "--config", "testdata/none.yaml"},
		"wrong type": {"serve", "--development=maybe"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			err := run(ctx, args, process{in: strings.NewReader(""), out: &out, errOut: &errOut})
			if err == nil || out.Len() > 0 {
				t.Errorf("gateway %s = %v, and prints %q", strings.Join(args, " "), err, out.String())
			}
		})
	}
}

func TestVersion(t *testing.T) {
	r := command(t, nil, "", "version")
	if r.err != nil || !strings.HasPrefix(r.out, "gateway ") || strings.Count(r.out, "\n") != 1 {
		t.Errorf("version = %q, %v, want one line that begins with the name", r.out, r.err)
	}
}
