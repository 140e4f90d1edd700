package session

import (
	"testing"
	"time"

	"github.com/ginforge/gateway/message"
)

// at is a moment in the middle of a notificationPeriod.
var at = time.Unix(1697356805, 0)

func idOf(t testing.TB, user, payload string, now time.Time) string {
	t.Helper()
	var env message.Envelope
	if err := (message.Limits{}).DecodePayload([]byte(payload), &env); err != nil {
		t.Fatalf("DecodePayload(%s): %v", payload, err)
	}
	return notificationID(user, &env, []byte(payload), now)
}

func TestNotificationID(t *testing.T) {
	const (
		plain = `{"type":"notification","content":"hi"}`
		dated = `{"type":"notification","content":"hi","timestamp":7}`
	)
	first := idOf(t, "u1", plain, at)
	for name, tt := range map[string]struct {
		user, payload string
		now           time.Time
		same          bool
	}{
		"the same":               {"u1", plain, at, true},
		"a little later":         {"u1", plain, at.Add(4 * time.Second), true},
		"in the next period":     {"u1", plain, at.Add(notificationPeriod), false},
		"to another user":        {"u2", plain, at, false},
		"with other content":     {"u1", `{"type":"notification","content":"ho"}`, at, false},
		"user and payload moved": {"u1{", plain[1:], at, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := notificationID(tt.user, &message.Envelope{}, []byte(tt.payload), tt.now)
			if (got == first) != tt.same {
				t.Errorf("id = %s beside %s; are they equal: %t, want %t", got, first, got == first, tt.same)
			}
			if len(got) != 32 {
				t.Errorf("id = %q, want 32 digits", got)
			}
		})
	}
	if a, b := idOf(t, "u1", dated, at), idOf(t, "u1", dated, at.Add(time.Hour)); a != b {
		t.Errorf("ids of a payload with a time are %s and %s, want the same at any time", a, b)
	}
	if got := idOf(t, "u1", `{"type":"notification","id":"m1"}`, at); got != "m1" {
		t.Errorf("id = %q, want that of the message", got)
	}
}

// Devices of a user on two nodes, and a payload that comes twice.
func TestManager_NotificationsOfTwoNodes(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		other := newWorld(t, nil)
		here, there := w.connect(t, "u1"), other.connect(t, "u1")
		idAt := func(w *world, c *client) any {
			w.Receive(ToUserNotification, "u1", `{"message":{"type":"notification","content":{"title":"x"},"data":{"k":1}}}`)
			got := c.got()
			if len(got) != 1 {
				t.Fatalf("got %q, want one notification", got)
			}
			m := decode(t, got[0])
			if m.Type != "notification" || m.Data["read"] != false || m.Data["k"] != 1.0 {
				t.Errorf("got %s, want a notification with read false and its own data", got[0])
			}
			return m.Data["notification_id"]
		}
		first := idAt(w, here)
		if second := idAt(other, there); first != second {
			t.Errorf("two nodes say %v and %v, want the same id", first, second)
		}
		time.Sleep(notificationPeriod)
		if later := idAt(w, here); later == first {
			t.Errorf("the same payload later has the same id %v", later)
		}
	})
}
