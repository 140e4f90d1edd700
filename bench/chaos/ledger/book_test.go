package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// clock is a time that a test moves.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time           { return c.at }
func (c *clock) advance(by time.Duration) { c.at = c.at.Add(by) }

// stage is a log with two seats and one publisher.
type stage struct {
	*Book
	clock      *clock
	log        int
	ann, bob   *Seat
	annL, bobL Line
}

func newStage() *stage {
	s := &stage{clock: newClock()}
	s.Book = New(s.clock.now)
	s.log = s.Open("room:log:1")
	s.ann, s.bob = s.Sit("ann", s.log), s.Sit("bob", s.log)
	s.ann.Ask(&s.annL)
	s.bob.Ask(&s.bobL)
	s.ann.Joined(&s.annL, Position{"e", 0}, false)
	s.bob.Joined(&s.bobL, Position{"e", 0}, false)
	return s
}

// publish publishes a message that is acknowledged.
func (s *stage) publish() Stamp { return s.publishBy(Stream, 1) }

func (s *stage) publishBy(source Source, publisher int) Stamp {
	s.clock.advance(time.Millisecond)
	m := s.Publish(s.log, source, publisher)
	s.Acknowledge(m)
	return m
}

// toAnn and toBob deliver messages at the offsets given.
func (s *stage) toAnn(m Stamp, offset uint64) { s.ann.Received(&s.annL, Position{Offset: offset}, m) }

func (s *stage) toBob(m Stamp, offset uint64) { s.bob.Received(&s.bobL, Position{Offset: offset}, m) }

func (s *stage) toBoth(m Stamp, offset uint64) {
	s.toAnn(m, offset)
	s.toBob(m, offset)
}

// rejoin has ann come back on a new line.
func (s *stage) rejoin(t *testing.T, want uint64, p Position, recovered bool) {
	t.Helper()
	since, again := s.ann.Ask(&s.annL)
	if !again || since.Offset != want {
		t.Errorf("comes back with %+v, %v, want offset %d", since, again, want)
	}
	s.ann.Joined(&s.annL, p, recovered)
}

