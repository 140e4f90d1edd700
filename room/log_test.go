package room

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var logged = Room("log:1")

func TestLog_JoinSaysWhereItBegins(t *testing.T) {
	w := newLogWorld(t, nil)
	w.publish(logged, 3, true)
	d := w.attach("a")
	w.joinLog(d, logged, Position{}).want(t, "JoinLog", nil)
	w.publish(logged, 2, false)
	d.wantMessages(t, "joined e1/3 false", "e1/4", "e1/5")
}

func TestLog_ReplaysWhatWasMissed(t *testing.T) {
	for name, c := range map[string]struct {
		since Position
		want  []string
	}{
		"all of it":                {Position{"e1", 0}, append([]string{"joined e1/10 true"}, span("e1", 1, 10)...)},
		"some of it":               {Position{"e1", 7}, []string{"joined e1/10 true", "e1/8", "e1/9", "e1/10"}},
		"nothing":                  {Position{"e1", 10}, []string{"joined e1/10 true"}},
		"another epoch's":          {Position{"e0", 7}, []string{"joined e1/10 false"}},
		"more than there ever was": {Position{"e1", 11}, []string{"joined e1/10 false"}},
	} {
		for _, warm := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, warm=%t", name, warm), func(t *testing.T) {
				w := newLogWorld(t, nil)
				if warm {
					w.joinLog(w.attach("z"), logged, Position{})
				}
				w.publish(logged, 10, false)
				d := w.attach("a")
				w.joinLog(d, logged, c.since).want(t, "JoinLog", nil)
				d.wantMessages(t, c.want...)
				w.publish(logged, 1, false)
				d.wantMessages(t, "e1/11")
			})
		}
	}
}

// A member that has heard more than this node, from another, waits until the node
// has read as far, also when a page of something older comes first.
func TestLog_MemberIsAheadOfTheNode(t *testing.T) {
	w := newLogWorld(t, func(c *Config) { c.History.ReplayBytes = 1 << 20 })
	w.store.size = 5000
	w.joinLog(w.attach("z"), logged, Position{})
	w.publish(logged, 100, false)
	w.publish(logged, 500, true)
	w.store.hold(true)
	w.joinLog(w.attach("a"), logged, Position{"e1", 10})
	ahead := w.attach("b")
	w.joinLog(ahead, logged, Position{"e1", 590})
	for w.store.answer(0) {
		w.settle()
	}
	ahead.wantMessages(t, append([]string{"joined e1/600 true"}, span("e1", 591, 600)...)...)
}

// What an earlier question brings does not say that a member ahead is wrong.
func TestLog_MemberIsAheadOfAnOlderQuestion(t *testing.T) {
	w := newLogWorld(t, nil)
	w.joinLog(w.attach("z"), logged, Position{})
	w.publish(logged, 3, false)
	w.store.hold(true)
	w.publish(logged, 1, true)
	w.publish(logged, 1, false) // so that the store is asked for the one before
	w.publish(logged, 4, true)
	ahead := w.attach("b")
	w.joinLog(ahead, logged, Position{"e1", 8})
	for w.store.answer(0) {
		w.settle()
	}
	ahead.wantMessages(t, "joined e1/9 true", "e1/9")
}

func TestLog_SaysWhenHistoryDoesNotReachBack(t *testing.T) {
	for name, before := range map[string]int{"no longer kept": 150, "too much to replay": 100} {
		t.Run(name, func(t *testing.T) {
			w := newLogWorld(t, func(c *Config) { c.History.ReplayBytes = 300 })
			w.publish(logged, before, true)
			d := w.attach("a")
			w.joinLog(d, logged, Position{"e1", 1})
			w.publish(logged, 1, false)
			d.wantMessages(t, fmt.Sprintf("joined e1/%d false", before), fmt.Sprintf("e1/%d", before+1))
		})
	}
}

func TestLog_ReplaysOverSeveralPages(t *testing.T) {
	w := newLogWorld(t, func(c *Config) { c.History.ReplayBytes = 1 << 20 })
	w.store.size = 5000
	w.joinLog(w.attach("z"), logged, Position{})
	w.publish(logged, 1500, true)
	w.publish(logged, 1500, false)
	d := w.attach("a")
	w.joinLog(d, logged, Position{"e1", 10})
	d.wantMessages(t, append([]string{"joined e1/3000 true"}, span("e1", 11, 3000)...)...)
}

