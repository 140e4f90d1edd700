package engine

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
)

const noTakeover = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// offerCases are values of Sec-WebSocket-Extensions and what they are answered
// with; "" means that the extension is declined.
var offerCases = map[string]string{
	"permessage-deflate": noTakeover,
	"PerMessage-Deflate": noTakeover,
	" permessage-deflate ; server_no_context_takeover ":                          noTakeover,
	"permessage-deflate; client_no_context_takeover; server_no_context_takeover": noTakeover,
	"permessage-deflate; client_max_window_bits":                                 noTakeover,
	"permessage-deflate; client_max_window_bits=8":                               noTakeover,
	`permessage-deflate; client_max_window_bits="15"`:                            noTakeover,
	"permessage-deflate; server_max_window_bits=15":                              noTakeover + "; server_max_window_bits=15",
	"permessage-deflate; server_max_window_bits=8":                               noTakeover + "; server_max_window_bits=8",
	`permessage-deflate;server_max_window_bits="9";client_max_window_bits`:       noTakeover + "; server_max_window_bits=9",
	"x-webkit-deflate-frame, permessage-deflate":                                 noTakeover,
	"permessage-deflate; server_max_window_bits=7, permessage-deflate":           noTakeover,
	"permessage-deflate; server_max_window_bits=9, permessage-deflate":           noTakeover + "; server_max_window_bits=9",
	"":                      "",
	"permessage-bzip2":      "",
	"permessage-deflate2":   "",
	"permessage-deflate;":   "",
	"permessage-deflate; ;": "",
	"permessage-deflate; server_no_context_takeover=1":                             "",
	"permessage-deflate; client_no_context_takeover=":                              "",
	"permessage-deflate; server_max_window_bits":                                   "",
	"permessage-deflate; server_max_window_bits=":                                  "",
	"permessage-deflate; server_max_window_bits=7":                                 "",
	"permessage-deflate; server_max_window_bits=16":                                "",
	"permessage-deflate; server_max_window_bits=08":                                "",
	"permessage-deflate; server_max_window_bits=+9":                                "",
	"permessage-deflate; client_max_window_bits=":                                  "",
	"permessage-deflate; client_max_window_bits=20":                                "",
	"permessage-deflate; unknown":                                                  "",
	"permessage-deflate; server_max_window_bits=9; server_max_window_bits=9":       "",
	"permessage-deflate; server_no_context_takeover; server_no_context_takeover":   "",
	"permessage-deflate; client_max_window_bits; client_max_window_bits=10":        "",
	"permessage-deflate; server_no_context_takeover; ; client_no_context_takeover": "",
}

func TestDeflate_Negotiation(t *testing.T) {
	t.Parallel()
	for text, want := range offerCases {
		got := ""
		if o, ok := acceptableOffer(http.Header{"Sec-Websocket-Extensions": {text}}); ok {
			got = o.response()
		}
		if got != want {
			t.Errorf("offer %q is answered with %q, want %q", text, got, want)
		}
	}
}

func TestDeflate_ConsidersOffersOnSeveralLines(t *testing.T) {
	t.Parallel()
	lines := []string{"permessage-deflate; unknown", "permessage-deflate; server_max_window_bits=10"}
	if o, ok := acceptableOffer(http.Header{"Sec-Websocket-Extensions": lines}); !ok || o.windowBits != 10 {
		t.Errorf("acceptableOffer(%q) = %+v, %v, want the second", lines, o, ok)
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.N(256))
	}
	return b
}

// testText returns about size bytes that are compressible and valid UTF-8.
func testText(size int) []byte {
	return bytes.Repeat([]byte("grüße an alle, "), size/15+1)[:size/15*15]
}

