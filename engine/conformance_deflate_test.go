package engine

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"testing"
)

// compressing adds permessage-deflate to a peer.
type compressing struct {
	*peer
	level int
}

// sendMessage compresses payload and sends it in fragments of size bytes, or in
// one frame when size is 0.
func (c compressing) sendMessage(b0 byte, payload []byte, size int) {
	c.t.Helper()
	body := deflated(c.t, c.level, payload)
	if size == 0 {
		size = max(1, len(body))
	}
	c.send(fragments(b0|0x40, body, size))
}

// wantMessage reads a message in one frame, compressed or not.
func (c compressing) wantMessage(b0 byte, payload []byte) {
	c.t.Helper()
	got, err := c.read()
	if err != nil {
		c.t.Fatalf("got %v, want a message of %d bytes", err, len(payload))
	}
	if got.b0&0x40 != 0 {
		tail := "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
		r := flate.NewReader(io.MultiReader(bytes.NewReader(got.payload), bytes.NewReader([]byte(tail))))
		if got.payload, err = io.ReadAll(r); err != nil {
			c.t.Fatalf("inflating a message: %v", err)
		}
	}
	if got.b0&^0x40 != b0 || !bytes.Equal(got.payload, payload) {
		c.t.Fatalf("got %v, want %#x with %d other bytes", got, b0, len(payload))
	}
}

func withDeflate(c *Config) { c.Compression.Enabled = true }

// deflateCases are the sizes of Autobahn's 12.x.y and 13.x.y: messages of so many
// bytes, cut into fragments of so many. Each is sent several times.
func deflateCases(id string, data map[byte][]byte) []conformanceCase {
	rounds := 20
	if raceEnabled {
		rounds = 2
	}
	var cases []conformanceCase
	for i, s := range [][2]int{
		{16, 0},
		{64, 0},
		{256, 0},
		{1024, 0},
		{4096, 0},
		{8192, 0},
		{16384, 0},
		{32768, 0},
		{65536, 0},
		{131072, 0},
		{8192, 256},
		{16384, 256},
		{32768, 256},
		{65536, 256},
		{131072, 256},
		{131072, 1024},
		{131072, 4096},
		{131072, 32768},
	} {
		for b0, all := range data {
			cases = append(cases, conformanceCase{fmt.Sprintf("%s.%d/%#x", id, i+1, b0), func(p *peer) {
				for round := range rounds {
					c := compressing{p, []int{1, 6, 9, 0}[round%4]}
					from := round * 1000 % (len(all) - s[0])
					payload := all[from : from+s[0]]
					c.sendMessage(b0, payload, s[1])
					c.wantMessage(b0, payload)
				}
				p.close(closePayload(1000, ""), 1000)
			}})
		}
	}
	return cases
}

func TestConformance12_Deflate(t *testing.T) {
	t.Parallel()
	ascii := bytes.Repeat([]byte(`{"id":"4f1c","room":"chat:1","content":{"text":"hello"}},`), 3000)
	runConformance(t, withDeflate, []string{"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; client_max_window_bits"},
		deflateCases("12.1", map[byte][]byte{0x81: ascii, 0x82: randomBytes(150_000)}))
}

func TestConformance13_DeflateOffers(t *testing.T) {
	t.Parallel()
	ascii := bytes.Repeat([]byte(`{"id":"4f1c","room":"chat:1","content":{"text":"hello"}},`), 3000)
	const base = "permessage-deflate; client_no_context_takeover; client_max_window_bits"
	for i, tt := range []struct{ offer, answer string }{
		{base, noTakeover},
		{base + "; server_no_context_takeover", noTakeover},
		{base + "; server_max_window_bits=9", noTakeover + "; server_max_window_bits=9"},
		{base + "; server_max_window_bits=15", noTakeover + "; server_max_window_bits=15"},
		{base + "; server_no_context_takeover; server_max_window_bits=8", noTakeover + "; server_max_window_bits=8"},
		{base + "; server_no_context_takeover; server_max_window_bits=15", noTakeover + "; server_max_window_bits=15"},
		{
			base + "; server_no_context_takeover; server_max_window_bits=9, " + base + "; server_no_context_takeover, " + base,
			noTakeover + "; server_max_window_bits=9",
		},
	} {
		cases := deflateCases(fmt.Sprintf("13.%d", i+1), map[byte][]byte{0x81: ascii})
		cases = append(cases, conformanceCase{fmt.Sprintf("13.%d answer", i+1), func(p *peer) {
			if got := p.response.Header.Get("Sec-Websocket-Extensions"); got != tt.answer {
				p.t.Errorf("offer %q is answered with %q, want %q", tt.offer, got, tt.answer)
			}
		}})
		runConformance(t, withDeflate, []string{"Sec-WebSocket-Extensions: " + tt.offer}, cases)
	}
}

// What permessage-deflate adds to framing (RFC 7692 §6 and §7.2.3).
func TestConformance_DeflateFraming(t *testing.T) {
	t.Parallel()
	hello := []byte("Hello")
	body := func(level int) string { return string(deflated(t, level, hello)) }
	wantsHello := func(stream []byte) func(*peer) {
		return func(p *peer) {
			p.send(stream)
			wants(textFrame("Hello"))(p)
		}
	}
	runConformance(t, withDeflate, []string{"Sec-WebSocket-Extensions: permessage-deflate"}, []conformanceCase{
		{"uncompressed message", echoed(0x81, hello)},
		{"example of 7.2.3.1", wantsHello(frames(0xC1, "\xf2\x48\xcd\xc9\xc9\x07\x00"))},
		{"example of 7.2.3.1, fragmented", wantsHello(frames(0x41, "\xf2\x48\xcd", 0x80, "\xc9\xc9\x07\x00"))},
		{"example of 7.2.3.3, no compression", wantsHello(frames(0xC1, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"))},
		{"example of 7.2.3.4, final block", wantsHello(frames(0xC1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"))},
		{"example of 7.2.3.5, two blocks", wantsHello(frames(0xC1, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"))},
		{"empty message, 7.2.3.6", func(p *peer) { p.send(frames(0xC1, "\x00")); wants(textFrame(""))(p) }},
		{"stored", wantsHello(frames(0xC1, body(0)))},
		{"ping between fragments", func(p *peer) {
			p.send(frames(0x41, "\xf2\x48\xcd", 0x89, "p", 0x80, "\xc9\xc9\x07\x00"))
			wants(pongFrame("p"), textFrame("Hello"))(p)
		}},
		{"empty last fragment", wantsHello(frames(0x41, body(6), 0x80, ""))},
		{"RSV1 on a continuation", fails(frames(0x41, "\xf2\x48\xcd", 0xC0, "\xc9\xc9\x07\x00"), CloseProtocol)},
		{"RSV1 on a ping", fails(frames(0xC9, body(6)), CloseProtocol)},
		{"RSV1 on a close", fails(frames(0xC8, ""), CloseProtocol)},
		{"RSV2", fails(frames(0xE1, body(6)), CloseProtocol)},
		{"not deflate", fails(frames(0xC1, "\xff\xff\xff"), CloseInvalidData)},
		{"not UTF-8", fails(frames(0xC1, string(deflated(t, 6, []byte("\xff\xfe")))), CloseInvalidData)},
		{"binary, not UTF-8", func(p *peer) {
			p.send(frames(0xC2, string(deflated(t, 6, []byte("\xff\xfe")))))
			wants(binaryFrame("\xff\xfe"))(p)
		}},
	})
	runConformance(t, nil, nil, []conformanceCase{
		{"not negotiated", fails(frames(0xC1, body(6)), CloseProtocol)},
	})
}
