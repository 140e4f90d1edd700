package pubsub

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// script drives an interest without Redis: each step is "verb topic ..." and
// may add to the log, which is compared at the end. A topic is a room "a", a
// user "@a", or "all", the broadcast. Time is in seconds.
//
//	want a                Subscribe; logs "a!" when confirmed is called
//	unwant a 5            Unsubscribe, to linger until second 5
//	expire 7              the sweeper, at second 7
//	link | lost           the connection comes and goes
//	write                 logs "-a" for UNSUBSCRIBE and "+a" for SUBSCRIBE, in order
//	confirm a             Redis's answer; for a user "@a", and "#a" for notifications
func script(t *testing.T, steps string) (log string, in *interest) {
	t.Helper()
	in = newInterest(broadcast)
	var got []string
	second := func(s string) time.Time {
		var n int64
		if _, err := fmt.Sscan(s, &n); err != nil {
			t.Fatalf("second %q: %v", s, err)
		}
		return time.Unix(n, 0)
	}
	for step := range strings.SplitSeq(steps, ";") {
		verb, rest, _ := strings.Cut(strings.TrimSpace(step), " ")
		args := append(strings.Fields(rest), "", "")
		kind, name := parseScripted(args[0])
		switch verb {
		case "want":
			confirmed := func() { got = append(got, args[0]+"!") }
			if in.want(topicOf(kind, name), confirmed) {
				confirmed()
			}
		case "unwant":
			in.unwant(topicOf(kind, name), second(args[1]))
		case "expire":
			in.expire(second(args[0]))
		case "link":
			in.link()
		case "lost":
			in.lost()
		case "confirm":
			confirmed, _ := in.confirm(kind, name)
			for _, f := range confirmed {
				f()
			}
		case "write":
			got = append(got, written(in)...)
		default:
			t.Fatalf("unknown step %q", step)
		}
	}
	return strings.Join(got, " "), in
}

// parseScripted reads a channel as script writes it.
func parseScripted(s string) (Kind, string) {
	switch {
	case s == "all":
		return KindBroadcast, ""
	case strings.HasPrefix(s, "@"):
		return KindUser, s[1:]
	case strings.HasPrefix(s, "#"):
		return KindNotification, s[1:]
	}
	return KindRoom, s
}

// written fetches all there is to write.
func written(in *interest) (log []string) {
	names := func(sign string, topics []topic) (names []string) {
		for _, t := range topics {
			names = append(names, sign+map[Kind]string{KindBroadcast: "all", KindUser: "@"}[t.kind]+t.name)
		}
		return names
	}
	for {
		leave, join := in.next(10)
		if len(leave)+len(join) == 0 {
			return log
		}
		log = append(log, names("-", leave)...)
		joined := names("+", join)
		if len(join) > 0 && join[0] == broadcast {
			slices.Sort(joined[1:]) // the rest has no order after a loss
		} else {
			slices.Sort(joined)
		}
		log = append(log, joined...)
	}
}

func TestInterest(t *testing.T) {
	const up = "link; write; confirm all; "
	for name, tt := range map[string]struct{ steps, want string }{
		"the fixed channel comes first":     {"want a; link; write", "+all +a"},
		"confirmed when Redis says so":      {up + "want a; write; confirm a", "+all +a a!"},
		"not before":                        {up + "want a; write", "+all +a"},
		"once":                              {up + "want a; write; confirm a; confirm a", "+all +a a!"},
		"each caller once":                  {up + "want a; want a; write; confirm a; want a", "+all +a a! a! a!"},
		"both channels":                     {up + "want @a; write; confirm @a; confirm #a", "+all +@a @a!"},
		"both channels, the other first":    {up + "want @a; write; confirm #a; confirm @a", "+all +@a @a!"},
		"one channel twice is not both":     {up + "want @a; write; confirm @a; confirm @a", "+all +@a"},
		"either kind means both channels":   {up + "want #a; want @a; write; confirm @a; confirm #a", "+all +@a #a! @a!"},
		"a room is not a user":              {up + "want a; want @a; write; confirm a", "+all +@a +a a!"},
		"one written, one command":          {up + "want a; want a; want b; write; write", "+all +a +b"},
		"again after a loss":                {up + "want a; write; confirm a; lost; link; write; confirm a", "+all +a a! +all +a"},
		"a loss before the confirmation":    {up + "want a; write; lost; link; write; confirm a", "+all +a +all +a a!"},
		"a loss between the two":            {up + "want @a; write; confirm @a; lost; link; write; confirm #a; confirm @a", "+all +@a +all +@a @a!"},
		"a half confirmed is lost as well":  {up + "want @a; write; confirm @a; lost; link; write; confirm #a", "+all +@a +all +@a"},
		"nothing written while away":        {"want a; write; unwant a 5; expire 5; write", ""},
		"linger":                            {up + "want a; write; confirm a; unwant a 5; expire 4; write", "+all +a a!"},
		"left after it":                     {up + "want a; write; confirm a; unwant a 5; expire 5; write", "+all +a a! -a"},
		"wanted again in time":              {up + "want a; write; confirm a; unwant a 5; want a; expire 9; write", "+all +a a! a!"},
		"wanted again too late":             {up + "want a; write; confirm a; unwant a 5; expire 5; want a; write; confirm a", "+all +a a! -a +a a!"},
		"lingers from the first unwant":     {up + "want a; write; confirm a; unwant a 5; unwant a 9; expire 5; write", "+all +a a! -a"},
		"not sent, so not left":             {up + "want a; unwant a 5; expire 5; write", "+all"},
		"sent, so left once confirmed":      {up + "want a; write; unwant a 5; expire 5; write; confirm a; expire 6; write", "+all +a a! -a"},
		"half confirmed, so not left yet":   {up + "want @a; write; confirm @a; unwant @a 5; expire 5; write; confirm #a; expire 6; write", "+all +@a @a! -@a"},
		"gone while away, with its waiters": {"want a; unwant a 5; expire 5; link; write; confirm a; confirm all", "+all"},
		"came and went and came":            {up + "want a; unwant a 5; expire 5; want a; write", "+all +a"},
		"the fixed channel stays":           {up + "unwant all 5; expire 5; write", "+all"},
		"unwanting the unknown":             {up + "unwant a 5; expire 5; write", "+all"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := script(t, tt.steps); got != tt.want {
				t.Errorf("%s\n got %q\nwant %q", tt.steps, got, tt.want)
			}
		})
	}
}

