package player

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/bench/chaos/ledger"
)

// back waits until n clients are back.
func (s *stage) back(n int) {
	s.t.Helper()
	s.eventually(func() error {
		if p := s.Progress(); p.Back != n {
			return fmt.Errorf("progress %+v, want %d back", p, n)
		}
		return nil
	})
}

// asked waits until clients have sent so many frames with a text.
func (s *stage) asked(text string, n int) {
	s.t.Helper()
	s.eventually(func() error {
		if got := s.fake.count(text); got < n {
			return fmt.Errorf("%d frames with %s, want %d", got, text, n)
		}
		return nil
	})
}

// A client counts as back when something has come since the fault. One whose server is
// stopped looks well, and is not.
func TestCrowd_IsBackWhenSomethingComes(t *testing.T) {
	s := begin(t, clients, 0)
	s.fake.with(func() { s.fake.mute = true })
	s.Doubt(s.ctx)
	s.asked(`"ping"`, clients)
	s.back(0)
	if p := s.Progress(); p.Ready != clients {
		t.Errorf("%d are ready, want all", p.Ready)
	}
	s.fake.publish(s.book, s.log) // reaches all
	s.back(clients)

	s.fake.with(func() { s.fake.mute = false })
	s.Doubt(s.ctx)
	s.back(clients) // by their pongs
}

// Whoever has come back on a new connection since the fault needs no pong.
func TestCrowd_IsBackOnANewConnection(t *testing.T) {
	s := begin(t, clients, 0)
	s.Doubt(s.ctx)
	s.Herd(s.ctx, 1, true)
	s.asked(`"since"`, clients)
	s.back(clients)
}

// What a client writes after its clock has jumped carries that clock's time, and after
// a jump forwards it brings a new token.
func TestCrowd_WritesWhatItsClockSays(t *testing.T) {
	s := begin(t, 1, 0.2)
	s.Jump(s.ctx, 1, -time.Hour)
	s.Jump(s.ctx, 1, 3*time.Hour)
	s.asked(`"type":"refresh","id":"refresh","content":{"token":"`, 1)
	s.asked(`"type":"room_message"`, 1)
	s.fake.with(func() {
		i := slices.IndexFunc(s.fake.asked, func(frame string) bool { return strings.Contains(frame, `"room_message"`) })
		seconds, ok := numberAfter([]byte(s.fake.asked[i]), `"timestamp":`)
		if ahead := time.Until(time.Unix(int64(seconds), 0)); !ok || ahead < 115*time.Minute || ahead > 125*time.Minute {
			t.Errorf("a clock two hours ahead writes %s, which is %v ahead", s.fake.asked[i], ahead)
		}
	})
}

// A server that passes on a sender's wrong time is found out.
func TestCrowd_FindsAWrongTime(t *testing.T) {
	s := begin(t, clients, 0)
	stamp := s.book.Publish(s.log, ledger.Member, 1)
	s.book.Acknowledge(stamp)
	frame := string(append(AppendStamp([]byte(`{"type":"room_message","room":"log:0","offset":1,"content":{`), stamp), `},"timestamp":1795380540}`...))
	s.fake.tell(frame)
	s.delivered(clients)
	if v := s.book.Verdict(); v.Misdated != clients {
		t.Errorf("%d misdated, want %d", v.Misdated, clients)
	}
}

// A clock that is put back makes connections late, by seconds and not by hours; one
// that is put forward, early.
func TestClient_Jumps(t *testing.T) {
	const hour = int64(time.Hour)
	for name, tt := range map[string]struct {
		by   time.Duration
		want int64 // until the connection, by the true clock
	}{
		"a little back": {-time.Second, int64(2 * time.Second)},
		"far back":      {-time.Hour, int64(time.Second + latest)},
		"forwards":      {time.Hour, int64(time.Second) - hour},
	} {
		cl := client{reopenAt: int64(time.Second)}
		cl.jump(tt.by)
		if got := cl.reopenAt - cl.skew; got != tt.want {
			t.Errorf("%s: connects after %v, want %v", name, time.Duration(got), time.Duration(tt.want))
		}
	}
}
