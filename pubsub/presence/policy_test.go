package presence

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// connect is a new connection as a node has it: one of its devices once it is
// let in.
func (n *testNode) connect(user, client, device string) Decision {
	answer := make(chan Decision, 1)
	n.Admit(user, Device{client, device}, func(d Decision) {
		if d != Refused {
			n.mu.Lock()
			n.devices[user] = append(n.devices[user], Device{client, device})
			n.mu.Unlock()
			n.Settled(user, client)
		}
		answer <- d
	})
	return <-answer
}

func (n *testNode) disconnect(user, client string) {
	n.mu.Lock()
	n.devices[user] = slices.DeleteFunc(n.devices[user], func(d Device) bool { return d.ClientID == client })
	n.mu.Unlock()
	n.Changed(user)
	n.settle()
}

// connected lists the connections of a user at both nodes.
func connected(user string, nodes ...*testNode) (clients []string) {
	for _, n := range nodes {
		for _, d := range n.Devices(user) {
			clients = append(clients, d.ClientID)
		}
	}
	slices.Sort(clients)
	return clients
}

func TestAdmit(t *testing.T) {
	for name, c := range map[string]struct {
		policy Policy
		// steps are connections at the two nodes in turn: "client" or
		// "client=device", with "!" when it is to be refused.
		steps []string
		want  []string
	}{
		"the newest is refused": {
			Policy{Max: 2}, []string{"c1", "c2", "c3!", "c4!"}, []string{"c1", "c2"},
		},
		"the oldest is replaced": {
			Policy{Max: 2, ReplaceOldest: true}, []string{"c1", "c2", "c3", "c4"}, []string{"c3", "c4"},
		},
		"connections of a device are one": {
			Policy{Max: 2}, []string{"c1=phone", "c2=phone", "c3=desk", "c4=phone", "c5=tv!"}, []string{"c1", "c2", "c3", "c4"},
		},
		"a device goes as a whole": {
			Policy{Max: 2, ReplaceOldest: true}, []string{"c1=phone", "c2=phone", "c3=desk", "c4=tv"}, []string{"c3", "c4"},
		},
		"one connection a device": {
			Policy{Unique: true}, []string{"c1=phone", "c2=phone", "c3", "c4"}, []string{"c2", "c3", "c4"},
		},
		"one connection a device, and a limit": {
			Policy{Max: 1, Unique: true}, []string{"c1=phone", "c2=phone", "c3=desk!"}, []string{"c2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, w *world) {
				nodes := []*testNode{w.node("a", c.policy), w.node("b", c.policy)}
				for i, step := range c.steps {
					step, refused := strings.CutSuffix(step, "!")
					client, device, _ := strings.Cut(step, "=")
					want := Admitted
					if refused {
						want = Refused
					}
					if got := nodes[i%2].connect("u", client, device); got != want {
						t.Errorf("%s: decision %d, want %d", step, got, want)
					}
				}
				if got := connected("u", nodes...); !slices.Equal(got, c.want) {
					t.Errorf("connected are %q, want %q", got, c.want)
				}
			})
		})
	}
}

// However many connect at both nodes at once, there are never more than the limit
// says, and the last place is given away.
func TestAdmit_ConcurrentNeverExceeds(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		policy := Policy{Max: 3}
		nodes := []*testNode{w.node("a", policy), w.node("b", policy)}
		for round := range 5 {
			user := fmt.Sprint("u", round)
			var mu sync.Mutex
			admitted := 0
			var all sync.WaitGroup
			for i := range 40 {
				all.Go(func() {
					n := nodes[i%2]
					n.Changed(user) // so that reconciling meets admitting
					if n.connect(user, fmt.Sprintf("%s-%d", user, i), "") == Admitted {
						mu.Lock()
						defer mu.Unlock()
						admitted++
					}
				})
			}
			all.Wait()
			if admitted != policy.Max {
				t.Errorf("%d connections were let in, want %d", admitted, policy.Max)
			}
		}
		for _, n := range nodes {
			n.settle()
			if len(n.kicked) > 0 {
				t.Errorf("%q had to go, though nobody may be replaced", n.kicked)
			}
		}
	})
}