// Replays of one room to many clients at once read the store once.
func TestLog_ManyJoinersAreOneRead(t *testing.T) {
	const joiners = 500
	w := newLogWorld(t, nil)
	w.publish(logged, 90, true)
	w.store.hold(true)
	devices := make([]*device, joiners)
	for i := range devices {
		devices[i] = w.attach(fmt.Sprintf("u%d", i))
		w.joinLog(devices[i], logged, Position{"e1", uint64(70 + i%10)})
	}
	for w.store.answer(0) {
		w.settle()
	}
	w.publish(logged, 1, false)
	if n := w.store.takeReads(); n != 1 {
		t.Errorf("%d joiners caused %d reads, want 1", joiners, n)
	}
	for i, d := range devices {
		d.wantMessages(t, append([]string{"joined e1/90 true"}, span("e1", 71+i%10, 91)...)...)
	}
}

func TestLog_LostMessagesAreRepairedInOrder(t *testing.T) {
	w := newLogWorld(t, nil)
	d := w.attach("a")
	w.joinLog(d, logged, Position{})
	w.publish(logged, 2, false)
	w.publish(logged, 3, true)
	w.publish(logged, 2, false)
	d.wantMessages(t, append([]string{"joined e1/0 false"}, span("e1", 1, 7)...)...)
	if s := w.LogStats(); s.Repaired < 3 || s.Early == 0 {
		t.Errorf("stats = %+v, want at least 3 repaired and some early", s)
	}
}

func TestLog_DuplicatesAreDropped(t *testing.T) {
	w := newLogWorld(t, nil)
	d := w.attach("a")
	w.joinLog(d, logged, Position{})
	at, payload := w.store.append(logged)
	for range 3 {
		w.DeliverLog(logged, at.Epoch, Entry{Offset: at.Offset, Payload: payload})
	}
	w.settle()
	d.wantMessages(t, "joined e1/0 false", "e1/1")
}

// A lost message that has none behind it is found by the tail check.
func TestLog_IdleLogsAreChecked(t *testing.T) {
	w := newLogWorld(t, nil)
	d := w.attach("a")
	w.joinLog(d, logged, Position{})
	w.publish(logged, 2, true)
	d.wantMessages(t, "joined e1/0 false")
	w.tick(31)
	d.wantMessages(t, "e1/1", "e1/2")
}

func TestLog_CheckLogLooksSoon(t *testing.T) {
	w := newLogWorld(t, nil)
	d := w.attach("a")
	w.joinLog(d, logged, Position{})
	w.publish(logged, 2, true)
	w.CheckLog(logged)
	w.tick(1)
	d.wantMessages(t, "joined e1/0 false", "e1/1", "e1/2")
}

func TestLog_NewEpochIsToldAndHeardFromItsStart(t *testing.T) {
	w := newLogWorld(t, nil)
	d := w.attach("a")
	w.joinLog(d, logged, Position{})
	w.publish(logged, 5, false)
	w.store.renew(logged, "e2")
	w.publish(logged, 2, true)
	w.publish(logged, 1, false)
	d.wantMessages(t, append(append([]string{"joined e1/0 false"}, span("e1", 1, 5)...),
		"renewed e2/0", "e2/1", "e2/2", "e2/3")...)
}

func TestLog_PutsBackWhatTheStoreHasLost(t *testing.T) {
	w := newLogWorld(t, nil)
	d := w.attach("a")
	w.joinLog(d, logged, Position{})
	w.publish(logged, 5, false)
	w.store.forget(logged, 2)
	w.CheckLog(logged)
	w.tick(1)
	w.publish(logged, 1, false)
	d.wantMessages(t, append([]string{"joined e1/0 false"}, span("e1", 1, 6)...)...)
	if p := w.store.page(logged, 0, 100); len(p.Entries) != 6 {
		t.Errorf("the store has %d messages, want 6", len(p.Entries))
	}
}

// What nobody has cannot be put back: members are told.
func TestLog_SaysWhenTheStoreLostWhatIsNotKept(t *testing.T) {
	w := newLogWorld(t, nil)
	w.publish(logged, 5, true)
	d := w.attach("a")
	w.joinLog(d, logged, Position{})
	w.store.forget(logged, 2)
	w.CheckLog(logged)
	w.tick(1)
	w.publish(logged, 1, false)
	d.wantMessages(t, "joined e1/5 false", "renewed e1/3", "e1/4")
}

