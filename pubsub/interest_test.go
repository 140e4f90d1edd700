package pubsub

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// script drives an interest without Redis: each step is "verb channel ..." and
// may add to the log, which is compared at the end. Time is in seconds.
//
//	want a | want a b     Subscribe; logs "a!" when confirmed is called
//	unwant a 5            Unsubscribe, to linger until second 5
//	expire 7              the sweeper, at second 7
//	link | lost           the connection comes and goes
//	write                 logs "-a" for UNSUBSCRIBE and "+a" for SUBSCRIBE, in order
//	confirm a             Redis's answer
func script(t *testing.T, steps string) (log string, in *interest) {
	t.Helper()
	in = newInterest("all")
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
		switch verb {
		case "want":
			in.want(args[0], args[1], func() { got = append(got, args[0]+args[1]+"!") })
		case "unwant":
			in.unwant(args[0], "", second(args[1]))
		case "expire":
			in.expire(second(args[0]))
		case "link":
			in.link()
		case "lost":
			in.lost()
		case "confirm":
			for _, f := range in.confirm(args[0]) {
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

// written fetches all there is to write.
func written(in *interest) (log []string) {
	for {
		leave, join := in.next(10)
		if len(leave)+len(join) == 0 {
			return log
		}
		if len(join) > 0 && join[0] == in.always {
			slices.Sort(join[1:]) // the rest has no order after a loss
		} else {
			slices.Sort(join)
		}
		for _, channel := range leave {
			log = append(log, "-"+channel)
		}
		for _, channel := range join {
			log = append(log, "+"+channel)
		}
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
		"both channels":                     {up + "want a b; write; confirm a; confirm b", "+all +a +b ab!"},
		"both channels, the other first":    {up + "want a b; write; confirm b; confirm a", "+all +a +b ab!"},
		"one written, one command":          {up + "want a; want a; want b; write; write", "+all +a +b"},
		"again after a loss":                {up + "want a; write; confirm a; lost; link; write; confirm a", "+all +a a! +all +a"},
		"a loss before the confirmation":    {up + "want a; write; lost; link; write; confirm a", "+all +a +all +a a!"},
		"a loss between the two":            {up + "want a b; write; confirm a; lost; link; write; confirm b; confirm a", "+all +a +b +all +a +b ab!"},
		"nothing written while away":        {"want a; write; unwant a 5; expire 5; write", ""},
		"linger":                            {up + "want a; write; confirm a; unwant a 5; expire 4; write", "+all +a a!"},
		"left after it":                     {up + "want a; write; confirm a; unwant a 5; expire 5; write", "+all +a a! -a"},
		"wanted again in time":              {up + "want a; write; confirm a; unwant a 5; want a; expire 9; write", "+all +a a! a!"},
		"wanted again too late":             {up + "want a; write; confirm a; unwant a 5; expire 5; want a; write; confirm a", "+all +a a! -a +a a!"},
		"lingers from the first unwant":     {up + "want a; write; confirm a; unwant a 5; unwant a 9; expire 5; write", "+all +a a! -a"},
		"not sent, so not left":             {up + "want a; unwant a 5; expire 5; write", "+all"},
		"sent, so left once confirmed":      {up + "want a; write; unwant a 5; expire 5; write; confirm a; expire 6; write", "+all +a a! -a"},
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

// TestInterest_ChurnWhileAwayLeavesNothing: clients that come and go while
// Redis is away must not pile up.
func TestInterest_ChurnWhileAwayLeavesNothing(t *testing.T) {
	in := newInterest("all")
	for i := range 1000 {
		channel := fmt.Sprint(i)
		in.want(channel, "", func() { t.Error("confirmed without Redis") })
		in.unwant(channel, "", time.Unix(int64(i), 0))
	}
	in.expire(time.Unix(1000, 0))
	if n := len(in.channels) + len(in.pending) + len(in.lingering) + len(in.join) + len(in.leave); n != 2 {
		t.Errorf("%d entries are left, want 2, of the fixed channel: %+v", n, in)
	}
}

func TestInterest_NextKeepsItsLimit(t *testing.T) {
	in := newInterest("all")
	in.link()
	for i := range 1000 {
		in.want(fmt.Sprint(i), "", nil)
	}
	total := 0
	for {
		leave, join := in.next(300)
		if len(leave) != 0 || len(join) > 300 {
			t.Fatalf("next(300) returned %d and %d channels", len(leave), len(join))
		}
		if len(join) == 0 {
			break
		}
		total += len(join)
	}
	if total != 1001 {
		t.Errorf("%d channels in all, want 1001", total)
	}
}

func TestInterest_WantAllocatesNothingWhenConfirmed(t *testing.T) {
	in := newInterest("all")
	in.want("a", "", nil)
	in.link()
	in.next(2)
	in.confirm("a")
	in.confirm("all")
	if n := testing.AllocsPerRun(100, func() { in.want("a", "", nil) }); n != 0 {
		t.Errorf("want of a confirmed channel makes %v allocations, want 0", n)
	}
}