// A place is free as soon as its device has gone, or the node of the device is
// known to be dead.
func TestAdmit_PlacesBecomeFree(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a, b := w.node("a", Policy{Max: 1}), w.node("b", Policy{Max: 1})
		if d := a.connect("u", "c1", ""); d != Admitted {
			t.Fatalf("the first: %d", d)
		}
		a.disconnect("u", "c1")
		if d := b.connect("u", "c2", ""); d != Admitted {
			t.Errorf("after the first has gone: %d, want admitted", d)
		}
		b.stop()
		w.mu.Lock()
		w.dead = []string{"b"}
		w.mu.Unlock()
		if d := a.connect("u", "c3", ""); d != Admitted {
			t.Errorf("after the node has died: %d, want admitted", d)
		}
		a.disconnect("u", "c3")
		redistest.Eventually(t, patience, func() error {
			keys, err := w.keys(t.Context())
			if err == nil && len(keys) > 0 {
				err = fmt.Errorf("keys are left: %q", keys)
			}
			return err
		})
	})
}

// Without Redis everybody is let in; when it is back the limit holds again.
func TestAdmit_RedisAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	w := newWorld(t, server.Addr())
	a := w.node("a", Policy{Max: 2})
	server.Kill()
	for _, c := range []string{"c1", "c2", "c3"} {
		if d := a.connect("u", c, ""); d != Unasked {
			t.Errorf("%s without Redis: decision %d, want unasked", c, d)
		}
	}
	server.Restart()
	redistest.Eventually(t, patience, func() error {
		if got := connected("u", a); len(got) != 2 {
			return fmt.Errorf("connected are %q, want two", got)
		}
		return nil
	})
	if d := a.connect("u", "c4", ""); d != Refused {
		t.Errorf("a third after that: decision %d, want refused", d)
	}
	if a.Stats().Unasked != 3 {
		t.Errorf("unasked: %d, want 3", a.Stats().Unasked)
	}
}

func TestPolicy_Validate(t *testing.T) {
	t.Parallel()
	for most, ok := range map[int]bool{-1: false, 0: true, 1000: true, 1001: false} {
		if err := (Policy{Max: most}).Validate(); (err == nil) != ok {
			t.Errorf("Policy{Max: %d}.Validate() = %v", most, err)
		}
	}
	if _, err := New(Config{Policy: Policy{Max: -1}}, nil, nil, nil, zerolog.Nop()); err == nil {
		t.Error("New took a policy that is wrong")
	}
}

// A device that was replaced and has not gone yet is not added again, or another
// would have to go for it.
func TestAdmit_ReplacedDeviceOnItsWayOut(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		policy := Policy{Max: 2, ReplaceOldest: true}
		a, b := w.node("a", policy), w.node("b", policy)
		leaving := make(chan struct{})
		a.mu.Lock()
		a.slow = func() { close(leaving) }
		a.mu.Unlock()
		b.connect("u", "c1", "")
		b.connect("u", "c2", "")
		if d := a.connect("u", "c3", ""); d != Admitted {
			t.Fatalf("c3: decision %d", d)
		}
		<-leaving
		b.Changed("u")
		b.settle()
		if got := w.client.HKeys(t.Context(), "t:devices:{u}").Val(); slices.Contains(got, "c1") || len(got) != 3 {
			t.Errorf("Redis has the devices %q, want c2, c3 and the counter", got)
		}
		b.disconnect("u", "c1")
	})
}

// In a new life a node's devices are still its devices, and what Redis has lost is
// written again.
func TestAdmit_NewLife(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.node("a", Policy{Max: 2})
		a.connect("u", "c1", "")
		a.connect("u", "c2", "")
		a.settle()
		a.mu.Lock()
		a.states["u"] = State{Here: true}
		a.life = "a.2"
		a.mu.Unlock()
		w.client.HDel(t.Context(), "t:devices:{u}", "c2")
		a.Again(false)
		a.settle()
		got := w.client.HGetAll(t.Context(), "t:devices:{u}").Val()
		if len(got) != 3 || !strings.HasSuffix(got["c1"], "\na.2") || !strings.HasSuffix(got["c2"], "\na.2") {
			t.Errorf("Redis has %q, want both devices in the new life", got)
		}
		if d := a.connect("u", "c3", ""); d != Refused {
			t.Errorf("a third: decision %d, want refused", d)
		}
	})
}
