package session

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ginforge/gateway/message"
)

func TestManager_Receive(t *testing.T) {
	const stamped = `,"timestamp":946684800}`
	for name, tt := range map[string]struct {
		to      Target
		name    string
		payload string
		want    map[string]string // by user; the devices of u1 get the same
		typ     string
	}{
		"broadcast": {
			ToAll, "", `{"type":"broadcast","content":[1.0],"timestamp":7}`,
			map[string]string{
				"u1": `{"type":"broadcast","content":[1.0],"timestamp":7}`,
				"u2": `{"type":"broadcast","content":[1.0],"timestamp":7}`,
			},
			"broadcast",
		},
		"wrapped": {
			ToAll, "", ` {"message": {"type":"system","content":{"level":"info"}}}`,
			map[string]string{
				"u1": `{"type":"system","content":{"level":"info"}` + stamped,
				"u2": `{"type":"system","content":{"level":"info"}` + stamped,
			},
			"system",
		},
		"user": {
			ToUser, "u1", `{"type":"user_message","from":"u2","content":"hi"}`,
			map[string]string{"u1": `{"type":"user_message","from":"u2","content":"hi"` + stamped},
			"user_message",
		},
		"user who is not here": {ToUser, "u9", `{"type":"user_message"}`, nil, "user_message"},
		"notification with an id": {
			ToUserNotification, "u2", `{"type":"x","id":"n1","content":{}}`,
			map[string]string{"u2": `{"type":"notification","id":"n1","content":{},"data":{"notification_id":"n1","read":false}` + stamped},
			"notification",
		},
		"notification with data": {
			ToUserNotification, "u2", `{"type":"notification","data":{"notification_id":7,"read":true},"timestamp":7}`,
			map[string]string{"u2": `{"type":"notification","data":{"notification_id":7,"read":true},"timestamp":7}`},
			"notification",
		},
		"room": {
			ToRoom, "team:1", `{"type":"room_message","room":"elsewhere"}`,
			map[string]string{"u1": `{"room":"team:1","type":"room_message"` + stamped},
			"room_message",
		},
		"room of nobody": {ToRoom, "team:9", `{"type":"room_message"}`, nil, "room_message"},
		"unknown type":   {ToUser, "u2", `{"type":"mine"}`, map[string]string{"u2": `{"type":"mine"` + stamped}, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				clients := []*client{w.connect(t, "u1", "team:1"), w.connect(t, "u1", "team:1"), w.connect(t, "u2")}
				for _, c := range clients {
					c.got()
				}
				w.Receive(tt.to, tt.name, tt.payload)
				for _, c := range clients {
					if frame, gets := tt.want[c.member.UserID()]; gets {
						c.want(frame)
					} else {
						c.want()
					}
				}
				if got := w.Stats().Payloads[tt.typ]; got != 1 {
					t.Errorf("%d payloads of type %q counted, want 1", got, tt.typ)
				}
			})
		})
	}
}

// One payload after another uses the same memory; nothing may shine through.
func TestManager_ReceiveKeepsNothing(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		c := w.connect(t, "u1")
		var want []string
		for i := range 20 {
			p := fmt.Sprintf(`{"type":"x","content":"%s","timestamp":7}`, strings.Repeat("y", 1000-50*i))
			w.Receive(ToUser, "u1", p)
			want = append(want, p)
		}
		c.want(want...)
	})
}

