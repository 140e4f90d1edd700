package peer

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func members(r *Rooms[int], room string) []int {
	var got []int
	r.InRoom(room, func(c int) { got = append(got, c) })
	slices.Sort(got)
	return got
}

func TestRooms_JoinAndRemove(t *testing.T) {
	r := NewRooms[int]()
	for c := range 3 {
		r.Add(c)
		r.Join(c, "a")
	}
	r.Join(1, "b")
	r.Remove(1, []string{"a", "b"})
	r.Join(1, "a") // a join that was under way when the connection ended

	if got, want := members(r, "a"), []int{0, 2}; !slices.Equal(got, want) {
		t.Errorf("members of a: %v, want %v", got, want)
	}
	if got := members(r, "b"); got != nil {
		t.Errorf("members of b: %v, want none", got)
	}
	if _, kept := r.rooms["b"]; kept {
		t.Error("b is kept without members")
	}
}

func TestRooms_HeartbeatPingsEachOncePerInterval(t *testing.T) {
	const (
		numConns = 60
		interval = 25 * time.Second
	)
	synctest.Test(t, func(t *testing.T) {
		r := NewRooms[int]()
		for c := range numConns {
			r.Add(c)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*interval+interval/(2*heartbeatSlots))
		defer cancel()
		pings := make(map[int]int)
		atOnce := make(map[time.Time]int)
		r.Heartbeat(ctx, interval, func(c int) {
			pings[c]++
			atOnce[time.Now()]++
		})

		for c := range numConns {
			if pings[c] != 2 {
				t.Errorf("connection %d: %d pings in two intervals, want 2", c, pings[c])
			}
		}
		for at, n := range atOnce {
			if most := numConns/heartbeatSlots + 1; n > most {
				t.Errorf("%d pings at %v, want at most %d", n, at, most)
			}
		}
	})
}
