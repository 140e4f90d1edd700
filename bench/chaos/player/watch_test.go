package player

import (
	"fmt"
	"testing"
)

// edge tells all members that a user has come or gone.
func (s *stage) edge(user, status string) {
	s.fake.tell(fmt.Sprintf(`{"type":"user_status","content":{"user_id":%q,"status":%q}}`, user, status))
}

// wrong waits until so many watchers were found to be wrong about somebody.
func (s *stage) wrong(n int) {
	s.t.Helper()
	s.eventually(func() error {
		s.presence.Check()
		if got := s.presence.Result().Errors; got != n {
			return fmt.Errorf("%d errors, want %d", got, n)
		}
		return nil
	})
}

// Who watches users, and who was told as a member of their room, tells the books what
// it believes: that somebody is offline who is there is found with both.
func TestCrowd_Watches(t *testing.T) {
	for name, busy := range map[string]bool{"answered at once": false, "refused at first": true} {
		t.Run(name, func(t *testing.T) {
			s := beginWith(t, clients, 0, 1, &fakeOptions{busy: busy})
			if busy {
				s.asked(`"type":"watch"`, 1)
				s.asked(`"type":"presence"`, 1)
				s.fake.with(func() { s.fake.busy = false })
			}
			// The answers are there when edges are believed.
			s.eventually(func() error {
				s.edge("u3", "online")
				if got := s.presence.Result().Edges; got < 4 {
					return fmt.Errorf("%d edges told, want some of both", got)
				}
				return nil
			})
			s.edge("u3", "offline")
			s.wrong(2)
		})
	}
}

// A watcher that moves goes on believing on its new connection.
func TestCrowd_WatchesOnTheMove(t *testing.T) {
	s := beginWith(t, clients, 0, 1, &fakeOptions{})
	s.fake.tell(`{"type":"reconnect","content":{"code":4200,"reason":"draining","delay_ms":10,"grace_ms":5000}}`)
	s.asked(`"since"`, clients)
	s.ready()
	before := s.presence.Result().Edges
	s.eventually(func() error {
		s.edge("u3", "online")
		if got := s.presence.Result().Edges - before; got < 4 {
			return fmt.Errorf("%d edges told, want some of both", got)
		}
		return nil
	})
}
