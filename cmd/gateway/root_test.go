package main

import (
	"bytes"
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
	for _, name := range []string{"token", "check", "version", "--config", "--set key=value"} {
		if !strings.Contains(r.out, name) {
			t.Errorf("the help lacks %q:\n%s", name, r.out)
		}
	}
}

func TestRun_EveryCommandHasHelpWithExamples(t *testing.T) {
	for _, name := range []string{"token", "check"} {
		r := command(t, nil, "", name, "--help")
		if r.err != nil || !strings.Contains(r.out, "Examples:\n  gateway "+name) {
			t.Errorf("%s --help = %v:\n%s", name, r.err, r.out)
		}
	}
}

func TestRun_RefusesWhatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{
		{"server"},
		{"check", "--prot", "1"},
		{"check", "--set", "log.level"},
		{"token"},
	} {
		if r := command(t, nil, "", args...); r.err == nil {
			t.Errorf("gateway %s did not fail", strings.Join(args, " "))
		}
	}
}

func TestVersion(t *testing.T) {
	r := command(t, nil, "", "version")
	if r.err != nil || !strings.HasPrefix(r.out, "gateway ") || strings.Count(r.out, "\n") != 1 {
		t.Errorf("version = %q, %v, want one line that begins with the name", r.out, r.err)
	}
}
