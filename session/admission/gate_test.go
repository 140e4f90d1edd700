package admission

import (
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

// open is a configuration without limits.
func open() Config {
	c := DefaultConfig()
	c.HandshakesPerSecond, c.HandshakesInFlight = 0, 0
	c.Address.Connections, c.Address.HandshakesPerSecond = 0, 0
	c.User = UserLimits{}
	return c
}

func newGate(t testing.TB, edit func(*Config)) *Gate {
	t.Helper()
	c := open()
	edit(&c)
	g, err := New(c)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return g
}

// anyone is an address of its own for each i.
func anyone(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, byte(18 + i>>16&1), byte(i >> 8), byte(i)})
}

var stranger = netip.MustParseAddr("203.0.113.7")

func (g *Gate) wantEnter(t testing.TB, client netip.Addr, now time.Duration, want Cause) (Ticket, time.Duration) {
	t.Helper()
	ticket, v := g.enter(client, now)
	if v.Cause != want {
		t.Fatalf("enter(%s) at %s = %s, want %s", client, now, v.Cause, want)
	}
	if (v.Delay > 0) != (want != Admitted) {
		t.Fatalf("enter(%s) = %s with a delay of %s", client, v.Cause, v.Delay)
	}
	return ticket, v.Delay
}

func TestGate_NodeRate(t *testing.T) {
	g := newGate(t, func(c *Config) { c.HandshakesPerSecond, c.HandshakesBurst = 100, 50 })
	for i := range 50 {
		g.wantEnter(t, anyone(i), 0, Admitted)
	}
	g.wantEnter(t, stranger, 0, NodeRate)
	g.wantEnter(t, stranger, 10*time.Millisecond, Admitted)
	g.wantEnter(t, stranger, 10*time.Millisecond, NodeRate)
	if s := g.Stats(); s.Admitted != 51 || s.Refused[NodeRate] != 2 || s.InFlight != 51 {
		t.Errorf("stats are %+v, want 51 admitted and 2 refused", s)
	}
}

// TestGate_HerdComesBackInOrder has 10,000 clients come at once and do as they are
// told: they are let in at the rate of the budget, and nobody asks more than a few
// times.
func TestGate_HerdComesBackInOrder(t *testing.T) {
	const clients, perSecond, burst = 10_000, 1000, 1000
	g := newGate(t, func(c *Config) { c.HandshakesPerSecond, c.HandshakesBurst = perSecond, burst })
	due := map[int]int{0: clients} // millisecond: clients
	asked, most, last, in := 0, 0, 0, 0
	for ms := 0; in < clients && ms < 60_000; ms++ {
		asks := due[ms]
		if ms > 0 {
			most = max(most, asks)
		}
		for range asks {
			asked++
			_, v := g.enter(stranger, time.Duration(ms)*time.Millisecond)
			if v.Cause == Admitted {
				in, last = in+1, ms
				continue
			}
			due[ms+max(1, int(v.Delay.Milliseconds()))]++
		}
	}
	t.Logf("%d clients asked %d times; at most %d in one millisecond after the first; the last was in after %d ms", clients, asked, most, last)
	if in != clients || asked > 2*clients || most > 2 {
		t.Errorf("%d of %d are in; want all, at most 2 tries each, and 2 in a millisecond", in, clients)
	}
	if ideal := 1000 * (clients - burst) / perSecond; last > ideal*3/2+1000 {
		t.Errorf("the last was in after %d ms, want little more than the %d that the budget takes", last, ideal)
	}
}

func TestGate_InFlight(t *testing.T) {
	g := newGate(t, func(c *Config) { c.HandshakesInFlight = 2 })
	g.wantEnter(t, anyone(1), 0, Admitted)
	g.wantEnter(t, anyone(2), 0, Admitted)
	_, first := g.wantEnter(t, anyone(3), 0, InFlight)
	_, second := g.wantEnter(t, anyone(4), 0, InFlight)
	// Who has no place any more is sent away for half of MaxDelay at least.
	if first < busyWait || second <= first && second < g.cfg.MaxDelay/2 {
		t.Errorf("delays are %s and %s, want %s at least, and one behind the other", first, second, busyWait)
	}
	g.Finish()
	g.wantEnter(t, anyone(3), 0, Admitted)
	g.wantEnter(t, anyone(4), 0, InFlight)
}