func TestLog_GapThatHistoryNoLongerHasIsTold(t *testing.T) {
	w := newLogWorld(t, nil)
	d := w.attach("a")
	w.joinLog(d, logged, Position{})
	w.publish(logged, 1, false)
	w.publish(logged, 200, true)
	w.publish(logged, 1, false)
	got := slices.Concat(d.conn.take()...)
	want := append([]string{"joined e1/0 false", "e1/1", "renewed e1/102"}, span("e1", 103, 202)...)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLog_FailedReadsAreTriedAgain(t *testing.T) {
	w := newLogWorld(t, nil)
	d := w.attach("a")
	w.joinLog(d, logged, Position{})
	w.store.set(true)
	w.publish(logged, 1, true)
	w.publish(logged, 1, false)
	d.wantMessages(t, "joined e1/0 false")
	w.store.set(false)
	w.tick(2)
	d.wantMessages(t, "e1/1", "e1/2")
}

func TestLog_JoinIsRefusedWhenTheStoreIsAway(t *testing.T) {
	w := newLogWorld(t, nil)
	w.store.set(true)
	d := w.attach("a")
	a := w.joinLog(d, logged, Position{"e1", 0})
	w.tick(5)
	a.pending(t, "JoinLog")
	w.tick(1)
	a.want(t, "JoinLog", ErrUnconfirmed)
	w.store.set(false)
	w.publish(logged, 1, false)
	w.tick(20)
	d.wantMessages(t)
	if err := w.leave(d, logged); !errors.Is(err, ErrNotMember) {
		t.Errorf("Leave = %v, want ErrNotMember", err)
	}
	check(t, w.world)
}

func TestLog_LeavingWhileItWaits(t *testing.T) {
	w := newLogWorld(t, nil)
	w.store.hold(true)
	d := w.attach("a")
	a := w.joinLog(d, logged, Position{"e1", 0})
	var behind answer
	w.InOrder(&d.Member, logged, behind.done)
	w.settle()
	behind.pending(t, "InOrder behind the join")
	w.exit(d, logged)
	a.want(t, "JoinLog", ErrGone)
	behind.want(t, "InOrder", nil)
	again := w.joinLog(d, logged, Position{"e1", 0})
	w.publish(logged, 1, false)
	for w.store.answer(0) {
		w.settle()
	}
	again.want(t, "the second JoinLog", nil)
	w.publish(logged, 1, false)
	if got := slices.Concat(d.conn.take()...); got[len(got)-1] != "e1/2" || len(got) != 3 {
		t.Errorf("got %q, want joined, e1/1 and e1/2 once each", got)
	}
	check(t, w.world)
}

// What a member asks for behind its join waits for the admission with it, so that
// its own message comes back to it.
func TestLog_InOrderWaitsForTheAdmission(t *testing.T) {
	w := newLogWorld(t, nil)
	w.store.hold(true)
	d := w.attach("a")
	w.joinLog(d, logged, Position{})
	var behind answer
	w.InOrder(&d.Member, logged, behind.done)
	w.settle()
	behind.pending(t, "InOrder")
	w.store.answer(0)
	w.settle()
	behind.want(t, "InOrder", nil)
}

// A client that has seen a gap asks for the rest without leaving.
func TestLog_MemberMayAskForOlderMessages(t *testing.T) {
	w := newLogWorld(t, nil)
	d := w.attach("a")
	w.joinLog(d, logged, Position{})
	w.publish(logged, 4, false)
	d.conn.take()
	w.joinLog(d, logged, Position{"e1", 2}).want(t, "JoinLog", nil)
	w.publish(logged, 1, false)
	d.wantMessages(t, "joined e1/4 true", "e1/3", "e1/4", "e1/5")
	check(t, w.world)
}

// Who comes back soon finds the log as it was left, and what it missed meanwhile.
func TestLog_IsRememberedForAWhile(t *testing.T) {
	w := newLogWorld(t, nil)
	d := w.attach("a")
	w.joinLog(d, logged, Position{})
	w.publish(logged, 2, false)
	w.exit(d, logged)
	w.publish(logged, 1, true) // the bus has unsubscribed
	d.conn.take()
	w.joinLog(d, logged, Position{"e1", 2})
	d.wantMessages(t, "joined e1/3 true", "e1/3")
	w.exit(d, logged)
	w.tick(lingerTicks + 1)
	if s := w.LogStats(); s.Logs != 0 || s.KeptBytes != 0 {
		t.Errorf("%d logs and %d bytes are kept for nobody, want none", s.Logs, s.KeptBytes)
	}
}

func TestLog_MemoryIsGivenBack(t *testing.T) {
	w := newLogWorld(t, func(c *Config) { c.History.ReplayBytes = 1 << 20 })
	w.store.size = 2000
	w.publish(logged, 2000, true)
	d := w.attach("a")
	w.joinLog(d, logged, Position{"e1", 5})
	if n := len(w.logs.find(logged).kept.entries); n < 1990 {
		t.Errorf("%d messages are kept right after a replay, want all", n)
	}
	w.tick(demandedTicks + 2)
	if n := len(w.logs.find(logged).kept.entries); n > keptEntries {
		t.Errorf("%d messages are kept a while after a replay, want at most %d", n, keptEntries)
	}
}

// What the store keeps no longer is not replayed from memory either.
func TestLog_MemoryKeepsNothingLongerThanTheStore(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"too old":  func(c *Config) { c.History.TTL = func(Key) time.Duration { return 5 * time.Second } },
		"too many": func(c *Config) { c.History.Size = func(key Key) int { return map[Key]int{logged: 2}[key] } },
	} {
		t.Run(name, func(t *testing.T) {
			w := newLogWorld(t, edit)
			w.store.size = 1
			w.joinLog(w.attach("z"), logged, Position{})
			w.publish(logged, 4, false)
			w.tick(7)
			d := w.attach("a")
			w.joinLog(d, logged, Position{"e1", 1})
			d.wantMessages(t, "joined e1/4 false")
		})
	}
}

