package session

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

// fakeLimit is a DeviceLimit that a test answers for.
type fakeLimit struct {
	asked   []func(bool)
	settled []string
}

func (f *fakeLimit) Admit(_, _, _ string, done func(bool)) { f.asked = append(f.asked, done) }
func (f *fakeLimit) Settled(user, _ string)                { f.settled = append(f.settled, user) }

// limited makes a world with a limit, and a session that waits for its answer.
func limited(t *testing.T, w *world) (*fakeLimit, *client) {
	t.Helper()
	limit := &fakeLimit{}
	w.Together(alone{w.hub, w.cfg.ReconnectWindow}, limit)
	c := w.session(t, auth.Identity{UserID: "ann"})
	c.attach(auth.Identity{UserID: "ann", Rooms: []string{"lobby"}})
	c.want() // no welcome yet
	return limit, c
}

func TestLimit_AdmittedIsWelcomed(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		limit, c := limited(t, w)
		c.send(`{"type":"join_room","id":"1","content":"early"}`)
		if got := c.got(); len(got) != 1 || !strings.Contains(got[0], `"code":4101,"message":"wait for welcome"`) {
			t.Errorf("before welcome a frame is answered with %q", got)
		}
		limit.asked[0](true)
		got := c.got()
		if len(got) != 2 || !strings.Contains(got[0], `"welcome"`) || !strings.Contains(got[1], `"joined"`) {
			t.Errorf("the client was sent %q, want welcome and its token's room", got)
		}
		if !slices.Equal(limit.settled, []string{"ann"}) || w.undecided.count.Load() != 0 {
			t.Errorf("settled: %q, undecided: %d; want ann, and none", limit.settled, w.undecided.count.Load())
		}
	})
}

func TestLimit_RefusedIsClosed(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		limit, c := limited(t, w)
		limit.asked[0](false)
		c.wantClosed(4009)
		if n := w.hub.Stats().Members; n != 0 {
			t.Errorf("%d members, want none", n)
		}
		c.OnClose(engine.CloseAbnormal)
		if w.undecided.count.Load() != 0 {
			t.Error("a session that has ended is still undecided")
		}
	})
}

// Whoever goes before it is let in must not keep its place.
func TestLimit_GoneBeforeTheAnswer(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		limit, c := limited(t, w)
		c.OnClose(engine.CloseAbnormal)
		limit.asked[0](true)
		synctest.Wait()
		if !slices.Equal(limit.settled, []string{"ann"}) || w.hub.Stats().Members != 0 {
			t.Errorf("settled: %q, members: %d; want ann and none", limit.settled, w.hub.Stats().Members)
		}
	})
}

func TestLimit_DrainedBeforeTheAnswer(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		limit, c := limited(t, w)
		w.draining.Store(true)
		limit.asked[0](true)
		c.wantClosed(4200)
	})
}

func TestDisconnect(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		phone, desk, other := w.connect(t, "ann"), w.connect(t, "ann"), w.connect(t, "bob")
		w.devices.set(phone.number, "phone")
		if got := w.Devices("ann", 10); len(got) != 2 || !slices.Contains(got, Device{phone.clientID(), "phone"}) {
			t.Errorf("Devices = %+v, want two, one of them the phone", got)
		}
		if n := w.Disconnect("ann", nil, "tablet", Disconnected); n != 0 {
			t.Errorf("Disconnect of no device = %d", n)
		}
		if n := w.Disconnect("ann", nil, "phone", Replaced); n != 1 {
			t.Errorf("Disconnect of the phone = %d, want 1", n)
		}
		phone.wantClosed(4008)
		if n := w.Disconnect("ann", []string{desk.clientID(), "x"}, "", OverLimit); n != 1 {
			t.Errorf("Disconnect of the desk = %d, want 1", n)
		}
		desk.wantClosed(4009)
		if n := w.Disconnect("bob", nil, "", Disconnected); n != 1 {
			t.Errorf("Disconnect of all = %d, want 1", n)
		}
		other.wantClosed(4010)
	})
}

// busyNodes has too much to do.
type busyNodes struct{ alone }

func (busyNodes) Online([]string, func([]bool)) bool                         { return false }
func (busyNodes) InRoom(string, int, func([]room.Presence, int)) bool        { return false }
func (busyNodes) OnlineUsers(string, int, func([]room.Presence, int64)) bool { return false }

func TestTogether_BusyIsToBeTriedAgain(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.Together(busyNodes{alone{w.hub, 0}}, nil)
		c := w.connect(t, "ann", "team:1")
		for _, frame := range []string{
			`{"type":"presence","id":"1","content":{"users":["bob"]}}`,
			`{"type":"presence","id":"1","content":{"room":"team:1"}}`,
			`{"type":"watch","id":"1","content":{"users":["bob"]}}`,
		} {
			c.send(frame)
			if got := c.got(); len(got) != 1 || !strings.Contains(got[0], `"code":4101`) {
				t.Errorf("%s is answered with %q, want 4101", frame, got)
			}
		}
	})
}