func TestGate_AddressConnections(t *testing.T) {
	g := newGate(t, func(c *Config) { c.Address.Connections = 2 })
	first, _ := g.wantEnter(t, stranger, 0, Admitted)
	g.wantEnter(t, stranger, 0, Admitted)
	g.wantEnter(t, stranger, 0, AddressConnections)
	g.wantEnter(t, anyone(1), 0, Admitted)
	g.Leave(first)
	g.wantEnter(t, stranger, 0, Admitted)
	g.wantEnter(t, stranger, 0, AddressConnections)
}

func TestGate_AddressRate(t *testing.T) {
	g := newGate(t, func(c *Config) { c.Address.HandshakesPerSecond, c.Address.HandshakesBurst = 10, 5 })
	for range 5 {
		g.wantEnter(t, stranger, 0, Admitted)
	}
	_, first := g.wantEnter(t, stranger, 0, AddressRate)
	_, second := g.wantEnter(t, stranger, 0, AddressRate)
	if second-first != 125*time.Millisecond { // a tenth of a second at four fifths of the rate
		t.Errorf("places are %s apart, want 125ms", second-first)
	}
	g.wantEnter(t, anyone(1), 0, Admitted)
	g.wantEnter(t, stranger, 100*time.Millisecond, Admitted)
	g.wantEnter(t, stranger, 100*time.Millisecond, AddressRate)
}

// What the node refuses is not held against the address.
func TestGate_NodesRefusalCostsTheAddressNothing(t *testing.T) {
	g := newGate(t, func(c *Config) {
		c.HandshakesInFlight = 1
		c.Address.Connections = 2
		c.Address.HandshakesPerSecond, c.Address.HandshakesBurst = 1, 2
	})
	g.wantEnter(t, stranger, 0, Admitted)
	for range 10 {
		g.wantEnter(t, stranger, 0, InFlight)
	}
	g.Finish()
	g.wantEnter(t, stranger, 0, Admitted)
}

// And one address that is refused takes nothing of the node's budget.
func TestGate_OneAddressDoesNotStarveTheOthers(t *testing.T) {
	g := newGate(t, func(c *Config) {
		c.HandshakesPerSecond, c.HandshakesBurst = 10, 10
		c.Address.HandshakesPerSecond, c.Address.HandshakesBurst = 1, 1
	})
	g.wantEnter(t, stranger, 0, Admitted)
	for range 1000 {
		g.wantEnter(t, stranger, 0, AddressRate)
	}
	for i := range 9 {
		g.wantEnter(t, anyone(i), 0, Admitted)
	}
}

func TestGate_WhatIsOneAddress(t *testing.T) {
	for name, tt := range map[string]struct {
		prefix int
		a, b   string
		same   bool
	}{
		"IPv6 of one /64":            {64, "2001:db8:1:2::1", "2001:db8:1:2:ffff::2", true},
		"IPv6 of two /64":            {64, "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		"IPv6 of one /48":            {48, "2001:db8:1:2::1", "2001:db8:1:3::1", true},
		"IPv6 one by one":            {128, "2001:db8:1:2::1", "2001:db8:1:2::2", false},
		"IPv4 is never a network":    {8, "203.0.113.7", "203.0.113.8", false},
		"IPv4 is not an IPv6 prefix": {1, "0.0.0.1", "::1:1", false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, func(c *Config) { c.Address.Connections, c.Address.IPv6Prefix = 1, tt.prefix })
			g.wantEnter(t, netip.MustParseAddr(tt.a), 0, Admitted)
			want := Admitted
			if tt.same {
				want = AddressConnections
			}
			g.wantEnter(t, netip.MustParseAddr(tt.b), 0, want)
		})
	}
}

