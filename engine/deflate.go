package engine

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
)

// permessage-deflate (RFC 7692), always without context takeover, so that no
// connection holds a window and one compressed frame serves all recipients.
//
// A client may ask for a smaller window of what it is sent
// (server_max_window_bits, RFC 7692 §7.1.2.1). It gets the shared frame too when
// the payload is no longer than its window, since no reference in it then reaches
// further back; longer payloads go to it uncompressed, which is always allowed.
const deflateResponse = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// maxWindowBits is the window of a client that has not asked for a smaller one.
const maxWindowBits = 15

// deflatedLimit is how long the compressed form of a message of limit bytes may
// be: blocks that are only stored make incompressible data a little longer.
func deflatedLimit(limit int) int { return limit + limit/64 + 1024 }

// deflateTail ends every message: the empty block that RFC 7692 §7.2.2 takes
// off the wire, and a final block so that the reader sees a clean end.
const deflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// deflater compresses frames and inflates messages with pooled state. Safe for
// use by any number of goroutines.
type deflater struct {
	minBytes int
	writers  sync.Pool // *flate.Writer
	readers  sync.Pool // *inflater
}

// maxPooled is the size in bytes from which a buffer is not kept for reuse: one
// big message must not pin its memory.
const maxPooled = 256 << 10

type inflater struct {
	src bytes.Buffer // a payload and deflateTail; flate reads this type fastest
	fr  io.ReadCloser
	out bytes.Buffer
}

func newDeflater(c Compression) *deflater {
	d := &deflater{minBytes: c.MinBytes}
	d.writers.New = func() any {
		w, err := flate.NewWriter(io.Discard, c.Level)
		if err != nil { // the level was validated
			panic(err)
		}
		return w
	}
	d.readers.New = func() any { return &inflater{fr: flate.NewReader(strings.NewReader(""))} }
	return d
}

// encode returns the compressed form of a single frame, or its plain form when
// that is not longer.
func (d *deflater) encode(f *Frame) []byte {
	if len(f.payload) < d.minBytes || f.op.control() {
		return f.plain
	}
	var buf bytes.Buffer
	buf.Grow(len(f.payload)/2 + 64)
	w := d.writers.Get().(*flate.Writer)
	defer d.writers.Put(w)
	w.Reset(&buf)
	if _, err := w.Write(f.payload); err != nil {
		return f.plain
	}
	if err := w.Flush(); err != nil {
		return f.plain
	}
	body := bytes.TrimSuffix(buf.Bytes(), []byte(deflateTail[:4]))
	if len(body) >= len(f.payload) {
		return f.plain
	}
	out := appendHeader(make([]byte, 0, len(body)+maxHeader), f.op, true, len(body))
	return append(out, body...)
}

// inflate decompresses one message of at most limit bytes and calls use with
// it; the bytes are only valid during the call. The error is a *closeError for
// a message that is malformed or too big, or what use returned.
func (d *deflater) inflate(payload []byte, limit int, use func([]byte) error) error {
	in := d.readers.Get().(*inflater)
	defer d.readers.Put(in)
	for _, buf := range []*bytes.Buffer{&in.src, &in.out} {
		if buf.Reset(); buf.Cap() > maxPooled {
			*buf = bytes.Buffer{}
		}
	}
	in.src.Write(payload)
	in.src.WriteString(deflateTail)
	if err := in.fr.(flate.Resetter).Reset(&in.src, nil); err != nil {
		return &closeError{CloseInternal, "inflate reset"}
	}
	n, err := io.Copy(&in.out, io.LimitReader(in.fr, int64(limit)+1))
	switch {
	case n > int64(limit):
		return &closeError{CloseTooBig, "message too big"}
	case err != nil && !errors.Is(err, io.EOF):
		return &closeError{CloseInvalidData, "compressed data is malformed"}
	}
	return use(in.out.Bytes())
}

// offer is what a client's acceptable offer of permessage-deflate asks for.
type offer struct {
	// windowBits is the base-2 logarithm of the client's window, 8 to 15; 0 when
	// the offer does not name one.
	windowBits uint8
}

// response is the value of the header that accepts the offer.
func (o offer) response() string {
	if o.windowBits == 0 {
		return deflateResponse
	}
	return deflateResponse + "; server_max_window_bits=" + strconv.Itoa(int(o.windowBits))
}

// acceptableOffer returns the first offer of permessage-deflate that can be
// honoured (RFC 7692 §5.1).
func acceptableOffer(h http.Header) (offer, bool) {
	for _, line := range h["Sec-Websocket-Extensions"] {
		for _, text := range strings.Split(line, ",") {
			if o, ok := parseOffer(text); ok {
				return o, true
			}
		}
	}
	return offer{}, false
}

// parseOffer reads one offer. It is not acceptable when it is for another
// extension, or has a parameter that is unknown, invalid or there twice (RFC
// 7692 §7).
func parseOffer(text string) (o offer, ok bool) {
	name, rest, hasParams := strings.Cut(text, ";")
	if !strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") {
		return offer{}, false
	}
	seen := map[string]bool{}
	for hasParams {
		var param string
		param, rest, hasParams = strings.Cut(rest, ";")
		key, value, hasValue := strings.Cut(param, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		value = strings.TrimSpace(value)
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		if seen[key] || !o.take(key, value, hasValue) {
			return offer{}, false
		}
		seen[key] = true
	}
	return o, true
}

// take notes one parameter and reports whether it is valid.
func (o *offer) take(key, value string, hasValue bool) bool {
	switch key {
	case "server_no_context_takeover", "client_no_context_takeover":
		return !hasValue // both are the case anyway
	case "client_max_window_bits":
		return !hasValue || windowBits(value) > 0 // a hint: we inflate with the largest
	case "server_max_window_bits":
		o.windowBits = windowBits(value)
		return o.windowBits > 0
	default:
		return false
	}
}

// windowBits reads a number from 8 to 15 without leading zeros, or returns 0.
func windowBits(s string) uint8 {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || n < 8 || n > maxWindowBits || s[0] == '0' {
		return 0
	}
	return uint8(n)
}
