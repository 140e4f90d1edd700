package main

import (
	"fmt"
	"net/netip"

	"github.com/ginforge/gateway/session/admission"
)

// admissionConfig is what package admission needs, of a configuration that has
// been validated.
func admissionConfig(c Config) admission.Config {
	a, l := c.Admission, c.Limits
	return admission.Config{
		HandshakesPerSecond: a.HandshakesPerSecond,
		HandshakesBurst:     a.HandshakesBurst,
		HandshakesInFlight:  a.HandshakesInFlight,
		MaxDelay:            a.MaxDelay,
		Entries:             a.TableEntries,
		Address: admission.AddressLimits{
			Connections:         a.IP.Connections,
			HandshakesPerSecond: a.IP.HandshakesPerSecond,
			HandshakesBurst:     a.IP.HandshakesBurst,
			IPv6Prefix:          a.IP.IPv6Prefix,
			Exempt:              networks(a.IP.Exempt),
			TrustedProxies:      networks(a.TrustedProxies),
			Header:              a.ClientIPHeader,
		},
		User: admission.UserLimits{
			HandshakesPerSecond: a.User.HandshakesPerSecond,
			HandshakesBurst:     a.User.HandshakesBurst,
			FramesPerSecond:     l.UserFramesPerSecond,
			FramesBurst:         l.UserFramesBurst,
			BytesPerSecond:      l.UserBytesPerSecond,
			BytesBurst:          l.UserBytesBurst,
		},
	}
}

func (c Config) validateAdmission() error {
	var p problems
	a := c.Admission
	p.budget("admission.handshakes", a.HandshakesPerSecond, a.HandshakesBurst, "handshakes")
	p.count("admission.handshakes_in_flight", a.HandshakesInFlight, 0, 10_000_000, "handshakes (0: no limit)")
	p.span("admission.max_delay", a.MaxDelay, admission.MinMaxDelay, admission.MaxMaxDelay)
	p.count("admission.table_entries", a.TableEntries, admission.MinEntries, admission.MaxEntries, "addresses, and as many users")
	p.networks("admission.trusted_proxies", a.TrustedProxies)
	p.oneOf("admission.client_ip_header", a.ClientIPHeader, admission.HeaderForwardedFor, admission.HeaderRealIP)
	p.count("admission.ip.connections", a.IP.Connections, 0, 10_000_000, "connections (0: no limit)")
	p.budget("admission.ip.handshakes", a.IP.HandshakesPerSecond, a.IP.HandshakesBurst, "handshakes")
	p.count("admission.ip.ipv6_prefix", a.IP.IPv6Prefix, 1, 128, "bits")
	p.networks("admission.ip.exempt", a.IP.Exempt)
	p.budget("admission.user.handshakes", a.User.HandshakesPerSecond, a.User.HandshakesBurst, "handshakes")
	if p.none() {
		p.add(admissionConfig(c).Validate())
	}
	return p.join()
}

// budget checks the two keys of a rate that may be switched off.
func (p *problems) budget(name string, perSecond, burst int, unit string) {
	p.count(name+"_per_second", perSecond, 0, 1_000_000, unit+" a second (0: no limit)")
	if perSecond > 0 {
		p.count(name+"_burst", burst, 1, 10_000_000, unit)
	}
}

func (p *problems) networks(name string, texts []string) {
	for _, text := range texts {
		_, err := parseNetwork(text)
		p.unless(err == nil, name, text, `a list of networks such as "10.0.0.0/8" and addresses such as "192.0.2.1"`)
	}
}

// parseNetwork reads a network, or an address as a network of its own.
func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("network %q: %w", text, err)
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("network %q: write an IPv4 network as one", text)
	}
	return p.Masked(), nil
}

// networks are those of texts that are one; Validate has seen to the others.
func networks(texts []string) (list []netip.Prefix) {
	for _, text := range texts {
		if p, err := parseNetwork(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

func networkTexts(list []netip.Prefix) []string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return texts
}