func TestGate_Exempt(t *testing.T) {
	g := newGate(t, func(c *Config) { c.Address.Connections = 1 })
	for _, text := range []string{"127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "100.64.0.1", "fd00::1"} {
		for range 3 {
			g.wantEnter(t, netip.MustParseAddr(text), 0, Admitted)
		}
	}
	g.wantEnter(t, netip.Addr{}, 0, Admitted) // not known: nobody to hold it to
	if n := g.Stats().Addresses; n != 0 {
		t.Errorf("%d addresses are kept, want none", n)
	}
}

func TestGate_UserRate(t *testing.T) {
	g := newGate(t, func(c *Config) { c.User.HandshakesPerSecond, c.User.HandshakesBurst = 1, 3 })
	for i, want := range []Cause{Admitted, Admitted, Admitted, UserRate} {
		if v := g.user("ann", 0); v.Cause != want {
			t.Errorf("connection %d of ann: %s, want %s", i, v.Cause, want)
		}
	}
	if v := g.user("bob", 0); v.Cause != Admitted {
		t.Errorf("bob: %s, want admitted", v.Cause)
	}
	if v := g.user("ann", time.Second); v.Cause != Admitted {
		t.Errorf("ann a second later: %s, want admitted", v.Cause)
	}
}

func TestGate_UserFrames(t *testing.T) {
	g := newGate(t, func(c *Config) {
		c.User.FramesPerSecond, c.User.FramesBurst = 10, 5
		c.User.BytesPerSecond, c.User.BytesBurst = 1000, 1000
	})
	for i, tt := range []struct {
		user  string
		bytes int
		now   time.Duration
		want  Use
	}{
		{"ann", 100, 0, UseOK},
		{"ann", 900, 0, UseOK},
		{"ann", 1, 0, TooManyBytes},
		{"bob", 1000, 0, UseOK},
		{"ann", 0, 0, UseOK},
		{"ann", 0, 0, UseOK},
		{"ann", 0, 0, TooManyFrames}, // those with too many bytes count too
		{"ann", 100, 100 * time.Millisecond, UseOK},
		{"ann", 1, time.Second, UseOK},
	} {
		if got := g.frame(tt.user, tt.bytes, tt.now); got != tt.want {
			t.Errorf("frame %d: %d, want %d", i, got, tt.want)
		}
	}
}

// Who is no longer of interest is forgotten; who has a connection is not.
func TestGate_Sweep(t *testing.T) {
	g := newGate(t, func(c *Config) {
		c.Address.Connections = 1
		c.Address.HandshakesPerSecond, c.Address.HandshakesBurst = 1, 10
		c.User.FramesPerSecond, c.User.FramesBurst = 10, 10
	})
	stays, _ := g.wantEnter(t, stranger, 0, Admitted)
	for i := range 1000 {
		ticket, _ := g.wantEnter(t, anyone(i), 0, Admitted)
		g.Leave(ticket)
		g.frame(strconv.Itoa(i), 1, 0)
	}
	g.sweep(500 * time.Millisecond)
	if s := g.Stats(); s.Addresses != 1001 || s.Users != 0 {
		t.Errorf("%d addresses and %d users are kept, want all that have used up something: 1001 and 0", s.Addresses, s.Users)
	}
	g.sweep(2 * time.Second)
	if s := g.Stats(); s.Addresses != 1 {
		t.Errorf("%d addresses are kept, want the one with a connection", s.Addresses)
	}
	g.wantEnter(t, stranger, time.Hour, AddressConnections)
	g.Leave(stays)
	g.sweep(2 * time.Hour)
	if s := g.Stats(); s.Addresses != 0 {
		t.Errorf("%d addresses are kept, want none", s.Addresses)
	}
}

