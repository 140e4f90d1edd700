package bench

import (
	"strings"
	"testing"
	"time"
)

func TestScenario_Validate(t *testing.T) {
	good := Parameters{Connections: 100, Rooms: 1, Rate: 5, Burst: 1, Size: 133, Duration: time.Second}
	with := func(edit func(*Parameters)) Parameters {
		p := good
		edit(&p)
		return p
	}
	for name, tt := range map[string]struct {
		scenario Scenario
		want     string // part of the error; empty: none
	}{
		"connect":                   {Connect{good}, ""},
		"no connections":            {Connect{with(func(p *Parameters) { p.Connections = 0 })}, "connections: 0"},
		"too many connections":      {Connect{with(func(p *Parameters) { p.Connections = 3_000_000 })}, "connections: 3000000"},
		"more rooms than users":     {Idle{with(func(p *Parameters) { p.Rooms = 101 })}, "rooms: 101"},
		"a negative rest":           {Idle{with(func(p *Parameters) { p.Settle = -1 })}, "settle"},
		"fanout":                    {Fanout{good}, ""},
		"fanout without a rate":     {Fanout{with(func(p *Parameters) { p.Rate = 0 })}, "rate: 0"},
		"fanout at a negative rate": {Fanout{with(func(p *Parameters) { p.Rate = -1 })}, "rate: -1"},
		"fanout for no time":        {Fanout{with(func(p *Parameters) { p.Duration = 0 })}, "duration"},
		"fanout for days":           {Fanout{with(func(p *Parameters) { p.Duration = 48 * time.Hour })}, "duration: 48h"},
		"fanout of nothing":         {Fanout{with(func(p *Parameters) { p.Burst = 0 })}, "burst: 0"},
		"huge messages":             {Fanout{with(func(p *Parameters) { p.Size = 1 << 20 })}, "size: 1048576"},
		"uneven rooms":              {Fanout{with(func(p *Parameters) { p.Rooms = 7 })}, "evenly"},
		"chat in no room":           {Chat{with(func(p *Parameters) { p.Rooms = 0 })}, "rooms: 0"},
		"more workers than users":   {Connect{with(func(p *Parameters) { p.Workers = 101 })}, "workers: 101"},
		"more nodes than users":     {Connect{with(func(p *Parameters) { p.Nodes = 101 })}, "nodes: 101"},
		"too few nodes":             {Million{with(func(p *Parameters) { p.Connections, p.Nodes = 100_000, 2 })}, "nodes: 2"},
		"million":                   {Million{with(func(p *Parameters) { p.Connections, p.Nodes = 100_000, 6 })}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.scenario.Validate()
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("Validate() = %v, want nil", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Validate() = %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestParseCandidate(t *testing.T) {
	for spec, want := range map[string]string{
		"":                      "without a name",
		"gateway engine":        "not key=value",
		"gateway@/nowhere/at":   "/nowhere/at",
		"no-such-peer":          "bin/peers/no-such-peer",
		"./no-such-program -v":  "./no-such-program",
		"gateway log.level=err": "bin/gateway",
	} {
		if _, err := ParseCandidate(spec, "bin"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseCandidate(%q) = %v, want %q in it", spec, err, want)
		}
	}
}

func TestSuite(t *testing.T) {
	for _, name := range []string{"short", "full"} {
		jobs, err := Suite(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range jobs {
			if err := job.Scenario.Validate(); err != nil {
				t.Errorf("%s: %s: %v", name, job.Scenario.Name(), err)
			}
		}
	}
	if _, err := Suite("long"); err == nil {
		t.Error("there is a suite long")
	}
}