func TestManager_ReceiveDrops(t *testing.T) {
	for name, tt := range map[string]struct{ payload, cause string }{
		"not JSON":     {`hello`, "malformed"},
		"not closed":   {`{"type":"x"`, "malformed"},
		"an array":     {`[]`, "malformed"},
		"empty":        {``, "malformed"},
		"no type":      {`{"content":1}`, "malformed"},
		"type of one":  {`{"type":1}`, "malformed"},
		"from of one":  {`{"type":"x","from":1}`, "malformed"},
		"wrapped none": {`{"message":{}}`, "malformed"},
		"too large":    {`{"type":"` + strings.Repeat("x", 64<<10) + `"}`, "too_large"},
		"too deep":     {`{"type":"x","content":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "too_deep"},
		"not UTF-8":    {"{\"type\":\"x\",\"content\":\"\xff\"}", "not_utf8"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(t *testing.T, w *world) {
				c := w.connect(t, "u1")
				w.Receive(ToAll, "", tt.payload)
				c.want()
				stats := w.Stats()
				for cause, n := range stats.Drops {
					if want := cause == tt.cause; (n == 1) != want {
						t.Errorf("Drops[%s] = %d, want only %s counted", cause, n, tt.cause)
					}
				}
				for typ, n := range stats.Payloads {
					if n != 0 {
						t.Errorf("Payloads[%s] = %d, want 0", typ, n)
					}
				}
				w.Receive(ToAll, "", `{"type":"x","timestamp":7}`) // the bridge goes on
				c.want(`{"type":"x","timestamp":7}`)
			})
		})
	}
}

func TestCauseOf(t *testing.T) {
	for err, want := range map[error]int{
		message.ErrTooLarge:                           dropTooLarge,
		message.ErrTooDeep:                            dropTooDeep,
		message.ErrNotUTF8:                            dropNotUTF8,
		&message.SyntaxError{}:                        dropMalformed,
		errors.New("another"):                         dropMalformed,
		fmt.Errorf("wrapped: %w", message.ErrTooDeep): dropTooDeep,
	} {
		if got := causeOf(err); got != want {
			t.Errorf("causeOf(%v) = %s, want %s", err, dropNames[got], dropNames[want])
		}
	}
}

// A flood of bad payloads makes a line every ten seconds, with the number of
// those that made none.
func TestManager_ReceiveLogsDropsOnceInAWhile(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		const secret = "do not log payloads"
		bad := `{"` + secret
		for range 100 {
			w.Receive(ToRoom, "team:1", bad)
		}
		time.Sleep(10 * time.Second)
		w.Receive(ToUserNotification, "u1", bad)
		w.Receive(ToUserNotification, "u1", bad)
		synctest.Wait()
		lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
		if len(lines) != 2 {
			t.Fatalf("%d lines, want 2:\n%s", len(lines), w.log)
		}
		for i, want := range []string{
			`"channel":"room","name":"team:1","skipped":0,"message":"payload from Redis dropped"`,
			`"channel":"notification","name":"u1","skipped":99,"message":"payload from Redis dropped"`,
		} {
			if !strings.Contains(lines[i], want) || !strings.Contains(lines[i], `"level":"warn"`) || strings.Contains(lines[i], secret) {
				t.Errorf("line %d is %s, want %s", i, lines[i], want)
			}
		}
		if got := w.Stats().Drops["malformed"]; got != 102 {
			t.Errorf("%d drops counted, want 102", got)
		}
	})
}

func TestManager_StatsLabels(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		before := w.Stats()
		c := w.connect(t, "u1")
		c.send(`{"type":"join_room"}`, `{"type":"made up"}`, `{`, `{"type":"join_room","content":"secret:1"}`)
		w.Receive(ToAll, "", `{"type":"made up"}`)
		w.Receive(ToAll, "", `{`)
		after := w.Stats()
		for name, same := range map[string]bool{
			"Handshakes": maps.EqualFunc(before.Handshakes, after.Handshakes, anyCount),
			"Frames":     maps.EqualFunc(before.Frames, after.Frames, anyCount),
			"Payloads":   maps.EqualFunc(before.Payloads, after.Payloads, anyCount),
			"Drops":      maps.EqualFunc(before.Drops, after.Drops, anyCount),
			"Refusals":   maps.EqualFunc(before.Refusals, after.Refusals, anyCount),
		} {
			if !same {
				t.Errorf("%s has not the labels that it had at the start", name)
			}
		}
		for typ := range actions {
			if _, counted := after.Frames[typ]; !counted {
				t.Errorf("frames of type %q have no label", typ)
			}
		}
	})
}

func anyCount(uint64, uint64) bool { return true }
