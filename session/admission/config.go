package admission

import (
	"fmt"
	"net/netip"
	"time"
)

// Config says what a node lets in. A limit of 0 is no limit; start from
// DefaultConfig.
type Config struct {
	// HandshakesPerSecond and HandshakesBurst are the node's budget for new
	// connections, and HandshakesInFlight how many may be between their request
	// and their welcome.
	HandshakesPerSecond int
	HandshakesBurst     int
	HandshakesInFlight  int
	// MaxDelay is the longest time for which a client is sent away.
	MaxDelay time.Duration
	// Entries bounds the addresses, and the users, that are kept in mind. Those
	// beyond are only held to the node's budget.
	Entries int

	Address AddressLimits
	User    UserLimits
}

// AddressLimits is what one client address may have: an IPv4 address, or an IPv6
// network.
type AddressLimits struct {
	Connections         int // open at a time
	HandshakesPerSecond int
	HandshakesBurst     int
	// IPv6Prefix is the length of the network that counts as one address, 1 to 128.
	IPv6Prefix int
	// Exempt lists networks without limits.
	Exempt []netip.Prefix
	// TrustedProxies lists the networks whose word on the client's address is
	// taken, and Header where they give it.
	TrustedProxies []netip.Prefix
	Header         string // HeaderForwardedFor or HeaderRealIP
}

// UserLimits is what all devices of one user may do together on this node.
type UserLimits struct {
	HandshakesPerSecond int
	HandshakesBurst     int
	FramesPerSecond     int
	FramesBurst         int
	BytesPerSecond      int
	BytesBurst          int
}

// DefaultConfig is meant to be met only by abuse and by herds: a node that takes
// 10,000 handshakes a second is busy with nothing else on two cores.
func DefaultConfig() Config {
	return Config{
		HandshakesPerSecond: 10_000,
		HandshakesBurst:     20_000,
		HandshakesInFlight:  20_000,
		MaxDelay:            time.Minute,
		Entries:             1 << 17,
		Address: AddressLimits{
			Connections:         4000,
			HandshakesPerSecond: 200,
			HandshakesBurst:     4000,
			IPv6Prefix:          64,
			Exempt:              privateNetworks(),
			Header:              HeaderForwardedFor,
		},
		User: UserLimits{
			HandshakesPerSecond: 10,
			HandshakesBurst:     200,
			FramesPerSecond:     500,
			FramesBurst:         2000,
			BytesPerSecond:      4 << 20,
			BytesBurst:          32 << 20,
		},
	}
}

// privateNetworks are those from which no stranger comes: loopback, RFC 1918, RFC
// 6598, link-local, and IPv6's unique local addresses. A load balancer in one of
// them, that is not configured as a trusted proxy, is not taken for one client.
func privateNetworks() []netip.Prefix {
	var p []netip.Prefix
	for _, s := range []string{
		"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
		"169.254.0.0/16", "fe80::/10", "fc00::/7",
	} {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

// Bounds of Config.Entries and Config.MaxDelay.
const (
	MinEntries = 1 << 10
	MaxEntries = 1 << 24

	MinMaxDelay = time.Second
	MaxMaxDelay = time.Hour
)

// Validate reports the first setting that is out of its range.
func (c Config) Validate() error {
	for _, v := range []struct {
		name      string
		value, up int
	}{
		{"handshakes_in_flight", c.HandshakesInFlight, 10_000_000},
		{"ip.connections", c.Address.Connections, 10_000_000},
	} {
		if v.value < 0 || v.value > v.up {
			return fmt.Errorf("admission: %s is %d: allowed is 0 to %d", v.name, v.value, v.up)
		}
	}
	for _, b := range []struct {
		name               string
		perSecond, atOnce  int
		mostPerSec, mostIn int
	}{
		{"handshakes", c.HandshakesPerSecond, c.HandshakesBurst, 1_000_000, 10_000_000},
		{"ip.handshakes", c.Address.HandshakesPerSecond, c.Address.HandshakesBurst, 1_000_000, 10_000_000},
		{"user.handshakes", c.User.HandshakesPerSecond, c.User.HandshakesBurst, 1_000_000, 10_000_000},
		{"user.frames", c.User.FramesPerSecond, c.User.FramesBurst, 1_000_000, 10_000_000},
		{"user.bytes", c.User.BytesPerSecond, c.User.BytesBurst, 1 << 30, 1 << 32},
	} {
		if b.perSecond < 0 || b.perSecond > b.mostPerSec {
			return fmt.Errorf("admission: %s_per_second is %d: allowed is 0 to %d", b.name, b.perSecond, b.mostPerSec)
		}
		if b.perSecond > 0 && (b.atOnce < 1 || b.atOnce > b.mostIn) {
			return fmt.Errorf("admission: %s_burst is %d: allowed is 1 to %d", b.name, b.atOnce, b.mostIn)
		}
	}
	switch {
	case c.MaxDelay < MinMaxDelay || c.MaxDelay > MaxMaxDelay:
		return fmt.Errorf("admission: max_delay is %s: allowed is 1s to 1h", c.MaxDelay)
	case c.Entries < MinEntries || c.Entries > MaxEntries:
		return fmt.Errorf("admission: table_entries is %d: allowed is %d to %d", c.Entries, MinEntries, MaxEntries)
	case c.Address.IPv6Prefix < 1 || c.Address.IPv6Prefix > 128:
		return fmt.Errorf("admission: ip.ipv6_prefix is %d: allowed is 1 to 128", c.Address.IPv6Prefix)
	case c.Address.Header != HeaderForwardedFor && c.Address.Header != HeaderRealIP:
		return fmt.Errorf("admission: client_ip_header is %q: allowed are %s and %s", c.Address.Header, HeaderForwardedFor, HeaderRealIP)
	}
	return nil
}
