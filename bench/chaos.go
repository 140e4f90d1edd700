package bench

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Chaos is what a run with faults has found (package chaos).
type Chaos struct {
	Seed     uint64 `json:"seed"`
	Topology string `json:"topology"` // of Redis
	Clean    bool   `json:"clean"`    // nothing lost, duplicated or out of order

	Published   int            `json:"published"` // acknowledged to their publishers
	BySource    map[string]int `json:"by_source"`
	Refused     int            `json:"refused"` // of clients, for good
	Due         int            `json:"due"`     // deliveries that had to be made
	Delivered   int            `json:"delivered"`
	Lost        int            `json:"lost"`
	Duplicated  int            `json:"duplicated"`
	OutOfOrder  int            `json:"out_of_order"`
	Unrecovered int            `json:"unrecovered"`  // recovered: false
	AtRisk      int            `json:"at_risk"`      // by PUBLISH, received by nobody, and answered by a server that was just being killed or demoted
	Unheard     int            `json:"unheard"`      // by PUBLISH, received by nobody, when all nodes were cut off from Redis
	Excused     float64        `json:"excused"`      // part of the time of publishing in which a PUBLISH would have counted as one of these two
	Dropped     int            `json:"dropped"`      // twice by right: on two connections, or not acknowledged in time
	Gaps        int            `json:"gaps"`         // seen by clients
	NewEpochs   int            `json:"new_epochs"`   // logs that began anew
	Unnumbered  int            `json:"unnumbered"`   // messages without an offset
	Misdated    int            `json:"misdated"`     // messages with a time at which they were not sent
	Strangers   int            `json:"strangers"`    // messages that nobody sent, or to somebody else
	FailedSends int            `json:"failed_sends"` // attempts of publishers that had to be repeated

	Takeovers int     `json:"takeovers"`           // replicas that became masters
	Harness   float64 `json:"harness_cores"`       // cores that clients, proxies, publishers and books used
	Lag       float64 `json:"harness_lag_seconds"` // the longest time in which no client got to do anything

	Presence ChaosPresence `json:"presence"`
	Redis    ChaosRedis    `json:"redis"`
	Faults   []ChaosFault  `json:"faults"`
	Samples  []ChaosSample `json:"samples"`
	Events   []string      `json:"events,omitempty"` // faults of the gateway, in words
}

// ChaosPresence is how right watchers were about who is online.
type ChaosPresence struct {
	Edges   int     `json:"edges"`           // that they were told
	Errors  int     `json:"errors"`          // times that one was wrong for longer than is due
	Longest float64 `json:"longest_seconds"` // of these, beyond what is due
	Total   float64 `json:"total_seconds"`   // of all of them together
	Flaps   int     `json:"flaps"`           // offline edges for users who were not away
	Watched float64 `json:"watched_seconds"` // of all pairs of a connected watcher and a user together
	Judged  float64 `json:"judged_seconds"`  // of it, in which an error would have been found
}

// share is the part of the time in which an error would have been found, in percent.
func (p ChaosPresence) share() float64 {
	if p.Watched == 0 {
		return 0
	}
	return 100 * p.Judged / p.Watched
}

// ChaosRedis is what Redis's masters had to do.
type ChaosRedis struct {
	Peak     float64            `json:"peak"`    // commands in the busiest second, those of scripts included
	PeakBy   map[string]float64 `json:"peak_by"` // of which
	Commands int64              `json:"commands"`
}

// ChaosFault is one fault that was carried out.
type ChaosFault struct {
	Kind    string  `json:"kind"`
	What    string  `json:"what"`
	At      float64 `json:"at"`           // seconds since the faults began
	Seconds float64 `json:"seconds"`      // until all nodes were ready again
	Back    float64 `json:"back_seconds"` // until 99 % of the clients were in all their rooms and had received something since, to half a second

	Takeovers int `json:"takeovers,omitempty"` // replicas that became masters
}

// ChaosSample is the state of a run at one moment.
type ChaosSample struct {
	Seconds    float64  `json:"seconds"`
	Ready      int      `json:"ready"`              // clients in all their rooms
	Wanted     int      `json:"wanted"`             // clients that want to be
	Deliveries float64  `json:"deliveries"`         // a second
	Commands   *float64 `json:"commands,omitempty"` // of Redis, a second; nil while it could not be asked
}

// remarks are what a reader must know beside the figures.
func (c *Chaos) remarks(ends map[string]int) []string {
	remarks := append([]string{}, c.Events...)
	if c.AtRisk > 0 {
		remarks = append(remarks, fmt.Sprintf("at risk, server killed: %d bare PUBLISHes were answered within a second before the server that answers was killed "+
			"or demoted, or before all nodes had been connected to the next for two seconds; nobody received them, and they do not count as lost", c.AtRisk))
	}
	if c.Unheard > 0 {
		remarks = append(remarks, fmt.Sprintf("at risk, all cut off: %d bare PUBLISHes were answered by Redis when all nodes were cut off from it, "+
			"or had not been connected again for two seconds; nobody received them, and they do not count as lost", c.Unheard))
	}
	if len(c.Redis.PeakBy) > 0 {
		remarks = append(remarks, "the commands of Redis's busiest second: "+c.Redis.busiest())
	}
	if len(ends) > 0 {
		remarks = append(remarks, fmt.Sprintf("ends of connections, and refusals: %v", ends))
	}
	return remarks
}

