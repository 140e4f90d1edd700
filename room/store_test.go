package room

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ginforge/gateway/engine"
)

// fakeStore is a Store in memory. What it is asked it answers at once, or when
// the test says so.
type fakeStore struct {
	mu      sync.Mutex
	held    bool // guarded by mu: answers wait for answer
	away    bool // guarded by mu: every request fails
	size    int  // guarded by mu: messages that a log keeps
	logs    map[Key]*fakeLog
	acked   map[string]uint64 // guarded by mu: by "user/device"
	waiting []func()          // guarded by mu
	reads   int               // guarded by mu: Read and OpenInbox
}

type fakeLog struct {
	epoch   string
	first   uint64 // offset of messages[0]
	entries []string
}

func (l *fakeLog) last() uint64 { return l.first + uint64(len(l.entries)) - 1 }

var errStoreAway = errors.New("store: away")

func newFakeStore(size int) *fakeStore {
	return &fakeStore{size: size, logs: map[Key]*fakeLog{}, acked: map[string]uint64{}}
}

// log returns the log of key, which begins when it is first asked for. The caller
// holds mu.
func (s *fakeStore) log(key Key) *fakeLog {
	if s.logs[key] == nil {
		s.logs[key] = &fakeLog{epoch: "e1", first: 1}
	}
	return s.logs[key]
}

// append adds a message and returns where it is.
func (s *fakeStore) append(key Key) (Position, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.log(key)
	offset := l.last() + 1
	payload := fmt.Sprintf("%s/%d", l.epoch, offset)
	l.entries = append(l.entries, payload)
	for len(l.entries) > s.size {
		l.entries = l.entries[1:]
		l.first++
	}
	return Position{l.epoch, offset}, payload
}

// renew loses everything.
func (s *fakeStore) renew(key Key, epoch string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs[key] = &fakeLog{epoch: epoch, first: 1}
}

// forget loses the latest n messages.
func (s *fakeStore) forget(key Key, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.log(key)
	l.entries = l.entries[:len(l.entries)-n]
}

func (s *fakeStore) page(key Key, after uint64, limit int) Page {
	l := s.log(key)
	p := Page{Position: Position{l.epoch, l.last()}}
	for i, payload := range l.entries {
		if offset := l.first + uint64(i); offset > after && len(p.Entries) < limit {
			p.Entries = append(p.Entries, Entry{Offset: offset, Payload: payload})
		}
	}
	return p
}

// do answers a request from what the store has now.
func (s *fakeStore) do(request func() (answer func(error))) {
	s.mu.Lock()
	away := s.away
	answer := request()
	run := func() {
		if away {
			answer(errStoreAway)
			return
		}
		answer(nil)
	}
	if s.held {
		s.waiting = append(s.waiting, run)
		run = func() {}
	}
	s.mu.Unlock()
	run()
}

func (s *fakeStore) Read(key Key, after uint64, limit int, done func(Page, error)) {
	s.do(func() func(error) {
		s.reads++
		p := s.page(key, after, limit)
		return func(err error) { done(p, err) }
	})
}

func (s *fakeStore) Positions(keys []Key, done func([]Position, error)) {
	s.do(func() func(error) {
		at := make([]Position, len(keys))
		for i, key := range keys {
			at[i] = s.page(key, 0, 0).Position
		}
		return func(err error) { done(at, err) }
	})
}

func (s *fakeStore) Restore(key Key, known Position, entries []Entry, done func(Position, error)) {
	s.do(func() func(error) {
		l := s.log(key)
		for _, e := range entries {
			if l.epoch == known.Epoch && e.Offset == l.last()+1 {
				l.entries = append(l.entries, e.Payload)
			}
		}
		at := Position{l.epoch, l.last()}
		return func(err error) { done(at, err) }
	})
}

func (s *fakeStore) OpenInbox(q InboxQuery, done func(Inbox, error)) {
	s.do(func() func(error) {
		s.reads++
		key, acked := User(q.UserID), s.acked[q.UserID+"/"+q.Device]
		in := Inbox{After: acked, Unread: len(s.page(key, acked, tip).Entries)}
		if q.After.Epoch == s.log(key).epoch {
			in.After = q.After.Offset
		}
		in.Page = s.page(key, in.After, q.Limit)
		bytes := 0
		for i, e := range in.Entries {
			if bytes += len(e.Payload); i > 0 && bytes > q.Bytes {
				in.Entries = in.Entries[:i]
				break
			}
		}
		return func(err error) { done(in, err) }
	})
}

// hold makes answers wait, or no longer.
func (s *fakeStore) hold(held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = held
}

func (s *fakeStore) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// answer lets the n-th waiting request have its answer; it reports whether there
// was one.
func (s *fakeStore) answer(n int) bool {
	s.mu.Lock()
	if n >= len(s.waiting) {
		s.mu.Unlock()
		return false
	}
	run := s.waiting[n]
	s.waiting = slices.Delete(s.waiting, n, n+1)
	s.mu.Unlock()
	run()
	return true
}

// takeReads returns how often was read since the last call.
func (s *fakeStore) takeReads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.reads
	s.reads = 0
	return n
}

// logWorld is a world whose rooms that begin with "log" and whose users that
// begin with "box" have logs.
type logWorld struct {
	*world
	store *fakeStore
}

func newLogWorld(t testing.TB, edit func(*Config)) *logWorld {
	t.Helper()
	store := newFakeStore(100)
	w := newWorld(t, func(c *Config) {
		c.History = testHistory(store)
		if edit != nil {
			edit(c)
		}
	})
	return &logWorld{w, store}
}

func testHistory(store *fakeStore) History {
	return History{
		Size: func(key Key) int {
			if key.Kind == KindRoom && strings.HasPrefix(key.Name, "log") || key.Kind == KindUser && strings.HasPrefix(key.Name, "box") {
				return store.size
			}
			return 0
		},
		TTL:   func(Key) time.Duration { return time.Hour },
		Store: store,
		Frame: func(_ Key, _ uint64, payload string) *engine.Frame { return text("%s", payload) },
		Renewed: func(_ Key, at Position) *engine.Frame {
			return text("renewed %s/%d", at.Epoch, at.Offset)
		},
		CheckInterval: 30 * time.Second,
		ReplayBytes:   4000,
	}
}

// publish appends n messages, and pushes those for which lost is false.
func (w *logWorld) publish(key Key, n int, lost bool) {
	w.t.Helper()
	for range n {
		at, payload := w.store.append(key)
		if !lost {
			w.DeliverLog(key, at.Epoch, Entry{Offset: at.Offset, Payload: payload})
		}
	}
	w.settle()
}

// admitted is what the callback of a join has been told.
type admitted struct {
	answer
	Admission
}

func (a *admitted) done(at Admission, err error) {
	a.Admission = at
	a.answer.done(err)
}

// joinLog joins d, with since unless its epoch is empty, and has what done is told
// written to it as well, for its place among the messages.
func (w *logWorld) joinLog(d *device, key Key, since Position) *admitted {
	w.t.Helper()
	a := &admitted{}
	from := &since
	if since.Epoch == "" {
		from = nil
	}
	w.JoinLog(&d.Member, key, false, from, func(at Admission, err error) {
		a.done(at, err)
		if err == nil {
			_ = d.conn.Send(text("joined %s/%d %t", at.Epoch, at.Offset, at.Recovered))
		}
	})
	w.settle()
	return a
}

// span is the messages from to up to, of epoch.
func span(epoch string, from, to int) (messages []string) {
	for i := from; i <= to; i++ {
		messages = append(messages, fmt.Sprintf("%s/%d", epoch, i))
	}
	return messages
}
