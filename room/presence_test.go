package room

import (
	"fmt"
	"slices"
	"testing"
)

func TestHub_OnlineKeepsTheOrderAndCountsTheGrace(t *testing.T) {
	w := newWorld(t, nil)
	w.attach("ann")
	w.attach("bob")
	back := w.attach("back")
	w.detach(w.attach("away"))
	w.detach(back)
	w.attach("back")
	got := w.Online([]string{"bob", "nobody", "away", "ann", "back", "bob"})
	if want := []string{"bob", "away", "ann", "back", "bob"}; !slices.Equal(got, want) {
		t.Errorf("Online = %q, want %q", got, want)
	}
	w.tick(graceTicks)
	got = w.Online([]string{"away", "back"})
	if want := []string{"back"}; !slices.Equal(got, want) {
		t.Errorf("Online after the grace = %q, want %q", got, want)
	}
}

func TestHub_InRoomCountsUsersOnceAndConnectionsAll(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 6 { // two devices each
		w.enter(w.attach(w.userIn(i%4, i)), Room("a"))
		w.enter(w.attach(w.userIn(i%4, i)), Room("a"))
	}
	w.enter(w.attach("elsewhere"), Room("b"))
	users, connections := w.InRoom("a", 100)
	if len(users) != 6 || connections != 12 {
		t.Errorf("InRoom = %d users, %d connections; want 6 and 12", len(users), connections)
	}
	seen := map[string]bool{}
	for _, p := range users {
		if seen[p.UserID] || p.Devices != 2 || p.UserName == "" {
			t.Errorf("InRoom has %+v, want each user once with a name and 2 devices", p)
		}
		seen[p.UserID] = true
	}
}

func TestHub_InRoomLimitsUsersNotTheCount(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 12 {
		w.enter(w.attach(w.userIn(i%2, i%6)), Room("a"))
	}
	for limit, want := range map[int]int{-1: 0, 0: 0, 1: 1, 4: 4, 6: 6, 100: 6} {
		users, connections := w.InRoom("a", limit)
		if len(users) != want || connections != 12 {
			t.Errorf("InRoom with limit %d = %d users, %d connections; want %d and 12", limit, len(users), connections, want)
		}
	}
	if users, connections := w.InRoom("empty", 10); len(users) != 0 || connections != 0 {
		t.Errorf("InRoom of an empty room = %v, %d; want nobody", users, connections)
	}
}

func TestHub_OnlineUsersPageInOrder(t *testing.T) {
	w := newWorld(t, nil)
	var want []string
	for i := range 25 {
		user := fmt.Sprintf("u%02d", i)
		w.enter(w.attach(user), Watch("x"), Room("x"))
		want = append(want, user)
	}
	w.attach("u07")
	w.detach(w.attach("within the grace, without a device"))
	var got []string
	pages := 0
	for after := ""; ; pages++ {
		page := w.OnlineUsers(after, 10)
		if len(page) == 0 {
			break
		}
		for _, p := range page {
			got = append(got, p.UserID)
			devices := 1
			if p.UserID == "u07" {
				devices = 2
			}
			if p.Devices != devices || p.UserName == "" {
				t.Errorf("OnlineUsers has %+v, want a name and %d devices", p, devices)
			}
		}
		after = page[len(page)-1].UserID
	}
	if !slices.Equal(got, want) || pages != 3 {
		t.Errorf("OnlineUsers in %d pages = %q, want 3 pages of %q", pages, got, want)
	}
	for _, limit := range []int{0, -1} {
		if got := w.OnlineUsers("", limit); len(got) != 0 {
			t.Errorf("OnlineUsers with limit %d = %v, want nobody", limit, got)
		}
	}
}