// busiest are the commands of the busiest second, the most frequent first.
func (r ChaosRedis) busiest() string {
	names := slices.SortedFunc(maps.Keys(r.PeakBy), func(a, b string) int { return cmp.Compare(r.PeakBy[b], r.PeakBy[a]) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %.0f", name, r.PeakBy[name])
	}
	return strings.Join(names, ", ")
}

// slowest is the longest time until 99 % were back.
func (c *Chaos) slowest() float64 {
	longest := 0.0
	for _, f := range c.Faults {
		longest = max(longest, f.Back)
	}
	return longest
}

func chaos(f func(*Chaos) float64) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) {
		if r.Chaos == nil {
			return 0, false
		}
		return f(r.Chaos), true
	}
}

// chaosFigures are those of runs with faults.
var chaosFigures = []figure{
	{"faults", whole, chaos(func(c *Chaos) float64 { return float64(len(c.Faults)) })},
	{"published", whole, chaos(func(c *Chaos) float64 { return float64(c.Published) })},
	{"- by the Go client", whole, chaos(func(c *Chaos) float64 { return float64(c.BySource["Go client"]) })},
	{"- by PUBLISH", whole, chaos(func(c *Chaos) float64 { return float64(c.BySource["PUBLISH"]) })},
	{"- by XADD", whole, chaos(func(c *Chaos) float64 { return float64(c.BySource["XADD"]) })},
	{"- by clients", whole, chaos(func(c *Chaos) float64 { return float64(c.BySource["room_message"]) })},
	{"deliveries due", whole, chaos(func(c *Chaos) float64 { return float64(c.Due) })},
	{"delivered", whole, chaos(func(c *Chaos) float64 { return float64(c.Delivered) })},
	{"lost", whole, chaos(func(c *Chaos) float64 { return float64(c.Lost) })},
	{"duplicated", whole, chaos(func(c *Chaos) float64 { return float64(c.Duplicated) })},
	{"out of order", whole, chaos(func(c *Chaos) float64 { return float64(c.OutOfOrder) })},
	{"without an offset", whole, chaos(func(c *Chaos) float64 { return float64(c.Unnumbered) })},
	{"with a wrong time", whole, chaos(func(c *Chaos) float64 { return float64(c.Misdated) })},
	{"recovered: false", whole, chaos(func(c *Chaos) float64 { return float64(c.Unrecovered) })},
	{"at risk, server killed", whole, chaos(func(c *Chaos) float64 { return float64(c.AtRisk) })},
	{"at risk, all cut off", whole, chaos(func(c *Chaos) float64 { return float64(c.Unheard) })},
	{"PUBLISH excused, %", hundredth, chaos(func(c *Chaos) float64 { return 100 * c.Excused })},
	{"dropped by right", whole, chaos(func(c *Chaos) float64 { return float64(c.Dropped) })},
	{"presence errors", whole, chaos(func(c *Chaos) float64 { return float64(c.Presence.Errors) })},
	{"presence wrong, longest", seconds, chaos(func(c *Chaos) float64 { return c.Presence.Longest })},
	{"presence wrong, total", seconds, chaos(func(c *Chaos) float64 { return c.Presence.Total })},
	{"presence flaps", whole, chaos(func(c *Chaos) float64 { return float64(c.Presence.Flaps) })},
	{"presence judged, %", whole, chaos(func(c *Chaos) float64 { return c.Presence.share() })},
	{"takeovers in Redis", whole, chaos(func(c *Chaos) float64 { return float64(c.Takeovers) })},
	{"back 99 %, slowest", seconds, chaos((*Chaos).slowest)},
	{"peak Redis commands/s", whole, chaos(func(c *Chaos) float64 { return c.Redis.Peak })},
	{"harness, cores", hundredth, chaos(func(c *Chaos) float64 { return c.Harness })},
	{"harness, longest pause", seconds, chaos(func(c *Chaos) float64 { return c.Lag })},
}

// writeFaults writes the faults of a run as a table.
func (r *Result) writeFaults(w io.Writer) error {
	if r.Chaos == nil || len(r.Chaos.Faults) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\n  %s, faults:\n\n", r.Target)
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "  at\tfault\tnodes ready\t99 % back\ttakeovers")
	for _, f := range r.Chaos.Faults {
		takeovers := ""
		if f.Takeovers > 0 {
			takeovers = strconv.Itoa(f.Takeovers)
		}
		fmt.Fprintf(table, "  %.0f s\t%s\t%.1f s\t%.1f s\t%s\n", f.At, f.What, f.Seconds, f.Back, takeovers)
	}
	return table.Flush()
}