func TestDeflate_RoundTrip(t *testing.T) {
	t.Parallel()
	d := newDeflater(Compression{Level: 1})
	for name, payload := range map[string][]byte{
		"text": testText(50_000), "zeros": make([]byte, 1<<20), "random": randomBytes(100_000), "small": testText(300),
	} {
		f := NewFrame(OpText, payload)
		wire := f.compressed(d)
		if wire[0]&rsv1Bit == 0 {
			if name != "random" {
				t.Errorf("%s: frame of %d bytes was not compressed", name, len(payload))
			}
			continue
		}
		if len(wire) >= f.Len() {
			t.Errorf("%s: compressed frame has %d bytes, plain %d", name, len(wire), f.Len())
		}
		body := wire[headerLen(wire):]
		err := d.inflate(body, len(payload), func(got []byte) error {
			if !bytes.Equal(got, payload) {
				t.Errorf("%s: inflated to %d other bytes", name, len(got))
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: inflate: %v", name, err)
		}
	}
}

func TestDeflate_LeavesAloneWhatDoesNotGain(t *testing.T) {
	t.Parallel()
	d := newDeflater(Compression{Level: 1, MinBytes: 256})
	for name, f := range map[string]*Frame{
		"below the minimum": NewFrame(OpText, testText(240)),
		"incompressible":    NewFrame(OpBinary, randomBytes(5000)),
		"control":           NewFrame(OpPing, testText(300)),
	} {
		if got := f.compressed(d); &got[0] != &f.plain[0] {
			t.Errorf("%s: compressed form is not the plain one", name)
		}
	}
}

// deflated is a message as any compressor may send it.
func deflated(t testing.TB, level int, payload []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, level)
	if err == nil {
		_, err = w.Write(payload)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		t.Fatalf("deflate: %v", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\x00\x00\xff\xff"))
}

func TestDeflate_Inflate(t *testing.T) {
	t.Parallel()
	final := "\x03\x00" // an empty block that says it is the last
	for name, tt := range map[string]struct {
		body     []byte
		limit    int
		want     string
		wantFail CloseCode
	}{
		"empty":                     {[]byte{0x00}, 100, "", 0},
		"no bytes at all":           {nil, 100, "", CloseInvalidData},
		"text":                      {deflated(t, 6, []byte("hello")), 100, "hello", 0},
		"stored":                    {deflated(t, 0, []byte("hello")), 100, "hello", 0},
		"exactly the limit":         {deflated(t, 6, []byte("hello")), 5, "hello", 0},
		"one more than the limit":   {deflated(t, 6, []byte("hello!")), 5, "", CloseTooBig},
		"a final block":             {[]byte(final + "\x00"), 100, "", 0},
		"reserved block type":       {[]byte{0xff, 0xff}, 100, "", CloseInvalidData},
		"distance before the start": {[]byte("\x4b\x04\x22\x00"), 100, "", CloseInvalidData},
		"cut in the middle":         {deflated(t, 9, testText(3000))[:20], 1 << 20, "", CloseInvalidData},
	} {
		var got string
		err := newDeflater(Compression{Level: 1}).inflate(tt.body, tt.limit, func(b []byte) error {
			got = string(b)
			return nil
		})
		if got != tt.want || codeOf(err) != tt.wantFail || (err != nil) != (tt.wantFail != 0) {
			t.Errorf("%s: inflate = %q, %v, want %q, close code %d", name, got, err, tt.want, tt.wantFail)
		}
	}
}

func TestDeflate_InflateReturnsTheErrorOfUse(t *testing.T) {
	t.Parallel()
	d := newDeflater(Compression{Level: 1})
	if err := d.inflate([]byte{0}, 10, func([]byte) error { return io.ErrNoProgress }); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("inflate = %v, want the error of use", err)
	}
}

// bomb is a message of some KB that inflates to 10 MB.
var bomb = sync.OnceValue(func() []byte {
	var buf bytes.Buffer
	w, _ := flate.NewWriter(&buf, flate.BestSpeed) // fails only for other levels
	_, _ = w.Write(make([]byte, 10<<20))           // to memory
	_ = w.Flush()
	return buf.Bytes()
})

// A bomb costs about the limit that it is over.
func TestDeflate_BombIsRefusedWithBoundedMemory(t *testing.T) {
	bomb := bomb()
	d := newDeflater(Compression{Level: 1})
	use := func([]byte) error { return errors.New("delivered") }
	if err := d.inflate(bomb, 64<<10, use); codeOf(err) != CloseTooBig {
		t.Fatalf("inflate(bomb) = %v, want close code 1009", err)
	}
	var before, after runtime.MemStats
	const rounds = 50
	runtime.ReadMemStats(&before)
	for range rounds {
		_ = d.inflate(bomb, 64<<10, use)
	}
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / rounds; per > 1<<20 {
		t.Errorf("a bomb of %d bytes allocates %d bytes with a limit of 64 KiB", len(bomb), per)
	}
}

func TestDeflate_BombClosesTheConnection(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, testLimits, func(c *Config) { c.Compression.Enabled = true })
	for name, send := range map[string]func([]byte) []byte{
		"in one frame": func(b []byte) []byte { return masked(0xC2, b) },
		"fragmented":   func(b []byte) []byte { return fragments(0xC2, b, 100) },
	} {
		p := dial(t, e, "/ws", "Sec-WebSocket-Extensions: permessage-deflate")
		p.send(send(bomb()))
		p.wantClose(CloseTooBig)
		rec := receive(t, conns, "connection")
		if code := receive(t, rec.closed, "OnClose"); code != CloseTooBig || len(rec.messages) > 0 {
			t.Errorf("%s: OnClose(%d) after %d messages, want 1009 after none", name, code, len(rec.messages))
		}
	}
}

// A client with a small window gets the shared compressed frame when it is able
// to inflate it, and the plain one otherwise.
func TestDeflate_SmallWindow(t *testing.T) {
	t.Parallel()
	e, conns := startRecorder(t, testLimits, func(c *Config) { c.Compression.Enabled = true })
	for offered, largest := range map[string]int{
		"": 1 << 20, "; server_max_window_bits=15": 1 << 20, "; server_max_window_bits=9": 512,
	} {
		p := dial(t, e, "/ws", "Sec-WebSocket-Extensions: permessage-deflate"+offered)
		rec := receive(t, conns, "connection")
		for _, size := range []int{300, 510, 525, 60_000} {
			payload := testText(size)
			if err := rec.Send(Join([]*Frame{NewFrame(OpText, payload), NewFrame(OpText, nil)})); err != nil {
				t.Fatalf("Send: %v", err)
			}
			got, err := p.read()
			if err != nil {
				t.Fatalf("read: %v", err)
			}
			if compressed, want := got.b0&0x40 != 0, len(payload) <= largest; compressed != want {
				t.Errorf("offer %q: payload of %d bytes: compressed = %v, want %v", offered, len(payload), compressed, want)
			}
			if got.b0&0x40 == 0 && !bytes.Equal(got.payload, payload) {
				t.Errorf("offer %q: payload of %d bytes: plain frame has other bytes", offered, len(payload))
			}
			p.want(0x81, nil)
		}
		if !strings.HasSuffix(p.response.Header.Get("Sec-WebSocket-Extensions"), strings.TrimPrefix(offered, "; ")) {
			t.Errorf("offer %q is answered with %q", offered, p.response.Header.Get("Sec-WebSocket-Extensions"))
		}
	}
}
