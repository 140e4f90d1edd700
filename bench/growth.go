package bench

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// growthTarget is whose growth is shown.
const growthTarget = "gateway"

// size is what one number of connections costs.
type size struct {
	connections int
	idle        []*Result // rest, in one room
	fanout      []*Result // lone messages to one room of everybody
	floor       []*Result // the same, of the floor
}

// sizes sorts those results that differ by nothing but the number of connections.
func sizes(results []*Result) []size {
	var all []size
	at := func(n int) *size {
		i := slices.IndexFunc(all, func(s size) bool { return s.connections == n })
		if i < 0 {
			all, i = append(all, size{connections: n}), len(all)
		}
		return &all[i]
	}
	for _, r := range results {
		p := r.Parameters
		alike := p.Rooms == 1 && !p.Personal && p.Burst <= 1 && p.Nodes <= 1 && p.Arrival == 0
		switch {
		case !alike:
		case r.Scenario == "idle" && r.Target == growthTarget:
			s := at(p.Connections)
			s.idle = append(s.idle, r)
		case r.Scenario == "fanout" && r.Target == growthTarget:
			s := at(p.Connections)
			s.fanout = append(s.fanout, r)
		case r.Scenario == "fanout" && isFloor(r.Target):
			s := at(p.Connections)
			s.floor = append(s.floor, r)
		}
	}
	slices.SortFunc(all, func(a, b size) int { return cmp.Compare(a.connections, b.connections) })
	return slices.DeleteFunc(all, func(s size) bool { return len(s.idle)+len(s.fanout) == 0 })
}

// growth shows how costs grow with the number of connections; nil when the
// results have fewer than two of these. A process needs some memory before the
// first connection and some more with the first thousand, whatever their number:
// what a further one takes is counted from the smallest size on.
func growth(results []*Result) *pageSection {
	all := sizes(results)
	if len(all) < 2 {
		return nil
	}
	resident, further := []string{"resident B in all"}, []string{fmt.Sprintf("B/connection over %d", all[0].connections)}
	cpu, ratio := []string{cpuPerDelivery.title}, []string{"CPU/floor"}
	p := &pageSection{
		Scenario: "growth", What: "what the same costs with other numbers of connections", Rounds: 1,
	}
	for i := range all {
		s := &all[i]
		p.Targets = append(p.Targets, strconv.Itoa(s.connections)+" connections")
		resident = append(resident, orNothing(whole, s.resident()))
		further = append(further, orNothing(whole, s.further(&all[0])))
		cpu = append(cpu, orNothing(hundredth, s.cpu(s.fanout)))
		ratio = append(ratio, orNothing(hundredth, s.cpu(s.fanout)/s.cpu(s.floor)))
	}
	p.Lines = [][]string{resident, further, cpu, ratio}
	return p
}

var residentInAll = figure{"", whole, memory(func(m *Memory) float64 { return float64(m.Settled - m.Before) })}

// resident is what all connections together take, NaN when it was not measured.
func (s *size) resident() float64 { return number(residentInAll, s.idle) }

// cpu is what a delivery takes, NaN when it was not measured.
func (s *size) cpu(results []*Result) float64 { return number(cpuPerDelivery, results) }

func number(f figure, results []*Result) float64 {
	if v, ok := f.median(results); ok {
		return v
	}
	return math.NaN()
}

// further is what each connection takes that the smallest size does not have; NaN
// for that itself.
func (s *size) further(smallest *size) float64 {
	return (s.resident() - smallest.resident()) / float64(s.connections-smallest.connections)
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