// TestInterest_Counts: State tells channels, of which a user has two.
func TestInterest_Counts(t *testing.T) {
	const up = "link; write; confirm all; want a; want @b; write"
	for name, tt := range map[string]struct {
		steps             string
		confirmed, wanted int
	}{
		"before the connection": {"want a; want @b", 0, 4},
		"nothing but the fixed": {up, 1, 4},
		"one channel of two":    {up + "; confirm #b", 2, 4},
		"twice is once":         {up + "; confirm #b; confirm #b", 2, 4},
		"all":                   {up + "; confirm a; confirm @b; confirm #b", 4, 4},
		"lingering":             {up + "; confirm a; confirm @b; confirm #b; unwant @b 5", 4, 4},
		"the user gone":         {up + "; confirm a; confirm @b; confirm #b; unwant @b 5; expire 5", 2, 2},
		"gone and wanted again": {up + "; confirm a; confirm @b; confirm #b; unwant @b 5; expire 5; want @b", 2, 4},
		"the connection lost":   {up + "; confirm a; confirm @b; lost", 0, 4},
		"and back":              {up + "; confirm a; confirm @b; lost; link; write; confirm all; confirm @b", 2, 4},
	} {
		t.Run(name, func(t *testing.T) {
			_, in := script(t, tt.steps)
			if confirmed, wanted := in.counts(); confirmed != tt.confirmed || wanted != tt.wanted {
				t.Errorf("%s\n got %d of %d channels\nwant %d of %d", tt.steps, confirmed, wanted, tt.confirmed, tt.wanted)
			}
		})
	}
}

// TestInterest_ChurnWhileAwayLeavesNothing: clients that come and go while
// Redis is away must not pile up.
func TestInterest_ChurnWhileAwayLeavesNothing(t *testing.T) {
	in := newInterest(broadcast)
	for i := range 1000 {
		room := topic{KindRoom, fmt.Sprint(i)}
		in.want(room, func() { t.Error("confirmed without Redis") })
		in.unwant(room, time.Unix(int64(i), 0))
	}
	in.expire(time.Unix(1000, 0))
	n := in.pending.len() + in.lingering.len() + len(in.join) + len(in.leave)
	for kind := range in.wanted {
		n += in.wanted[kind].len()
	}
	if n != 2 {
		t.Errorf("%d entries are left, want 2, of the broadcast: %+v", n, in)
	}
}

func TestInterest_NextKeepsItsLimit(t *testing.T) {
	in := newInterest(broadcast)
	in.link()
	for i := range 1000 {
		in.want(topic{KindRoom, fmt.Sprint(i)}, nil)
	}
	total := 0
	for {
		leave, join := in.next(300)
		if len(leave) != 0 || len(join) > 300 {
			t.Fatalf("next(300) returned %d and %d topics", len(leave), len(join))
		}
		if len(join) == 0 {
			break
		}
		total += len(join)
	}
	if total != 1001 {
		t.Errorf("%d topics in all, want 1001", total)
	}
}

func TestInterest_WantAllocatesNothingWhenConfirmed(t *testing.T) {
	_, in := script(t, "want @a; link; write; confirm all; confirm @a; confirm #a")
	if n := testing.AllocsPerRun(100, func() { in.want(topic{KindUser, "a"}, nil) }); n != 0 {
		t.Errorf("want of a confirmed topic makes %v allocations, want 0", n)
	}
}
