package engine

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// chunked cuts stream into pieces as long as the bytes of sizes say, over and
// over; without sizes it is one piece.
func chunked(stream, sizes []byte) [][]byte {
	var out [][]byte
	for i := 0; len(stream) > 0; i++ {
		n := len(stream)
		if len(sizes) > 0 {
			n = min(n, 1+int(sizes[i%len(sizes)]))
		}
		out = append(out, stream[:n])
		stream = stream[n:]
	}
	return out
}

// FuzzReadFrames: whatever a peer sends, in whatever pieces it arrives, the frame
// reader does not panic, does not hold more than its limits, and reports what it
// reports for the whole stream at once.
func FuzzReadFrames(f *testing.F) {
	for _, tt := range readerCases {
		f.Add(tt.stream, []byte{0}, uint16(1000), true)
		f.Add(tt.stream, []byte{2, 0, 13}, uint16(5), false)
	}
	f.Fuzz(func(t *testing.T, stream, sizes []byte, limit uint16, deflate bool) {
		lim := readLimits{messageBytes: int(limit), deflate: deflate}
		want := readChunks(t, lim, stream)
		if got := readChunks(t, lim, chunked(stream, sizes)...); !slices.Equal(got, want) {
			t.Errorf("in chunks %v: events = %v, want %v", sizes, got, want)
		}
	})
}

// FuzzAcceptsOffer: an offer of permessage-deflate is accepted only when every
// parameter is known, valid and there once, and the answer names the window that
// was asked for.
func FuzzAcceptsOffer(f *testing.F) {
	for text := range offerCases {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, ok := acceptableOffer(http.Header{"Sec-Websocket-Extensions": {text}})
		if !ok {
			if o != (offer{}) {
				t.Errorf("acceptableOffer(%q) = %+v, false, want the zero offer", text, o)
			}
			return
		}
		if o.windowBits != 0 && (o.windowBits < 8 || o.windowBits > 15) {
			t.Errorf("acceptableOffer(%q) has window bits %d", text, o.windowBits)
		}
		named := strings.Contains(strings.ToLower(text), "server_max_window_bits")
		if o.windowBits != 0 && !named || !strings.Contains(strings.ToLower(text), "permessage-deflate") {
			t.Errorf("acceptableOffer(%q) = %+v: it offers no such thing", text, o)
		}
		for _, c := range o.response() {
			if c < ' ' || c > '~' {
				t.Fatalf("response to %q is %q: not fit for a header", text, o.response())
			}
		}
	})
}