// Addresses without number fill the table and nothing else; those in it are held to
// their limits all the same.
func TestGate_ManyAddresses(t *testing.T) {
	g := newGate(t, func(c *Config) { c.Address.Connections, c.Entries = 1, MinEntries })
	g.wantEnter(t, stranger, 0, Admitted)
	for i := range 1 << 16 {
		g.wantEnter(t, anyone(i), 0, Admitted)
	}
	g.wantEnter(t, stranger, 0, AddressConnections)
	s := g.Stats()
	if s.Addresses > MinEntries || s.Untracked < 1<<16-MinEntries {
		t.Errorf("%d addresses are kept and %d were not, want %d at most", s.Addresses, s.Untracked, MinEntries)
	}
}

func TestConfig_Validate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for name, edit := range map[string]func(*Config){
		"handshakes_per_second is -1":      func(c *Config) { c.HandshakesPerSecond = -1 },
		"handshakes_burst is 0":            func(c *Config) { c.HandshakesBurst = 0 },
		"handshakes_in_flight is -1":       func(c *Config) { c.HandshakesInFlight = -1 },
		"max_delay is 1ms":                 func(c *Config) { c.MaxDelay = time.Millisecond },
		"table_entries is 0":               func(c *Config) { c.Entries = 0 },
		"ip.connections is -1":             func(c *Config) { c.Address.Connections = -1 },
		"ip.ipv6_prefix is 129":            func(c *Config) { c.Address.IPv6Prefix = 129 },
		"client_ip_header is \"x-real\"":   func(c *Config) { c.Address.Header = "x-real" },
		"user.handshakes_per_second is -1": func(c *Config) { c.User.HandshakesPerSecond = -1 },
		"user.bytes_burst is 0":            func(c *Config) { c.User.BytesBurst = 0 },
	} {
		c := DefaultConfig()
		edit(&c)
		want := "admission: " + name + ": allowed is "
		if err := c.Validate(); err == nil || err.Error()[:min(len(err.Error()), len(want)-3)] != want[:len(want)-3] {
			t.Errorf("Validate = %v, want %q...", err, want)
		}
	}
}

func TestGate_Allocations(t *testing.T) {
	g := newGate(t, func(c *Config) { *c = DefaultConfig() })
	ticket, _ := g.wantEnter(t, stranger, 0, Admitted)
	g.User("ann")
	for name, f := range map[string]func(){
		"Enter and Leave": func() {
			if ticket, v := g.Enter(stranger); v.Cause == Admitted {
				g.Finish()
				g.Leave(ticket)
			}
		},
		"User":  func() { g.User("ann") },
		"Frame": func() { g.Frame("ann", 100) },
		"Delay": func() { g.Delay(time.Second) },
	} {
		if n := testing.AllocsPerRun(1000, f); n > 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
	g.Leave(ticket)
}

func BenchmarkGate(b *testing.B) {
	full := newGate(b, func(c *Config) {
		*c = DefaultConfig()
		c.HandshakesPerSecond, c.HandshakesBurst = 1_000_000, 10_000_000
		c.Address.HandshakesPerSecond, c.Address.HandshakesBurst = 1_000_000, 10_000_000
	})
	clients := make([]netip.Addr, 1<<14)
	names := make([]string, len(clients))
	for i := range clients {
		clients[i], names[i] = anyone(i), fmt.Sprintf("user%05d", i)
	}
	b.Run("Enter", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			ticket, v := full.Enter(clients[i&(len(clients)-1)])
			if v.Cause == Admitted {
				full.Finish()
				full.Leave(ticket)
			}
		}
	})
	shut := newGate(b, func(c *Config) { c.HandshakesPerSecond, c.HandshakesBurst = 1, 1 })
	b.Run("Enter, refused", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			shut.Enter(clients[i&(len(clients)-1)])
		}
	})
	b.Run("User", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			full.User(names[i&(len(names)-1)])
		}
	})
	b.Run("Frame", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			full.Frame(names[i&(len(names)-1)], 100)
		}
	})
}
