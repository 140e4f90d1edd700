package admission

import (
	"net/http"
	"net/netip"
	"strings"
)

// Headers in which a proxy may say whose request it passes on, as
// AddressLimits.Header names them.
const (
	HeaderForwardedFor = "x-forwarded-for"
	HeaderRealIP       = "x-real-ip"
)

// maxHops bounds the trusted proxies that are walked through.
const maxHops = 32

// Proxies is whose word on a client's address is taken. The zero value takes
// nobody's.
type Proxies struct {
	Trusted []netip.Prefix
	Header  string // HeaderForwardedFor or HeaderRealIP
}

// Client is the address of the client that sent a request: the peer's own, unless
// the peer is a trusted proxy. Then X-Forwarded-For is read from the right, where
// the nearest proxy has written, to the first address that is not a trusted
// proxy's: what stands left of it is the client's own word and never looked at.
// When all are trusted it is the leftmost, and what is not an address ends the
// walk at the proxy that passed it on. With HeaderRealIP it is the address in
// X-Real-IP, which the proxy must set and not pass through.
//
// The address has no zone, and is never an IPv4 one in IPv6 form; it is the zero
// Addr when remote is not HOST:PORT.
func (p Proxies) Client(remote string, h http.Header) netip.Addr {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr := plain(peer.Addr())
	if len(p.Trusted) == 0 || !within(p.Trusted, addr) {
		return addr
	}
	if p.Header == HeaderRealIP {
		return realIP(h["X-Real-Ip"], addr)
	}
	return p.walk(h["X-Forwarded-For"], addr)
}

// realIP is the one address in the header, or else the proxy's.
func realIP(lines []string, proxy netip.Addr) netip.Addr {
	if len(lines) != 1 {
		return proxy
	}
	if addr, ok := parseHop(lines[0]); ok {
		return addr
	}
	return proxy
}

// walk goes from the nearest hop to the farthest that is known. Several lines are
// one list (RFC 9110 §5.3).
func (p Proxies) walk(lines []string, addr netip.Addr) netip.Addr {
	hops := 0
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var hop string
			if cut := strings.LastIndexByte(rest, ','); cut >= 0 {
				rest, hop = rest[:cut], rest[cut+1:]
			} else {
				hop, more = rest, false
			}
			next, ok := parseHop(hop)
			if !ok {
				return addr
			}
			addr = next
			if hops++; hops == maxHops || !within(p.Trusted, addr) {
				return addr
			}
		}
	}
	return addr
}

// parseHop reads an address as proxies write it: alone, in brackets, or with a
// port behind it.
func parseHop(text string) (addr netip.Addr, ok bool) {
	text = strings.Trim(text, " \t")
	if addr, err := netip.ParseAddr(text); err == nil {
		return plain(addr), true
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return plain(ap.Addr()), true
	}
	if len(text) > 2 && text[0] == '[' && text[len(text)-1] == ']' {
		if addr, err := netip.ParseAddr(text[1 : len(text)-1]); err == nil && addr.Is6() {
			return plain(addr), true
		}
	}
	return netip.Addr{}, false
}

// plain is the form in which addresses are compared.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

func within(networks []netip.Prefix, addr netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}