// Each case breaks one promise; the books must say which, and of how many
// messages.
func TestBook_FindsFaults(t *testing.T) {
	type result struct{ lost, duplicated, outOfOrder, atRisk, deaf int }
	for name, tt := range map[string]struct {
		play func(t *testing.T, s *stage)
		want result
		says string
	}{
		"nothing": {play: func(_ *testing.T, s *stage) {
			for offset := range uint64(5) {
				s.toBoth(s.publish(), offset+1)
			}
		}},
		"a message that one does not get": {play: func(_ *testing.T, s *stage) {
			s.toBoth(s.publish(), 1)
			s.toAnn(s.publish(), 2)
			s.toBoth(s.publish(), 3)
		}, want: result{lost: 1}, says: "lost: message 1 of room:log:1 (XADD, offset 2"},
		"a message that nobody gets": {play: func(_ *testing.T, s *stage) {
			s.publish()
		}, want: result{lost: 2}, says: "reached 0 of its receivers and never ann, bob"},
		"a message that was not acknowledged, but that one got": {play: func(_ *testing.T, s *stage) {
			s.toAnn(s.Publish(s.log, Member, 1), 1)
		}, want: result{lost: 1}, says: "and never bob"},
		"a message that was neither acknowledged nor seen": {play: func(_ *testing.T, s *stage) {
			s.Publish(s.log, Member, 1)
			s.Refuse(s.Publish(s.log, Member, 1))
		}},
		"the same frame twice": {play: func(_ *testing.T, s *stage) {
			m := s.publish()
			s.toBoth(m, 1)
			s.toBob(m, 1)
		}, want: result{duplicated: 1}, says: "duplicated: bob got offset 1"},
		"one message at two offsets": {play: func(_ *testing.T, s *stage) {
			m := s.publish()
			s.toBoth(m, 1)
			s.toBoth(m, 2)
		}, want: result{duplicated: 3}, says: "is at offsets 1 and 2"}, // twice for each, and in the log
		"two messages swapped on the wire": {play: func(_ *testing.T, s *stage) {
			one, two := s.publish(), s.publish()
			s.toAnn(one, 1)
			s.toAnn(two, 2)
			s.toBob(two, 2)
			s.toBob(one, 1)
		}, want: result{outOfOrder: 1, lost: 1}, says: "bob got offset 1 of room:log:1 after 2"}, // a client drops what is behind it
		"two messages of a publisher swapped in the log": {play: func(_ *testing.T, s *stage) {
			one, two := s.publish(), s.publish()
			s.toBoth(two, 1)
			s.toBoth(one, 2)
		}, want: result{outOfOrder: 1}, says: "its publisher's later message"},
		"two messages of two publishers in either order": {play: func(_ *testing.T, s *stage) {
			one, two := s.publishBy(Stream, 1), s.publishBy(Stream, 2)
			s.toBoth(two, 1)
			s.toBoth(one, 2)
		}},
		"receivers that see different orders": {play: func(_ *testing.T, s *stage) {
			one, two := s.publishBy(Stream, 1), s.publishBy(Stream, 2)
			s.toAnn(one, 1)
			s.toAnn(two, 2)
			s.toBob(two, 1)
			s.toBob(one, 2)
		}, want: result{outOfOrder: 2}, says: "both at offset 1"},
		"what was published before the first join": {play: func(_ *testing.T, s *stage) {
			s.toBoth(s.publish(), 1)
			s.clock.advance(time.Second)
			var line Line
			cai := s.Sit("cai", s.log)
			cai.Ask(&line)
			cai.Joined(&line, Position{"e", 1}, false)
		}},
		"the position of a join that leaves a message out": {play: func(_ *testing.T, s *stage) {
			s.toBoth(s.publish(), 1)
			s.toBoth(s.publish(), 2)
			var line Line
			cai := s.Sit("cai", s.log)
			cai.Ask(&line)
			cai.Joined(&line, Position{"e", 1}, false)
		}, want: result{lost: 1}, says: "and never cai"},
		"coming back, with everything replayed": {play: func(t *testing.T, s *stage) {
			s.toBoth(s.publish(), 1)
			two := s.publish()
			s.toBob(two, 2)
			s.rejoin(t, 1, Position{"e", 2}, true)
			s.toAnn(two, 2)
			s.toBoth(s.publish(), 3)
		}},
		"coming back, with a replay that begins too early": {play: func(t *testing.T, s *stage) {
			one := s.publish()
			s.toBoth(one, 1)
			s.rejoin(t, 1, Position{"e", 1}, true)
			s.toAnn(one, 1)
		}, want: result{duplicated: 1}},
		"coming back, with a replay that begins too late": {play: func(t *testing.T, s *stage) {
			s.toBoth(s.publish(), 1)
			s.toBob(s.publish(), 2)
			three := s.publish()
			s.toBob(three, 3)
			s.rejoin(t, 1, Position{"e", 3}, true)
			s.toAnn(three, 3)
		}, want: result{lost: 1}, says: "sees a gap"},
		"recovered: false": {play: func(t *testing.T, s *stage) {
			s.toBoth(s.publish(), 1)
			s.toBob(s.publish(), 2)
			s.rejoin(t, 1, Position{"e", 2}, false)
		}, want: result{lost: 1}, says: "recovered: false"},
		"two connections that overlap": {play: func(_ *testing.T, s *stage) {
			s.toBoth(s.publish(), 1)
			var second Line
			s.ann.Ask(&second)
			two := s.publish()
			s.toBoth(two, 2)
			s.ann.Joined(&second, Position{"e", 2}, true)
			s.ann.Received(&second, Position{Offset: 2}, two)
			three := s.publish()
			s.ann.Received(&second, Position{Offset: 3}, three)
			s.toBoth(three, 3)
		}},
		"an inbox whose acknowledgement was cut off": {play: func(_ *testing.T, s *stage) {
			one, two := s.publish(), s.publish()
			s.toBoth(one, 1)
			s.toBoth(two, 2)
			s.ann.Resume(&s.annL, "e")
			s.toAnn(two, 2)
		}},
		"an inbox that comes back in disorder": {play: func(_ *testing.T, s *stage) {
			one, two := s.publish(), s.publish()
			s.toBob(one, 1)
			s.toBob(two, 2)
			s.ann.Resume(&s.annL, "e")
			s.toAnn(two, 2)
			s.toAnn(one, 1)
		}, want: result{outOfOrder: 1, lost: 1}},
		"PUBLISH while its server is killed": {play: func(_ *testing.T, s *stage) {
			s.Risk(Fell)
			s.publishBy(Bare, 1)
			s.Safe()
		}, want: result{atRisk: 1}},
		"PUBLISH while its server is killed, that one got": {play: func(_ *testing.T, s *stage) {
			s.Risk(Fell)
			s.toAnn(s.publishBy(Bare, 1), 1)
			s.Safe()
		}, want: result{lost: 1}},
		"PUBLISH while all gateways are cut off": {play: func(_ *testing.T, s *stage) {
			s.Risk(Deaf)
			s.publishBy(Bare, 1)
			s.Safe()
		}, want: result{deaf: 1}},
		"PUBLISH just before its server was killed, and long before": {play: func(_ *testing.T, s *stage) {
			s.publishBy(Bare, 1)
			s.clock.advance(2 * riskBefore)
			s.publishBy(Bare, 1)
			s.clock.advance(riskBefore / 2)
			s.Risk(Fell)
			s.Safe()
		}, want: result{lost: 2, atRisk: 1}},
		"PUBLISH after its server was killed": {play: func(_ *testing.T, s *stage) {
			s.Risk(Fell)
			s.Safe()
			s.publishBy(Bare, 1)
		}, want: result{lost: 2}},
		"PUBLISH that is first tried while its server is down, and answered by the next": {play: func(_ *testing.T, s *stage) {
			s.Risk(Fell)
			s.clock.advance(time.Millisecond)
			m := s.Publish(s.log, Bare, 1)
			s.Safe()
			s.clock.advance(time.Millisecond)
			s.Acknowledge(m)
		}, want: result{lost: 2}},
		"PUBLISH that is first tried long before its server is killed, and answered then": {play: func(_ *testing.T, s *stage) {
			s.clock.advance(time.Millisecond)
			m := s.Publish(s.log, Bare, 1)
			s.clock.advance(2 * riskBefore)
			s.Risk(Fell)
			s.Acknowledge(m)
			s.Safe()
		}, want: result{atRisk: 1}},
		"XADD while its server is killed": {play: func(_ *testing.T, s *stage) {
			s.Risk(Fell)
			s.publishBy(Stream, 1)
			s.Safe()
		}, want: result{lost: 2}},
		"a new epoch in which all comes again from the start": {play: func(t *testing.T, s *stage) {
			s.toBoth(s.publish(), 1)
			two := s.publish()
			s.toBob(two, 2)
			s.rejoin(t, 1, Position{"f", 1}, true)
			s.toAnn(two, 1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			tt.play(t, s)
			v := s.Verdict()
			if got := (result{v.Lost, v.Duplicated, v.OutOfOrder, v.AtRisk[Fell], v.AtRisk[Deaf]}); got != tt.want {
				t.Errorf("found %+v, want %+v\n%s", got, tt.want, strings.Join(v.Events, "\n"))
			}
			tt.want.atRisk, tt.want.deaf = 0, 0
			if v.Clean() != (tt.want == result{}) {
				t.Errorf("Clean() = %v", v.Clean())
			}
			if !slices.ContainsFunc(append(v.Events, ""), func(e string) bool { return strings.Contains(e, tt.says) }) {
				t.Errorf("does not say %q:\n%s", tt.says, strings.Join(v.Events, "\n"))
			}
		})
	}
}

// For how long answers to PUBLISH were no promise is told, no moment of it twice.
func TestBook_TellsHowLongItExcuses(t *testing.T) {
	for name, tt := range map[string]struct {
		play func(s *stage)
		want time.Duration
	}{
		"no fault": {play: func(s *stage) { s.clock.advance(time.Hour) }},
		"one fault": {play: func(s *stage) {
			s.Risk(Fell)
			s.clock.advance(4 * time.Second)
			s.Safe()
			s.clock.advance(time.Hour)
			s.Safe() // once more, and nothing is open
		}, want: riskBefore + 4*time.Second},
		"a fault that is not over": {play: func(s *stage) {
			s.Risk(Deaf)
			s.clock.advance(time.Minute)
		}, want: riskBefore + time.Minute},
		"two faults, the second right behind the first": {play: func(s *stage) {
			for range 2 {
				s.Risk(Fell)
				s.clock.advance(4 * time.Second)
				s.Safe()
				s.clock.advance(riskBefore / 2)
			}
		}, want: riskBefore + 4*time.Second + riskBefore/2 + 4*time.Second},
		"two faults far apart": {play: func(s *stage) {
			for range 2 {
				s.Risk(Deaf)
				s.clock.advance(time.Second)
				s.Safe()
				s.clock.advance(time.Minute)
			}
		}, want: 2 * (riskBefore + time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			tt.play(s)
			if v := s.Verdict(); v.Risky != tt.want {
				t.Errorf("excused for %v, want %v", v.Risky, tt.want)
			}
		})
	}
}

// What nobody published, or what belongs to somebody else, is a fault too.
func TestBook_FindsStrangers(t *testing.T) {
	s := newStage()
	s.toAnn(Stamp{Log: s.log, N: 7}, 1)
	s.toAnn(Stamp{Log: 9}, 1)
	other := s.Open("room:log:2")
	s.toAnn(s.Publish(other, Bare, 1), 1)
	if v := s.Verdict(); v.Strange != 2 || v.Misdelivered != 1 || v.Clean() {
		t.Errorf("found %d strange and %d of others, clean: %v; want 2, 1, false", v.Strange, v.Misdelivered, v.Clean())
	}
}

// A message without an offset in a log that must have them fails a run, and is
// counted as delivered.
func TestBook_WantsOffsets(t *testing.T) {
	s := newStage()
	s.toBoth(s.publish(), 0)
	if v := s.Verdict(); v.Unnumbered != 2 || v.Delivered != 2 || v.Lost != 0 || v.Clean() {
		t.Errorf("found %+v", v)
	}
}

func TestBook_CountsBySource(t *testing.T) {
	s := newStage()
	s.publishBy(Bare, 1)
	s.publishBy(Bare, 1)
	m := s.publishBy(Durable, 2)
	s.Acknowledge(m) // again, after a message that was sent twice
	if c := s.Counts(); c.Published != 3 || c.BySource[Bare] != 2 || c.BySource[Durable] != 1 {
		t.Errorf("counted %+v", c)
	}
}

func TestBook_Waiting(t *testing.T) {
	s := newStage()
	m := s.Publish(s.log, Member, 1)
	if !s.Waiting(time.Minute) {
		t.Error("nobody waits for an answer, want one")
	}
	s.clock.advance(2 * time.Minute)
	if s.Waiting(time.Minute) {
		t.Error("still waits for what is too old")
	}
	s.Acknowledge(m)
	if s.Waiting(time.Hour) {
		t.Error("waits for what was answered")
	}
}

// A message carries the gateway's time, or its backend's, and never that of a client
// whose clock is wrong.
func TestBook_WantsTheRightTime(t *testing.T) {
	for name, tt := range map[string]struct {
		off  time.Duration // of the time in the message
		late time.Duration // that it arrives
		want int
	}{
		"right":                   {},
		"right, and long ago":     {late: time.Minute},
		"of a clock ahead":        {off: 10 * time.Second, want: 1},
		"of a clock behind":       {off: -10 * time.Second, want: 1},
		"of a slow way, not sent": {off: 10 * time.Second, late: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage()
			m := s.publish()
			sent := s.clock.at
			s.clock.advance(tt.late)
			s.Dated(m, sent.Add(tt.off).Unix())
			s.Dated(Stamp{Log: 7}, 0)
			if v := s.Verdict(); v.Misdated != tt.want {
				t.Errorf("%d misdated, want %d: %v", v.Misdated, tt.want, v.Events)
			}
		})
	}
}
