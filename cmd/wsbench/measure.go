package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ginforge/gateway/bench"
)

// measurement is what to measure and where to put the result: the flags that are
// not a scenario's own.
type measurement struct {
	targets []string
	bin     string // directory of binaries
	url     string // of a server that runs already
	pid     int
	redis   string
	secret  string
	rounds  int
	limit   time.Duration
	results string
	name    string
	log     string
}

func newMeasurement() *measurement { return &measurement{} }

func (m *measurement) flags(f *pflag.FlagSet) {
	f.StringArrayVar(&m.targets, "target", nil, "a `server` to measure (repeatable): gateway, \"gateway key=value\", gateway@BINARY,\n"+
		"the name of a peer in bin/peers with its flags, such as \"floor --threads 2\", or a program that keeps to their contract (default: gateway, in a suite what belongs to it)")
	f.StringVar(&m.bin, "bin", defaultBin(), "`directory` of the gateway's binary and of peers")
	f.StringVar(&m.url, "url", "", "measure the server at this `host:port` instead, which somebody else has started")
	f.IntVar(&m.pid, "pid", 0, "its process, for CPU and memory")
	f.StringVar(&m.redis, "redis", "", "`host:port` of the Redis that the servers use (default: one is started)")
	f.StringVar(&m.secret, "secret", bench.Secret, "signs the users' tokens (with --url: the server's)")
	f.IntVar(&m.rounds, "rounds", 1, "measure each target so often, in turns")
	f.DurationVar(&m.limit, "limit", 30*time.Minute, "stop after this time whatever happens")
	f.StringVar(&m.results, "results", "", "write DATE-NAME.json and .html to this `directory` (default: nowhere)")
	f.StringVar(&m.name, "name", "", "NAME in the file's name (default: the scenario's)")
	f.StringVar(&m.log, "log", "", "append what the servers log to this `file` (default: it is dropped)")
}

// defaultBin is the directory of this program, where make build puts the gateway
// too.
func defaultBin() string {
	self, err := os.Executable()
	if err != nil {
		return "bin"
	}
	return filepath.Dir(self)
}

// job is a scenario and what it measures.
type job struct {
	scenario   bench.Scenario
	candidates []bench.Candidate
}

// jobs finds the targets of jobs: those that --url or --target name, else those
// that the jobs themselves are for.
func (m *measurement) jobs(wanted []bench.Job) ([]job, error) {
	jobs := make([]job, len(wanted))
	for i, w := range wanted {
		if err := w.Scenario.Validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", w.Scenario.Name(), err)
		}
		candidates, err := m.candidates(w.Targets)
		if err != nil {
			return nil, err
		}
		jobs[i] = job{w.Scenario, candidates}
	}
	return jobs, nil
}

func (m *measurement) candidates(targets []string) ([]bench.Candidate, error) {
	if m.url != "" {
		server, err := netip.ParseAddrPort(m.url)
		if err != nil || !server.Addr().Is4() {
			return nil, fmt.Errorf("--url %q: want an IPv4 address and a port, such as 127.0.0.1:8087", m.url)
		}
		if m.redis == "" {
			return nil, errors.New("--url needs --redis, the Redis that the server uses")
		}
		return []bench.Candidate{bench.OutsideCandidate(bench.Outside{Server: server, Process: m.pid})}, nil
	}
	if m.secret != bench.Secret {
		return nil, errors.New("--secret is for --url: servers that wsbench starts get its own")
	}
	if len(m.targets) > 0 {
		targets = m.targets
	}
	candidates := make([]bench.Candidate, len(targets))
	for i, t := range targets {
		var err error
		if candidates[i], err = bench.ParseCandidate(t, m.bin); err != nil {
			return nil, err
		}
	}
	return candidates, nil
}

// run carries out jobs and shows the results under a name.
func (m *measurement) run(cmd *cobra.Command, name string, wanted []bench.Job) error {
	jobs, err := m.jobs(wanted)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), m.limit)
	defer cancel()
	runner, end, err := m.runner(ctx, cmd)
	if err != nil {
		return err
	}
	defer end()
	if m.name != "" {
		name = m.name
	}
	doc := &bench.Document{
		Schema: bench.Schema, Name: name, Started: time.Now(), Command: commandLine(os.Args[1:]), Machine: bench.ThisMachine(),
	}
	err = m.measure(ctx, runner, doc, jobs)
	return errors.Join(err, m.show(cmd, doc))
}

// commandLine is what to type to do the same again, but for where the results and
// the log go.
func commandLine(args []string) string {
	words := []string{"wsbench"}
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--results" || a == "--log":
			i++ // and its value
			continue
		case strings.HasPrefix(a, "--results=") || strings.HasPrefix(a, "--log="):
			continue
		case strings.ContainsAny(a, " \t\"'"):
			a = strconv.Quote(a)
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

// measure fills the document. A target that fails does not keep the others from
// being measured.
func (m *measurement) measure(ctx context.Context, r *bench.Runner, doc *bench.Document, jobs []job) error {
	var errs []error
	for _, j := range jobs {
		for round := range m.rounds {
			for _, c := range j.candidates {
				result, err := r.Measure(ctx, j.scenario, c, round+1)
				doc.Results = append(doc.Results, result)
				if err != nil {
					errs = append(errs, fmt.Errorf("%s, %s: %w", j.scenario.Name(), c.Name, err))
					result.Notes = append(result.Notes, err.Error())
				}
				if ctx.Err() != nil {
					return errors.Join(errs...)
				}
			}
		}
	}
	return errors.Join(errs...)
}

// runner starts what all measurements share; end ends it.
func (m *measurement) runner(ctx context.Context, cmd *cobra.Command) (r *bench.Runner, end func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program to start workers: %w", err)
	}
	r = &bench.Runner{
		Redis: m.redis, Secret: m.secret, Spawn: bench.SpawnCommand(self, "worker"), Report: newReporter(cmd.ErrOrStderr()),
	}
	end = func() {}
	if m.log != "" {
		f, err := os.OpenFile(m.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return nil, nil, fmt.Errorf("--log: %w", err)
		}
		r.Log, end = f, func() { _ = f.Close() }
	}
	if m.redis == "" {
		server, err := bench.StartRedis(ctx)
		if err != nil {
			end()
			return nil, nil, err
		}
		closeLog := end
		r.Redis, r.RedisPID, end = server.Addr, server.PID(), func() { server.Stop(); closeLog() }
	}
	return r, end, nil
}

// show prints the table and saves the document.
func (m *measurement) show(cmd *cobra.Command, doc *bench.Document) error {
	if err := showDocument(cmd.OutOrStdout(), doc); err != nil {
		return err
	}
	if m.results == "" {
		return nil
	}
	data, err := doc.Save(m.results)
	if err != nil {
		return err
	}
	page, err := doc.SavePage(m.results)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "\nwritten to %s and %s\n", data, page)
	return nil
}

// showDocument prints the machine and the tables.
func showDocument(w io.Writer, doc *bench.Document) error {
	fmt.Fprintf(w, "\n%s\n", doc.Machine)
	return bench.WriteTable(w, doc.Results)
}
