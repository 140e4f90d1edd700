package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// events is a frameSink that writes down what it is told.
type events struct {
	list []string
	stop error // returned for a close frame, when set
}

func (e *events) message(op Opcode, compressed, checked bool, payload []byte) error {
	if op == OpText && !compressed && !checked && validPrefix(payload) != len(payload) {
		return errNotUTF8 // as Conn.deliver does
	}
	name := map[Opcode]string{OpText: "text", OpBinary: "binary"}[op]
	if compressed {
		name += " deflated"
	}
	e.list = append(e.list, fmt.Sprintf("%s %q", name, payload))
	return nil
}

func (e *events) control(op Opcode, payload []byte) error {
	name := map[Opcode]string{OpClose: "close", OpPing: "ping", OpPong: "pong"}[op]
	e.list = append(e.list, fmt.Sprintf("%s %q", name, payload))
	if op == OpClose {
		return e.stop
	}
	return nil
}

var testReadLimits = readLimits{messageBytes: 1000, deflate: true}

// readChunks feeds chunks to the frame reader, each in memory of its own, and
// returns what came out: events, and at the end "fail" with the close code. It
// checks what is held in between.
func readChunks(t testing.TB, lim readLimits, chunks ...[]byte) []string {
	t.Helper()
	var in *partial
	sink := &events{stop: ErrClosed}
	for _, chunk := range chunks {
		err := readFrames(&in, slices.Clone(chunk), lim, sink)
		if in != nil {
			if most := deflatedLimit(lim.messageBytes); len(in.buf) > most || len(in.ctl) > maxControlPayload {
				t.Fatalf("the reader holds %d and %d bytes, at most %d and 125 are allowed", len(in.buf), len(in.ctl), most)
			}
			if err == nil && in.resting() {
				t.Fatalf("the reader keeps state between two messages: %+v", in)
			}
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, sink.stop):
			return sink.list
		default:
			return append(sink.list, fmt.Sprintf("fail %d", codeOf(err)))
		}
	}
	if in != nil {
		sink.list = append(sink.list, "incomplete")
	}
	return sink.list
}

// frames concatenates frames, given as (first byte, payload) pairs.
func frames(pairs ...any) []byte {
	var out []byte
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, masked(byte(pairs[i].(int)), []byte(pairs[i+1].(string)))...)
	}
	return out
}

