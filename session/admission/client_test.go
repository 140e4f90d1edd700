package admission

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, t := range texts {
		list = append(list, netip.MustParsePrefix(t))
	}
	return list
}

var proxied = prefixes("10.0.0.0/8", "2001:db8:f::/48")

func TestProxies_Client(t *testing.T) {
	for name, tt := range map[string]struct {
		remote  string
		trusted []netip.Prefix
		header  string
		value   []string
		want    string
	}{
		"nobody is trusted":                {"192.0.2.9:1", nil, HeaderForwardedFor, []string{"198.51.100.1"}, "192.0.2.9"},
		"the peer is not trusted":          {"192.0.2.9:1", proxied, HeaderForwardedFor, []string{"198.51.100.1"}, "192.0.2.9"},
		"one proxy":                        {"10.0.0.1:1", proxied, HeaderForwardedFor, []string{"198.51.100.1"}, "198.51.100.1"},
		"what the client wrote is ignored": {"10.0.0.1:1", proxied, HeaderForwardedFor, []string{"203.0.113.7, 198.51.100.1"}, "198.51.100.1"},
		"a client that claims to be a proxy": {
			"10.0.0.1:1", proxied, HeaderForwardedFor, []string{"203.0.113.7, 10.0.0.7, 198.51.100.1"}, "198.51.100.1",
		},
		"two proxies":                  {"10.0.0.1:1", proxied, HeaderForwardedFor, []string{"203.0.113.7, 198.51.100.1 ,\t10.0.0.2"}, "198.51.100.1"},
		"lines are one list":           {"10.0.0.1:1", proxied, HeaderForwardedFor, []string{"203.0.113.7", "198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		"all are proxies":              {"10.0.0.1:1", proxied, HeaderForwardedFor, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"no header":                    {"10.0.0.1:1", proxied, HeaderForwardedFor, nil, "10.0.0.1"},
		"nonsense ends the walk":       {"10.0.0.1:1", proxied, HeaderForwardedFor, []string{"198.51.100.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		"an empty item ends it too":    {"10.0.0.1:1", proxied, HeaderForwardedFor, []string{"198.51.100.1,"}, "10.0.0.1"},
		"with a port":                  {"10.0.0.1:1", proxied, HeaderForwardedFor, []string{"198.51.100.1:5555"}, "198.51.100.1"},
		"IPv6":                         {"[2001:db8:f::1]:1", proxied, HeaderForwardedFor, []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 in brackets":             {"10.0.0.1:1", proxied, HeaderForwardedFor, []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv6 with a port":             {"10.0.0.1:1", proxied, HeaderForwardedFor, []string{"[2001:db8::7]:443"}, "2001:db8::7"},
		"IPv4 in IPv6":                 {"[::ffff:10.0.0.1]:1", proxied, HeaderForwardedFor, []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"a zone is not kept":           {"[fe80::1%eth0]:1", nil, HeaderForwardedFor, nil, "fe80::1"},
		"many hops":                    {"10.0.0.1:1", proxied, HeaderForwardedFor, []string{"198.51.100.1" + strings.Repeat(",10.0.0.2", maxHops)}, "10.0.0.2"},
		"x-real-ip":                    {"10.0.0.1:1", proxied, HeaderRealIP, []string{"198.51.100.1"}, "198.51.100.1"},
		"x-real-ip of a stranger":      {"192.0.2.9:1", proxied, HeaderRealIP, []string{"198.51.100.1"}, "192.0.2.9"},
		"two x-real-ip are none":       {"10.0.0.1:1", proxied, HeaderRealIP, []string{"198.51.100.1", "198.51.100.2"}, "10.0.0.1"},
		"a list in x-real-ip is none":  {"10.0.0.1:1", proxied, HeaderRealIP, []string{"198.51.100.1, 198.51.100.2"}, "10.0.0.1"},
		"x-real-ip when not asked for": {"10.0.0.1:1", proxied, "", nil, "10.0.0.1"},
		"no remote address":            {"", proxied, HeaderForwardedFor, []string{"198.51.100.1"}, "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			for _, v := range tt.value {
				h.Add(tt.header, v)
			}
			if tt.header == "" {
				h.Set(HeaderRealIP, "198.51.100.9")
				tt.header = HeaderForwardedFor
			}
			if got := (Proxies{tt.trusted, tt.header}).Client(tt.remote, h); got.String() != tt.want {
				t.Errorf("Client(%s, %q) = %s, want %s", tt.remote, tt.value, got, tt.want)
			}
		})
	}
}

// FuzzProxies_Client: whatever a client writes in front of what its proxy adds, it
// is not taken for somebody else, and nothing that is no address is taken for one.
func FuzzProxies_Client(f *testing.F) {
	for _, text := range []string{"", "198.51.100.1", "10.0.0.1, 10.0.0.2", "[::1]:1,::ffff:1.2.3.4", ",,", "1.2.3.4:", "[", "fe80::1%a"} {
		f.Add(text, "198.51.100.1", true)
		f.Add("203.0.113.7", text, false)
	}
	f.Fuzz(func(t *testing.T, written, added string, realIP bool) {
		p := Proxies{proxied, HeaderForwardedFor}
		if realIP {
			p.Header = HeaderRealIP
		}
		h := http.Header{}
		h.Set(p.Header, added)
		alone := p.Client("10.0.0.1:1", h)
		if !alone.IsValid() || alone.Zone() != "" || alone.Is4In6() {
			t.Fatalf("Client with %q = %s, want an address in its plain form", added, alone)
		}
		if stranger := p.Client("192.0.2.9:1", h); stranger.String() != "192.0.2.9" {
			t.Fatalf("a stranger with %q is taken for %s", added, stranger)
		}
		if realIP || slices.ContainsFunc(p.Trusted, func(n netip.Prefix) bool { return n.Contains(alone) }) {
			return
		}
		h.Set(p.Header, written+","+added)
		if got := p.Client("10.0.0.1:1", h); got != alone {
			t.Fatalf("with %q in front of %q the client is %s, want %s", written, added, got, alone)
		}
	})
}
