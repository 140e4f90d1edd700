package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newRecorder() (*Recorder, *clock) {
	c := &clock{time.Unix(1_700_000_000, 0)}
	return New("n1", c.now, idOf), c
}

// idOf is what a gateway does with its own decoder.
func idOf(payload string) string {
	var envelope struct{ ID string }
	_ = json.Unmarshal([]byte(payload), &envelope) // what is no JSON has no id
	return envelope.ID
}

func TestRecorder_FindsWhatIsLookedFor(t *testing.T) {
	t.Parallel()
	r, c := newRecorder()
	if got := r.Find(`{"id":"m-1"}`); got != "" {
		t.Errorf("before Arm, Find = %q", got)
	}
	if _, err := r.Arm("m-1x"); err != nil {
		t.Fatal(err)
	}
	for payload, want := range map[string]string{
		`{"type":"a","id":"m-1x"}`: "m-1x", `{"id":"m-1xy"}`: "", `{"id":"m-2x"}`: "", "": "",
		`{"id":"m-2x","content":{"text":"m-1x"}}`: "", `{"content":{"id":"m-1x","m-1x":1}}`: "", `["m-1x"]`: "",
		`{"id":"\u006d-1x"}`: "m-1x", `{"id":"m-2x","content":"\n"}`: "", `\`: "",
	} {
		if got := r.Find(payload); got != want {
			t.Errorf("Find(%s) = %q, want %q", payload, got, want)
		}
	}
	c.at = c.at.Add(TTL)
	if got := r.Find(`{"id":"m-1x"}`); got != "" {
		t.Errorf("after TTL, Find = %q", got)
	}
	if _, ok := r.Report("m-1x"); !ok {
		t.Error("the report is gone with the search")
	}
	c.at = c.at.Add(KeptFor)
	r.Find("")
	if _, ok := r.Report("m-1x"); ok || r.armed.Load() != 0 {
		t.Errorf("long after, there is a report (%t), and %d are looked for", ok, r.armed.Load())
	}
}

// TestRecorder_JoinsASearch joins one that ends soon: it ends with the others, goes on
// when it is asked for anew, and nobody's clock has it go on for longer than TTL.
func TestRecorder_JoinsASearch(t *testing.T) {
	t.Parallel()
	r, c := newRecorder()
	for _, step := range []struct{ ask, want time.Duration }{
		{TTL / 4, TTL / 4}, {TTL / 2, TTL / 2}, {TTL / 4, TTL / 2}, {5 * TTL, TTL},
	} {
		until, err := r.ArmUntil("m-1x", c.at.Add(step.ask))
		if got := until.Sub(c.at); err != nil || got != step.want {
			t.Errorf("asked for %v more, it looks for %v (%v), want %v", step.ask, got, err, step.want)
		}
	}
	if got := r.Find(`{"id":"m-1x"}`); got != "m-1x" {
		t.Errorf("Find = %q", got)
	}
	c.at = c.at.Add(TTL)
	if got := r.Find(`{"id":"m-1x"}`); got != "" {
		t.Errorf("after the end, Find = %q", got)
	}
}

func TestRecorder_IsBounded(t *testing.T) {
	t.Parallel()
	r, c := newRecorder()
	for i := range MaxArmed {
		if _, err := r.Arm(fmt.Sprint("message-", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Arm("one-more"); !errors.Is(err, ErrTooMany) {
		t.Errorf("Arm = %v, want ErrTooMany", err)
	}
	if _, err := r.Arm("message-0"); err != nil {
		t.Errorf("Arm again = %v", err)
	}
	for range MaxEvents + 3 {
		r.Note("message-0", Event{Stage: Written})
	}
	r.Note("nothing", Event{Stage: Written})
	got, _ := r.Report("message-0")
	if len(got.Events) != MaxEvents || got.Skipped[Written] != 3 {
		t.Errorf("%d events and %v skipped, want %d and 3", len(got.Events), got.Skipped, MaxEvents)
	}
	for i := range 10 * MaxArmed {
		c.at = c.at.Add(TTL)
		if _, err := r.Arm(fmt.Sprint("later-", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.armed.Load(); n > 2*MaxArmed {
		t.Errorf("%d messages are remembered", n)
	}
}

func TestRecorder_RefusesIDs(t *testing.T) {
	t.Parallel()
	r, _ := newRecorder()
	for _, id := range []string{"", "abc", `a"bcd`, `a\bcd`, "a\nbcd", string(make([]byte, 129))} {
		if _, err := r.Arm(id); !errors.Is(err, ErrID) {
			t.Errorf("Arm(%q) = %v, want ErrID", id, err)
		}
	}
}

func TestRecorder_AckIsToldOnceForEachDevice(t *testing.T) {
	t.Parallel()
	r, _ := newRecorder()
	if _, err := r.Arm("message"); err != nil {
		t.Fatal(err)
	}
	r.Note("message", Event{Stage: Received, Channel: "user:ann", Offset: 5})
	r.Ack("user:ann", Event{Device: "d1", Offset: 4})
	r.Ack("user:bob", Event{Device: "d1", Offset: 5})
	r.Ack("user:ann", Event{Device: "d1", Offset: 5})
	r.Ack("user:ann", Event{Device: "d1", Offset: 6})
	r.Ack("user:ann", Event{Device: "d2", Offset: 6})
	got, _ := r.Report("message")
	var acked []string
	for _, e := range got.Events {
		if e.Stage == Acked {
			acked = append(acked, fmt.Sprint(e.Device, " ", e.Offset))
		}
	}
	if fmt.Sprint(acked) != "[d1 5 d2 6]" {
		t.Errorf("acked %v, want d1 at 5 and d2 at 6", acked)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	got := Merge("m", []Report{
		{Until: at, Events: []Event{{At: 3, Stage: Written}, {At: 9, Stage: Written}}, Skipped: map[Stage]uint64{Written: 2}},
		{Until: at.Add(1), Events: []Event{{At: 1, Stage: Ingress}}},
	}, 2)
	if len(got.Events) != 2 || got.Events[0].Stage != Ingress || got.Events[1].At != 3 || got.Skipped[Written] != 3 || !got.Until.Equal(at.Add(1)) {
		t.Errorf("Merge = %+v", got)
	}
}

func BenchmarkFind_Off(b *testing.B) {
	r, _ := newRecorder()
	b.ReportAllocs()
	for b.Loop() {
		if r.Find(`{"type":"room_message","content":"x"}`) != "" {
			b.Fatal("found")
		}
	}
}
