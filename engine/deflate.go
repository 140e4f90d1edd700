package engine

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
)

// permessage-deflate (RFC 7692), always without context takeover, so that no
// connection holds a window and one compressed frame serves all recipients.
const deflateResponse = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// deflateSlack is how much longer than a message its compressed form may be.
const deflateSlack = 1024

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

type inflater struct {
	src  strings.Reader // deflateTail
	data bytes.Reader
	fr   io.ReadCloser
	out  bytes.Buffer
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
	in.data.Reset(payload)
	in.src.Reset(deflateTail)
	in.out.Reset()
	if in.out.Cap() > 1<<16 { // do not let one big message pin its buffer
		in.out = bytes.Buffer{}
	}
	if err := in.fr.(flate.Resetter).Reset(io.MultiReader(&in.data, &in.src), nil); err != nil {
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

// acceptsDeflate reports whether the client offers permessage-deflate with
// parameters that we can honour: anything but a smaller window for what we send.
func acceptsDeflate(h http.Header) bool {
	for _, line := range h["Sec-Websocket-Extensions"] {
		for _, offer := range strings.Split(line, ",") {
			if acceptsOffer(offer) {
				return true
			}
		}
	}
	return false
}

func acceptsOffer(offer string) bool {
	name, params, _ := strings.Cut(offer, ";")
	if !strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") {
		return false
	}
	seen := map[string]bool{}
	for _, param := range strings.Split(params, ";") {
		key, value, hasValue := strings.Cut(strings.TrimSpace(param), "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		key = strings.ToLower(strings.TrimSpace(key))
		if key == "" && params == "" {
			return true
		}
		if seen[key] || !acceptsParam(key, value, hasValue) {
			return false
		}
		seen[key] = true
	}
	return true
}

func acceptsParam(key, value string, hasValue bool) bool {
	switch key {
	case "server_no_context_takeover", "client_no_context_takeover":
		return !hasValue
	case "client_max_window_bits":
		return !hasValue || windowBits(value)
	case "server_max_window_bits":
		return value == "15"
	default:
		return false
	}
}

// windowBits reports whether s is a number from 8 to 15 without leading zeros.
func windowBits(s string) bool {
	switch s {
	case "8", "9", "10", "11", "12", "13", "14", "15":
		return true
	}
	return false
}