// TestLog_FailedChecksAreNoMoreThanOthers: while the store is away, logs are compared no
// more often than else, however many there are.
func TestLog_FailedChecksAreNoMoreThanOthers(t *testing.T) {
	const logs = maxChecks + 1000
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore(10)
		w, stop := runWorld(t, func(c *Config) { c.History, c.MaxRooms = testHistory(store), logs })
		defer stop()
		d := newDevice("a")
		w.Attach(&d.Member, func(error) {})
		for i := range logs {
			w.JoinLog(&d.Member, Room(fmt.Sprint("log:", i)), false, nil, func(Admission, error) {})
		}
		synctest.Wait()
		store.set(true)
		before := w.LogStats().Failures
		time.Sleep(32 * time.Second) // of the bubble; at the 30th and later ticks all are due
		synctest.Wait()
		const most = 3 * maxChecks / checkBatch
		if got := w.LogStats().Failures - before; got == 0 || got > most {
			t.Errorf("%d requests in the seconds in which logs are due, want 1 to %d", got, most)
		}
	})
}

// TestLog_AllThatComeBackAreCheckedAtOnce: however many inboxes a node has, none
// is compared with the store after appends have begun again.
func TestLog_AllThatComeBackAreCheckedAtOnce(t *testing.T) {
	const inboxes = 15_000
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore(10)
		w, stop := runWorld(t, func(c *Config) { c.History, c.MaxRooms = testHistory(store), inboxes })
		defer stop()
		keys := make([]Key, inboxes)
		d := newDevice("a")
		w.Attach(&d.Member, func(err error) {
			if err != nil {
				t.Errorf("Attach = %v", err)
			}
		})
		for i := range keys {
			keys[i] = Room(fmt.Sprint("log:", i))
			w.JoinLog(&d.Member, keys[i], false, nil, func(_ Admission, err error) {
				if err != nil {
					t.Errorf("JoinLog = %v", err)
				}
			})
		}
		synctest.Wait()
		for _, key := range keys {
			at, payload := store.append(key)
			w.DeliverLog(key, at.Epoch, Entry{Offset: at.Offset, Payload: payload})
		}
		w.Flush()
		synctest.Wait()
		for _, key := range keys {
			store.forget(key, 1)
			w.CheckLog(key)
		}
		time.Sleep(2 * resumedPause) // of the bubble
		synctest.Wait()
		if got := w.LogStats().Restored; got != inboxes {
			t.Errorf("of %d logs %d were put back %v after they came back", inboxes, got, 2*resumedPause)
		}
		for _, key := range keys {
			store.forget(key, 1)
			w.CheckLog(key)
		}
		store.set(true)
		time.Sleep(2 * resumedPause)
		store.set(false)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := w.LogStats().Restored; got != 2*inboxes {
			t.Errorf("%d were put back when the store could be asked again, want all %d", got-inboxes, inboxes)
		}
	})
}
