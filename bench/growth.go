package bench

import (
	"fmt"
	"math"
	"strconv"
)

// growth shows, for each target of grow but floors, how its costs grow with the
// number of connections. A process needs some memory with the first connections,
// however many come: what further ones take is counted from the first number on.
func (s *section) growth() []*pageSection {
	var pages []*pageSection
	for _, r := range s.rows {
		if !isFloor(r.target) && len(r.steps()) > 1 {
			pages = append(pages, s.growthOf(r))
		}
	}
	return pages
}

func (s *section) growthOf(r *row) *pageSection {
	p := &pageSection{
		Scenario: "growth of " + r.target,
		What:     "what connections cost when there are more of them, and a delivery to all of them", Rounds: len(r.results),
	}
	steps := r.steps()
	first := strconv.Itoa(steps[0])
	all, since := []string{"resident B in all"}, []string{"B/connection since the number before"}
	further := []string{"B/connection over " + first}
	cpu, ratio := []string{cpuPerDelivery.title}, []string{"CPU/floor"}
	for i, n := range steps {
		p.Targets = append(p.Targets, strconv.Itoa(n)+" connections")
		all = append(all, orNothing(whole, r.step(at(i, residentInAll))))
		since = append(since, orNothing(whole, r.step(perFurther(i, i-1))))
		further = append(further, orNothing(whole, r.step(perFurther(i, 0))))
		cpu = append(cpu, orNothing(hundredth, r.step(at(i, deliveryCPU))))
		ratio = append(ratio, orNothing(hundredth, r.step(at(i, deliveryCPU))/s.floorAt(i)))
	}
	p.Lines = [][]string{all, since, further, cpu}
	if _, compared := s.floor(); compared {
		p.Lines = append(p.Lines, ratio)
	}
	return p
}

// steps are the numbers of connections at which the row's target was measured.
func (r *row) steps() []int {
	var steps []int
	for _, result := range r.results {
		if len(result.Growth) <= len(steps) {
			continue // a round that was interrupted has fewer
		}
		steps = steps[:0]
		for _, s := range result.Growth {
			steps = append(steps, s.Connections)
		}
	}
	return steps
}

// step is the median over the rounds of what value finds in each; NaN when it finds nothing.
func (r *row) step(value func([]Step) float64) float64 {
	f := figure{value: func(r *Result) (float64, bool) {
		v := value(r.Growth)
		return v, !math.IsNaN(v)
	}}
	v, _ := f.median(r.results)
	return v
}

// at is what value finds in step i, NaN where a round has no such step.
func at(i int, value func(Step) float64) func([]Step) float64 {
	return func(steps []Step) float64 {
		if i >= len(steps) {
			return math.NaN()
		}
		return value(steps[i])
	}
}

func residentInAll(s Step) float64 { return float64(s.Resident) }

func deliveryCPU(s Step) float64 {
	if s.Delivery == nil || s.Delivery.Received == 0 {
		return math.NaN()
	}
	return s.Delivery.CPUMicros
}

// perFurther is what each connection takes that step i has more than step from.
func perFurther(i, from int) func([]Step) float64 {
	return func(steps []Step) float64 {
		if from < 0 || from == i || i >= len(steps) {
			return math.NaN()
		}
		a, b := steps[from], steps[i]
		return float64(b.Resident-a.Resident) / float64(b.Connections-a.Connections)
	}
}

// floorAt is the CPU of the first floor's deliveries in step i, NaN if there is none.
func (s *section) floorAt(i int) float64 {
	for _, r := range s.rows {
		if isFloor(r.target) {
			return r.step(at(i, deliveryCPU))
		}
	}
	return math.NaN()
}

// orNothing formats a number, and NaN as nothing.
func orNothing(format func(float64) string, v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return format(v)
}

// title says what the table shows.
func (p *pageSection) title() string { return fmt.Sprintf("%s: %s", p.Scenario, p.What) }
