package room

import (
	"fmt"
	"math/rand"
	"slices"
	"sync"
	"testing"
)

// confirmLate confirms every subscription from a goroutine of its own, until
// stop is called.
func (b *fakeBus) confirmLate() (stop func()) {
	b.mu.Lock()
	b.held = true
	b.asked = make(chan Key, 1<<16)
	b.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for key := range b.asked {
			b.confirm(key)
		}
	}()
	return func() {
		close(b.asked)
		<-ended
	}
}

func TestHub_FirstAndLastAreSerialisedUnderConcurrency(t *testing.T) {
	w, stop := runWorld(t, nil)
	stopBus := w.bus.confirmLate()
	rooms := []Key{Room("1"), Room("2"), Watch("1")}

	var clients, answers sync.WaitGroup
	done := func(error) { answers.Done() }
	for i := range 8 {
		clients.Go(func() {
			rng := rand.New(rand.NewSource(int64(i)))
			var d *device
			for n := range 600 {
				if n%60 == 0 { // connects anew, sometimes as another user
					if d != nil {
						w.Detach(&d.Member)
					}
					d = newDevice(fmt.Sprintf("u%d", rng.Intn(6)))
					answers.Add(1)
					w.Attach(&d.Member, done)
				}
				key := rooms[rng.Intn(len(rooms))]
				answers.Add(1)
				if rng.Intn(2) == 0 {
					w.Join(&d.Member, key, key.Name == "2", done)
				} else {
					w.Leave(&d.Member, key, done)
				}
				w.look(key)
			}
			if i%2 == 0 {
				w.Detach(&d.Member)
			}
		})
	}
	clients.Wait()
	answers.Wait() // each callback runs exactly once
	stop()
	stopBus()
	check(t, w)
	checkAlternation(t, w.bus)
}

// look calls what may be called at any time.
func (w *world) look(key Key) {
	w.Deliver(key, text("x"))
	w.Broadcast(text("x"))
	w.InRoom(key.Name, 3)
	w.Online([]string{"u1", "u2"})
	w.OnlineUsers("u1", 3)
	w.Stats()
}

// checkAlternation fails the test unless each key was subscribed and
// unsubscribed by turns, and is subscribed at the end if it has members.
func checkAlternation(t *testing.T, b *fakeBus) {
	t.Helper()
	last := map[string]string{}
	for _, call := range b.takeLog() {
		what, name := call[:1], call[1:]
		if last[name] == what || (last[name] == "" && what == "-") {
			t.Errorf("%s was told %q behind %q", name, what, last[name])
		}
		last[name] = what
	}
	for key := range b.wanted {
		if name := nameOf(key); last[name] != "+" {
			t.Errorf("%s has members, and the bus was told %q last", name, last[name])
		}
		delete(last, nameOf(key))
	}
	for name, what := range last {
		if what == "+" {
			t.Errorf("%s has no members, and the bus was told %q last", name, what)
		}
	}
}

// What is published while others come and go reaches a member in its order, and
// without a gap between the answer to its join and its leave.
func TestHub_OrderHoldsWhileMembersComeAndGo(t *testing.T) {
	w, stop := runWorld(t, nil)
	key := Room("r")
	ends := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 6 {
		clients.Go(func() {
			d := newDevice(fmt.Sprintf("u%d", i))
			attached := make(chan error, 1)
			w.Attach(&d.Member, func(err error) { attached <- err })
			if err := <-attached; err != nil {
				t.Errorf("Attach = %v, want nil", err)
			}
			for {
				select {
				case <-ends:
					return
				default:
					w.visit(t, d, key)
				}
			}
		})
	}
	stays := newDevice("stays")
	joined := make(chan error, 2)
	w.Attach(&stays.Member, func(err error) { joined <- err })
	w.Join(&stays.Member, key, false, func(err error) { joined <- err })
	for range 2 {
		if err := <-joined; err != nil {
			t.Fatalf("Attach or Join = %v, want nil", err)
		}
	}
	var want []string
	for i := range 5000 {
		want = append(want, number(i))
		w.Deliver(key, text("%s", number(i)))
	}
	close(ends)
	clients.Wait()
	stop()
	stays.wantMessages(t, want...)
	check(t, w)
}

// number is i in a form that sorts.
func number(i int) string { return fmt.Sprintf("%06d", i) }

// visit joins key, leaves it again, and looks at what came in between.
func (w *world) visit(t *testing.T, d *device, key Key) {
	answered := make(chan error, 1)
	ask := func(what string, f func(done func(error))) {
		f(func(err error) { answered <- err })
		if err := <-answered; err != nil {
			t.Errorf("%s of a visitor = %v, want nil", what, err)
		}
	}
	ask("Join", func(done func(error)) { w.Join(&d.Member, key, false, done) })
	for range 3 { // the worker goes round with others' messages
		ask("InOrder", func(done func(error)) { w.InOrder(&d.Member, key, done) })
	}
	ask("Leave", func(done func(error)) { w.Leave(&d.Member, key, done) })
	got := slices.Concat(d.conn.take()...)
	if len(got) == 0 {
		return
	}
	var first int
	if _, err := fmt.Sscanf(got[0], "%d", &first); err != nil {
		t.Errorf("a visitor got %q", got[0])
	}
	for i, m := range got {
		if m != number(first+i) {
			t.Errorf("a visitor got %s behind %d others from %d on, want every number", m, i, first)
			return
		}
	}
}
