package bench

import (
	"os"
	"strings"
	"testing"
	"time"
)

// The page is one file that asks nobody for anything, and shows what the table
// shows; the JSON holds the whole document.
func TestDocument_Save(t *testing.T) {
	floor, gateway := result("floor", 1, 8, 2000), result("gateway <b>", 1, 10, 0)
	floor.Delivery.Latency.Curve = []Point{{Fraction: 0.5, Micros: 1000}, {Fraction: 1, Micros: 2000}}
	doc := &Document{
		Schema: Schema, Name: "trial", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Command: "wsbench fanout",
		Machine: ThisMachine(), Results: []*Result{floor, gateway},
	}
	dir := t.TempDir()
	data, err := doc.Save(dir)
	if err != nil || !strings.HasSuffix(data, "/2026-01-02-trial.json") {
		t.Fatalf("Save() = %q, %v", data, err)
	}
	back, err := Load(data)
	if err != nil || len(back.Results) != 2 || back.Results[0].Delivery.Latency.P99 != 2000 {
		t.Errorf("Load() = %+v, %v", back, err)
	}

	path, err := doc.SavePage(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, want := range []string{"gateway &lt;b&gt;", "refused", `"ratio":1.25`, "new uPlot", "default-src 'none'"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	for _, bad := range []string{"<b>", "src=", "href=", "@import", "url("} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}
