package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is all rounds of one target in one scenario.
type row struct {
	target  string
	results []*Result
}

// section is all targets in one scenario, in the order in which they were
// measured first.
type section struct {
	scenario, what string
	rows           []*row
}

// sections groups results.
func sections(results []*Result) []*section {
	var all []*section
	for _, r := range results {
		s := slices.IndexFunc(all, func(s *section) bool { return s.scenario == r.Scenario && s.what == r.What })
		if s < 0 {
			all, s = append(all, &section{scenario: r.Scenario, what: r.What}), len(all)
		}
		all[s].add(r)
	}
	return all
}

func (s *section) add(r *Result) {
	i := slices.IndexFunc(s.rows, func(row *row) bool { return row.target == r.Target })
	if i < 0 {
		s.rows, i = append(s.rows, &row{target: r.Target}), len(s.rows)
	}
	s.rows[i].results = append(s.rows[i].results, r)
}

// figures are those of which any row has one.
func (s *section) figures() []figure {
	return slices.DeleteFunc(slices.Clone(figures), func(f figure) bool {
		return !slices.ContainsFunc(s.rows, func(r *row) bool { _, ok := f.median(r.results); return ok })
	})
}

// floor is the CPU that each delivery took in the first of the section's floors.
func (s *section) floor() (float64, bool) {
	for _, r := range s.rows {
		if isFloor(r.target) {
			if v, ok := cpuPerDelivery.median(r.results); ok && v > 0 {
				return v, true
			}
		}
	}
	return 0, false
}

// ratio is a row's CPU for each delivery, in floors.
func (s *section) ratio(r *row) string {
	floor, ok := s.floor()
	v, has := cpuPerDelivery.median(r.results)
	if !ok || !has {
		return ""
	}
	return fmt.Sprintf("%.2f", v/floor)
}

// WriteTable writes the results as tables, one for each scenario, with the median
// of each target's rounds.
func WriteTable(w io.Writer, results []*Result) error {
	for _, s := range sections(results) {
		if err := s.write(w); err != nil {
			return fmt.Errorf("bench: write table: %w", err)
		}
		for _, g := range s.growth() {
			fmt.Fprintf(w, "\n%s\n\n", g.title())
			if err := writeLines(w, g.Targets, g.Lines); err != nil {
				return fmt.Errorf("bench: write table: %w", err)
			}
		}
	}
	return nil
}

func (s *section) write(w io.Writer) error {
	fmt.Fprintf(w, "\n%s: %s", s.scenario, s.what)
	if n := s.rounds(); n > 1 {
		fmt.Fprintf(w, " (medians of %d rounds)", n)
	}
	fmt.Fprint(w, "\n\n")
	targets, lines := s.lines()
	if err := writeLines(w, targets, lines); err != nil {
		return err
	}
	for _, remark := range s.remarks() {
		fmt.Fprintf(w, "  %s\n", remark)
	}
	for _, r := range s.rows {
		for _, result := range r.results {
			if err := result.writeFaults(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeLines writes lines, each of which begins with its title, under their heads.
func writeLines(w io.Writer, heads []string, lines [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	for _, line := range append([][]string{append([]string{""}, heads...)}, lines...) {
		fmt.Fprintln(table, strings.Join(line, "\t")+"\t")
	}
	return table.Flush()
}

// rounds is how often the targets were measured.
func (s *section) rounds() int { return len(s.rows[0].results) }

// lines are the targets, and for each figure its title and its texts, one for each
// target: terminals and pages are higher than wide.
func (s *section) lines() (targets []string, lines [][]string) {
	for _, r := range s.rows {
		targets = append(targets, r.target)
	}
	for _, f := range s.figures() {
		line := []string{f.title}
		for _, r := range s.rows {
			line = append(line, f.text(f.median(r.results)))
		}
		lines = append(lines, line)
	}
	if _, compared := s.floor(); compared {
		line := []string{"CPU/floor"}
		for _, r := range s.rows {
			line = append(line, s.ratio(r))
		}
		lines = append(lines, line)
	}
	return targets, lines
}

// remarks are what a reader must know beside the figures.
func (s *section) remarks() []string {
	var all []string
	for _, r := range s.rows {
		for _, result := range r.results {
			who := r.target
			if len(r.results) > 1 {
				who = fmt.Sprintf("%s, round %d", r.target, result.Round)
			}
			for _, remark := range result.Remarks() {
				all = append(all, who+": "+remark)
			}
		}
	}
	if s.disturbed() {
		all = append(all, "The machine was busy with something else besides (other cores): take the figures as noisy.")
	}
	return all
}

// disturbed reports whether something else went on on the machine.
func (s *section) disturbed() bool {
	return slices.ContainsFunc(s.rows, func(r *row) bool {
		others, _ := otherCores.median(r.results)
		return others > maxOthers
	})
}

// Remarks are what a reader must know beside the figures.
func (r *Result) Remarks() []string {
	remarks := slices.Clone(r.Notes)
	if r.Opening != nil {
		for _, why := range r.Opening.Distrust {
			remarks = append(remarks, "handshake latency refused: "+why)
		}
	}
	if r.Delivery != nil {
		for _, why := range r.Delivery.Distrust {
			remarks = append(remarks, "latency refused: "+why)
		}
	}
	if r.Chaos != nil {
		return append(remarks, r.Chaos.remarks(r.Connections.Ends)...)
	}
	if c := r.Connections; c.Failed+c.Closed+len(c.Ends) > 0 {
		remarks = append(remarks, fmt.Sprintf("%d attempts to connect failed, %d connections were closed; reasons and refusals: %v", c.Failed, c.Closed, c.Ends))
	}
	return remarks
}
