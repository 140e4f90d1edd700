package session

import (
	"testing"

	"github.com/ginforge/gateway/room"
)

func TestManager_JoinAndLeaveRoomForAUser(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		desk, phone, other := w.connect(t, "u1"), w.connect(t, "u1", "closed:1"), w.connect(t, "u2")
		if n := w.JoinRoom("u1", "closed:1"); n != 2 {
			t.Errorf("JoinRoom = %d, want both connections", n)
		}
		for _, c := range []*client{desk, phone} {
			c.want(`{"type":"joined","room":"closed:1"}`)
		}
		other.want()
		if got := w.hub.Rooms("closed:", "", 10); len(got) != 1 || got[0] != (room.Count{Name: "closed:1", Connections: 2}) {
			t.Errorf("Rooms = %v, want closed:1 with two", got)
		}
		desk.send(`{"type":"leave_room","content":"closed:1"}`)
		desk.got()
		if n := w.LeaveRoom("u1", "closed:1"); n != 1 {
			t.Errorf("LeaveRoom = %d, want the one that was in it", n)
		}
		phone.want(`{"type":"left","room":"closed:1"}`)
		desk.want()
		if n := w.JoinRoom("nobody", "closed:1"); n != 0 {
			t.Errorf("JoinRoom of nobody = %d", n)
		}
	})
}

func TestHub_RoomsInPages(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.connect(t, "u1", "a:1", "a:2", "b:1")
		w.connect(t, "u2", "a:1", "a:3")
		for _, tt := range []struct {
			prefix, after string
			limit         int
			want          string
		}{
			{"", "", 10, "a:1 2, a:2 1, a:3 1, b:1 1, "},
			{"a:", "a:1", 1, "a:2 1, "},
			{"a:", "a:3", 10, ""},
			{"", "", 0, ""},
		} {
			got := ""
			for _, r := range w.hub.Rooms(tt.prefix, tt.after, tt.limit) {
				got += r.Name + " " + string(rune('0'+r.Connections)) + ", "
			}
			if got != tt.want {
				t.Errorf("Rooms(%q, %q, %d) = %s, want %s", tt.prefix, tt.after, tt.limit, got, tt.want)
			}
		}
	})
}
