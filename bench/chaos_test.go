package bench

import (
	"os"
	"strings"
	"testing"
)

// A run with faults becomes a table, JSON and a page that tell what was found.
func TestChaos_IsShown(t *testing.T) {
	commands := 120.0
	r := &Result{
		Scenario: "chaos", Target: "standalone", What: "3 nodes", Round: 1,
		Connections: Connections{Joined: 300, Ends: map[string]int{"EOF": 7}},
		Chaos: &Chaos{
			Topology: "standalone", Published: 4321, BySource: map[string]int{"XADD": 1000}, Lost: 17, AtRisk: 3, Unheard: 1, Excused: 0.0875, Takeovers: 77,
			Harness: 0.66, Lag: 0.125,
			Presence: ChaosPresence{Errors: 2, Longest: 1.5, Total: 34.25, Watched: 200, Judged: 124},
			Redis:    ChaosRedis{Peak: 999},
			Faults:   []ChaosFault{{Kind: "herd", What: "herd", At: 3, Seconds: 0.1, Back: 2.5}, {Kind: "node-kill", What: "node-kill: node 1, 2s", At: 9, Back: 1.5, Takeovers: 55}},
			Samples:  []ChaosSample{{Seconds: 1, Ready: 300, Wanted: 300, Deliveries: 50, Commands: &commands}, {Seconds: 2}},
			Events:   []string{"lost: message 1 of room log:1"},
		},
	}
	doc := &Document{Schema: Schema, Name: "chaos", Results: []*Result{r}}
	var b strings.Builder
	if err := WriteTable(&b, doc.Results); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	page, err := doc.SavePage(dir)
	if err != nil {
		t.Fatal(err)
	}
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"the table": b.String(), "the page": string(html)} {
		for _, want := range []string{
			"at risk, server killed: 3 bare PUBLISHes", "at risk, all cut off: 1 bare PUBLISHes", "PUBLISH excused, %", "8.75", "34.25 s", "62", "77", "55", "0.66", "0.12 s",
			"4321", "1000", "17", "999", "2.50 s", "node-kill: node 1, 2s", "1.5 s", "lost: message 1 of room log:1", "EOF",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", where, want, text[:min(len(text), 3000)])
			}
		}
		if strings.Contains(text, "client cores") {
			t.Errorf("%s has figures that a run with faults does not measure", where)
		}
	}
	data, err := doc.Save(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(data)
	if err != nil || again.Results[0].Chaos.Faults[0].Back != 2.5 || *again.Results[0].Chaos.Samples[0].Commands != commands {
		t.Errorf("loaded %+v, %v", again, err)
	}
}