// readerCases are byte streams and what they mean.
var readerCases = map[string]struct {
	stream []byte
	want   []string
}{
	"nothing":              {nil, nil},
	"text":                 {frames(0x81, "hello"), []string{`text "hello"`}},
	"binary":               {frames(0x82, "\x00\xff"), []string{`binary "\x00\xff"`}},
	"empty messages":       {frames(0x81, "", 0x82, ""), []string{`text ""`, `binary ""`}},
	"several messages":     {frames(0x81, "a", 0x81, "b", 0x82, "c"), []string{`text "a"`, `text "b"`, `binary "c"`}},
	"16-bit length":        {frames(0x82, strings.Repeat("x", 126)), []string{fmt.Sprintf("binary %q", strings.Repeat("x", 126))}},
	"fragmented":           {frames(0x01, "he", 0x00, "l", 0x80, "lo", 0x81, "!"), []string{`text "hello"`, `text "!"`}},
	"empty fragments":      {frames(0x02, "", 0x00, "", 0x80, ""), []string{`binary ""`}},
	"control":              {frames(0x89, "p", 0x8A, "q", 0x88, "\x03\xe8"), []string{`ping "p"`, `pong "q"`, `close "\x03\xe8"`}},
	"empty control":        {frames(0x89, "", 0x8A, ""), []string{`ping ""`, `pong ""`}},
	"longest control":      {frames(0x89, strings.Repeat("p", 125)), []string{fmt.Sprintf("ping %q", strings.Repeat("p", 125))}},
	"nothing after close":  {frames(0x88, "", 0x81, "late"), []string{`close ""`}},
	"control in fragments": {frames(0x01, "a", 0x89, "p", 0x00, "b", 0x8A, "", 0x80, "c"), []string{`ping "p"`, `pong ""`, `text "abc"`}},
	"close in fragments":   {frames(0x01, "a", 0x88, "\x03\xe8"), []string{`close "\x03\xe8"`}},
	"deflated":             {frames(0xC1, "\xff\xff", 0x82, "x"), []string{`text deflated "\xff\xff"`, `binary "x"`}},
	"deflated fragments":   {frames(0x41, "\xff", 0x80, "\xfe"), []string{`text deflated "\xff\xfe"`}},
	"incomplete header":    {frames(0x81, "a", 0x81, "b")[:8], []string{`text "a"`, "incomplete"}},
	"incomplete payload":   {frames(0x81, "hello")[:9], []string{"incomplete"}},
	"incomplete message":   {frames(0x01, "hello"), []string{"incomplete"}},

	"not masked":             {[]byte("\x81\x05hello"), []string{"fail 1002"}},
	"not masked, empty":      {[]byte{0x81, 0x00}, []string{"fail 1002"}},
	"second not masked":      {append(frames(0x81, "a"), 0x81, 0x00), []string{`text "a"`, "fail 1002"}},
	"RSV2":                   {frames(0xA1, "a"), []string{"fail 1002"}},
	"RSV3":                   {frames(0x91, "a"), []string{"fail 1002"}},
	"RSV1 on a ping":         {frames(0xC9, "a"), []string{"fail 1002"}},
	"RSV1 on a continuation": {frames(0x41, "a", 0xC0, "b"), []string{"fail 1002"}},
	"opcode 3":               {frames(0x83, "a"), []string{"fail 1002"}},
	"opcode 7":               {frames(0x87, "a"), []string{"fail 1002"}},
	"opcode 11":              {frames(0x8B, "a"), []string{"fail 1002"}},
	"opcode 15":              {frames(0x8F, "a"), []string{"fail 1002"}},
	"fragmented ping":        {frames(0x09, "a"), []string{"fail 1002"}},
	"fragmented close":       {frames(0x08, ""), []string{"fail 1002"}},
	"long ping":              {frames(0x89, strings.Repeat("p", 126)), []string{"fail 1002"}},
	"continuation first":     {frames(0x80, "a"), []string{"fail 1002"}},
	"continuation, not last": {frames(0x00, "a"), []string{"fail 1002"}},
	"continuation after end": {frames(0x01, "a", 0x80, "b", 0x80, "c"), []string{`text "ab"`, "fail 1002"}},
	"message in a message":   {frames(0x01, "a", 0x81, "b"), []string{"fail 1002"}},
	"long form of a length":  {[]byte{0x82, 0xFE, 0, 5, 0, 0, 0, 0}, []string{"fail 1002"}},

	"text not UTF-8":            {frames(0x81, "a\xff"), []string{"fail 1007"}},
	"text ends in a character":  {frames(0x81, "a\xe2\x82"), []string{"fail 1007"}},
	"fragments cut a character": {frames(0x01, "a\xe2", 0x00, "\x82", 0x80, "\xac"), []string{`text "a€"`}},
	"last fragment incomplete":  {frames(0x01, "a", 0x80, "\xe2\x82"), []string{"fail 1007"}},
	"bad across fragments":      {frames(0x01, "\xe2", 0x00, "x"), []string{"fail 1007"}},
	"bad in first fragment":     {frames(0x01, "\xc0"), []string{"fail 1007"}},

	"too big":               {frames(0x82, strings.Repeat("x", 1001)), []string{"fail 1009"}},
	"just not too big":      {frames(0x82, strings.Repeat("x", 1000)), []string{fmt.Sprintf("binary %q", strings.Repeat("x", 1000))}},
	"too big in fragments":  {frames(0x02, strings.Repeat("x", 600), 0x80, strings.Repeat("x", 401)), []string{"fail 1009"}},
	"too big by the header": {binary.BigEndian.AppendUint64([]byte{0x82, 0xFF}, 1<<40), []string{"incomplete"}},
	"too big, whole header": {append(binary.BigEndian.AppendUint64([]byte{0x82, 0xFF}, 1<<62), 1, 2, 3, 4), []string{"fail 1009"}},
	"largest length":        {append(binary.BigEndian.AppendUint64([]byte{0x82, 0xFF}, 1<<63-1), 1, 2, 3, 4), []string{"fail 1009"}},
}

func TestReadFrames(t *testing.T) {
	t.Parallel()
	for name, tt := range readerCases {
		if got := readChunks(t, testReadLimits, tt.stream); !slices.Equal(got, tt.want) {
			t.Errorf("%s: events = %v, want %v", name, got, tt.want)
		}
	}
}

