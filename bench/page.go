package bench

import (
	"bytes"
	_ "embed" // the parts of the page
	"fmt"
	"html/template"
	"math"
	"time"
)

// The parts of the page. uPlot is by Leon Sorokin, under the MIT licence
// (page/LICENSE.uPlot).
var (
	//go:embed page/page.html
	pageHTML string
	//go:embed page/page.css
	pageCSS template.CSS
	//go:embed page/page.js
	pageJS template.JS
	//go:embed page/uPlot.min.css
	uPlotCSS template.CSS
	//go:embed page/uPlot.iife.min.js
	uPlotJS template.JS

	pageTemplate = template.Must(template.New("page").Parse(pageHTML))
)

// page is what the template is given.
type page struct {
	Name, Command, Machine string
	Started                time.Time
	Sections               []pageSection
	Data                   []plotSection
	CSS, UPlotCSS          template.CSS
	JS, UPlotJS            template.JS
}

// pageSection is one scenario as a table.
type pageSection struct {
	Scenario, What string
	Rounds         int
	Targets        []string
	Lines          [][]string // a figure's title and its texts, one for each target
	Runs           []pageRun  // with faults
	Remarks        []string
}

// pageRun is the faults of one run.
type pageRun struct {
	Target string
	Faults []ChaosFault
}

// plotSection is one scenario for the plots.
type plotSection struct {
	Rows []plotRow `json:"rows"`
}

// plotRow is one target. What it has no figure of is null.
type plotRow struct {
	Target       string        `json:"target"`
	CPU          *float64      `json:"cpu"`
	Ratio        *float64      `json:"ratio"`
	Memory       *float64      `json:"memory"`
	HandshakeCPU *float64      `json:"handshakeCPU"`
	Latency      []Point       `json:"latency"`
	Handshake    []Point       `json:"handshake"`
	Back         []Point       `json:"back"`
	Samples      []Sample      `json:"samples"`
	Chaos        []ChaosSample `json:"chaos"`
}

// SavePage writes the document to DIR/DATE-NAME.html, one file that needs nothing
// else, and returns the file's name.
func (d *Document) SavePage(dir string) (string, error) {
	p := page{
		Name: d.Name, Command: d.Command, Machine: d.Machine.String(), Started: d.Started,
		CSS: pageCSS, UPlotCSS: uPlotCSS, JS: pageJS, UPlotJS: uPlotJS,
	}
	for _, s := range sections(d.Results) {
		p.Sections = append(p.Sections, s.page())
		p.Data = append(p.Data, s.plots())
		for _, g := range s.growth() {
			p.Sections, p.Data = append(p.Sections, *g), append(p.Data, plotSection{Rows: []plotRow{}})
		}
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return "", fmt.Errorf("bench: write page: %w", err)
	}
	return d.write(dir, ".html", b.Bytes())
}

// page is the section as a table for people.
func (s *section) page() pageSection {
	p := pageSection{Scenario: s.scenario, What: s.what, Rounds: s.rounds(), Remarks: s.remarks()}
	p.Targets, p.Lines = s.lines()
	for _, r := range s.rows {
		for _, result := range r.results {
			if result.Chaos != nil && len(result.Chaos.Faults) > 0 {
				p.Runs = append(p.Runs, pageRun{r.target, result.Chaos.Faults})
			}
		}
	}
	return p
}

// plots is the section for the plots.
func (s *section) plots() plotSection {
	var p plotSection
	for _, r := range s.rows {
		first := r.results[0]
		row := plotRow{
			Target: r.target, Samples: append([]Sample{}, first.Samples...),
			CPU: r.number(cpuPerDelivery), Memory: r.number(bytesPerConnection), HandshakeCPU: r.number(cpuPerConnection),
			Latency:   r.curve(func(x *Result) *Quantiles { return x.latency() }),
			Handshake: r.curve(func(x *Result) *Quantiles { return x.handshake() }),
			Back:      r.curve(func(x *Result) *Quantiles { return x.back() }),
		}
		if floor, ok := s.floor(); ok && row.CPU != nil {
			ratio := *row.CPU / floor
			row.Ratio = &ratio
		}
		if first.Chaos != nil {
			row.Chaos = first.Chaos.Samples
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

// number is a figure's median, nil when there is none.
func (r *row) number(f figure) *float64 {
	v, ok := f.median(r.results)
	if !ok || math.IsNaN(v) {
		return nil
	}
	return &v
}

// curve is the distribution of the first round that has one.
func (r *row) curve(of func(*Result) *Quantiles) []Point {
	for _, result := range r.results {
		if q := of(result); q != nil {
			return q.Curve
		}
	}
	return nil
}

func (r *Result) latency() *Quantiles {
	if r.Delivery == nil {
		return nil
	}
	return r.Delivery.Latency
}

func (r *Result) handshake() *Quantiles {
	if r.Opening == nil {
		return nil
	}
	return r.Opening.Handshake
}

func (r *Result) back() *Quantiles {
	if r.Herd == nil {
		return nil
	}
	return r.Herd.Back
}