func TestReadFrames_EverySplitGivesTheSameEvents(t *testing.T) {
	t.Parallel()
	for name, tt := range readerCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tt.stream
			check := func(chunks ...[]byte) {
				t.Helper()
				if got := readChunks(t, testReadLimits, chunks...); !slices.Equal(got, tt.want) {
					t.Fatalf("events of %d chunks = %v, want %v", len(chunks), got, tt.want)
				}
			}
			for size := 1; size <= min(len(s), 20); size++ {
				check(slices.Collect(slices.Chunk(s, size))...)
			}
			if len(s) > 150 {
				return // all pairs of cuts would take too long
			}
			for i := range s {
				check(s[:i], s[i:])
				for j := i; j < len(s); j++ {
					check(s[:i], s[i:j], s[j:])
				}
			}
		})
	}
}

func TestReadFrames_RSV1NeedsDeflate(t *testing.T) {
	t.Parallel()
	lim := readLimits{messageBytes: 1000}
	want := []string{"fail 1002"}
	if got := readChunks(t, lim, frames(0xC1, "a")); !slices.Equal(got, want) {
		t.Errorf("RSV1 without deflate: events = %v, want %v", got, want)
	}
}

// What the first bytes show is acted upon at once: a peer cannot make us wait for
// the rest of a frame that is wrong, nor hold what will be refused.
func TestReadFrames_FailsFast(t *testing.T) {
	t.Parallel()
	tooBig := append(binary.BigEndian.AppendUint16([]byte{0x82, 0xFE}, 1001), 1, 2, 3, 4)
	for name, tt := range map[string]struct {
		stream []byte
		want   string
	}{
		"RSV, two bytes":               {[]byte{0xF1, 0xFF}, "fail 1002"},
		"opcode, two bytes":            {[]byte{0x8F, 0xFF}, "fail 1002"},
		"no mask, two bytes":           {[]byte{0x81, 0x7F}, "fail 1002"},
		"long ping, two bytes":         {[]byte{0x89, 0xFE}, "fail 1002"},
		"too big, header only":         {tooBig, "fail 1009"},
		"not UTF-8, frame incomplete":  {frames(0x81, "abc\xffdefghijkl")[:12], "fail 1007"},
		"not UTF-8, fragment complete": {frames(0x01, "\xf4\x90"), "fail 1007"},
	} {
		for _, chunks := range [][][]byte{{tt.stream}, slices.Collect(slices.Chunk(tt.stream, 1))} {
			if got := readChunks(t, testReadLimits, chunks...); !slices.Equal(got, []string{tt.want}) {
				t.Errorf("%s in %d chunks: events = %v, want %s", name, len(chunks), got, tt.want)
			}
		}
	}
}

func TestReadFrames_ReturnsTheErrorOfItsSink(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	sink := &events{stop: stop}
	var in *partial
	err := readFrames(&in, frames(0x88, "", 0x81, "never"), testReadLimits, sink)
	if !errors.Is(err, stop) || len(sink.list) != 1 {
		t.Errorf("readFrames = %v after %v, want the sink's error after the close frame", err, sink.list)
	}
}

func TestReadFrames_KeepsNothingBetweenMessages(t *testing.T) {
	t.Parallel()
	var in *partial
	for _, chunk := range slices.Collect(slices.Chunk(frames(0x01, "ab", 0x89, "p", 0x80, "cd"), 1)) {
		if err := readFrames(&in, chunk, testReadLimits, &events{}); err != nil {
			t.Fatalf("readFrames: %v", err)
		}
	}
	if in != nil {
		t.Errorf("state after the last byte of a message = %+v, want none", in)
	}
}

// The payload that a handler sees is not touched by what follows it.
func TestReadFrames_PayloadsDoNotOverlap(t *testing.T) {
	t.Parallel()
	var want []string
	var stream []byte
	for i := range 200 {
		text := bytes.Repeat([]byte{byte('a' + i%26)}, i)
		stream = append(stream, fragments(0x81, text, 1+i%50)...)
		want = append(want, fmt.Sprintf("text %q", text))
	}
	for _, size := range []int{1, 7, 64, 1000, len(stream)} {
		got := readChunks(t, testReadLimits, slices.Collect(slices.Chunk(stream, size))...)
		if !slices.Equal(got, want) {
			t.Fatalf("in chunks of %d bytes: events differ from what was sent", size)
		}
	}
}
