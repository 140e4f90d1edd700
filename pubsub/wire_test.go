package pubsub

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll reads pushes from in until the first error.
func readAll(in io.Reader, bufferBytes int) (pushes []push, err error) {
	r := newPushReader(in, bufferBytes)
	for {
		p, err := r.read()
		if err != nil {
			return pushes, err
		}
		pushes = append(pushes, p)
	}
}

// wire writes "*3 $1 a" as Redis does: a line each, for spaces.
func wire(s string) string { return strings.ReplaceAll(s, " ", "\r\n") + "\r\n" }

func TestPushReader_Reads(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for name, tt := range map[string]struct {
		in   string
		want []push
	}{
		"nothing":             {"", nil},
		"message":             {wire("*3 $7 message $1 c $5 hello"), []push{{pushMessage, "c", "hello"}}},
		"empty message":       {wire("*3 $7 message $1 c $0 "), []push{{pushMessage, "c", ""}}},
		"null message":        {wire("*3 $7 message $1 c $-1"), []push{{pushMessage, "c", ""}}},
		"lines in a message":  {wire("*3 $7 message $1 c $6 a\r\nb\r\n"), []push{{pushMessage, "c", "a\r\nb\r\n"}}},
		"zeros in a message":  {wire("*3 $7 message $1 c $2 \x00\xff"), []push{{pushMessage, "c", "\x00\xff"}}},
		"long message":        {wire("*3 $7 message $1 c $100000 " + long), []push{{pushMessage, "c", long}}},
		"long channel":        {wire("*3 $7 message $100000 " + long + " $1 m"), []push{{pushMessage, long, "m"}}},
		"subscribe":           {wire("*3 $9 subscribe $1 c :12"), []push{{pushSubscribe, "c", ""}}},
		"unsubscribe":         {wire("*3 $11 unsubscribe $1 c :0"), []push{{pushUnsubscribe, "c", ""}}},
		"unsubscribe of none": {wire("*3 $11 unsubscribe $-1 :0"), []push{{pushUnsubscribe, "", ""}}},
		"sharded": {
			wire("*3 $10 ssubscribe $1 c :1 *3 $8 smessage $1 c $2 hi *3 $12 sunsubscribe $1 c :0"),
			[]push{{pushSubscribe, "c", ""}, {pushMessage, "c", "hi"}, {pushUnsubscribe, "c", ""}},
		},
		"pong":            {wire("*2 $4 pong $4 sync"), []push{{pushPong, "", "sync"}}},
		"pong before all": {wire("$4 sync"), []push{{pushPong, "", "sync"}}},
		"plain pong":      {wire("+PONG"), []push{{pushPong, "", "PONG"}}},
		"one after the other": {
			wire("*3 $9 subscribe $1 a :1 *3 $9 subscribe $1 b :2 *3 $7 message $1 b $1 1 *3 $7 message $1 b $1 2 *3 $7 message $1 a $1 3"),
			[]push{{pushSubscribe, "a", ""}, {pushSubscribe, "b", ""}, {pushMessage, "b", "1"}, {pushMessage, "b", "2"}, {pushMessage, "a", "3"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for how, in := range map[string]io.Reader{
				"whole": strings.NewReader(tt.in), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.in)),
			} {
				got, err := readAll(in, readBufferBytes)
				if !slices.Equal(got, tt.want) || !errors.Is(err, io.EOF) {
					t.Errorf("%s: %.200q, %v, want %.200q, EOF", how, got, err, tt.want)
				}
			}
		})
	}
}

func TestPushReader_Refuses(t *testing.T) {
	for name, tt := range map[string]struct {
		in, want string
		other    bool // not errWire
	}{
		"an error of Redis":      {wire("-NOPERM_no_permissions"), "NOPERM_no_permissions", true},
		"a string beyond bounds": {wire("*3 $7 message $1 c $67108865"), "67108865 bytes, of which at most 67108864", true},
		"another sign":           {wire(":1"), `begins with ':'`, false},
		"a push of RESP3":        {wire(">3 $7 message $1 c $1 m"), `begins with '>'`, false},
		"an empty line":          {"\r\n", "a line is", false},
		"a line without CR":      {"+PONG\n", "a line is", false},
		"a line without end":     {strings.Repeat("+", readBufferBytes+1), "a line of more than", false},
		"no array":               {wire("*-1"), "an array of -1", false},
		"an array too short":     {wire("*1 $7 message"), "an array of 1", false},
		"an array too long":      {wire("*1000000000 $7 message"), "an array of 1000000000", false},
		"a size of no digits":    {wire("*x"), `the number "x"`, false},
		"a size beyond int":      {wire("$99999999999999999999"), "the number", false},
		"a negative size":        {wire("$-2"), "a string of -2", false},
		"an unknown word":        {wire("*3 $8 pmessage $1 c $1 m"), `"pmessage" begins an array of 3`, false},
		"a pong of three":        {wire("*3 $4 pong $1 a $1 b"), `"pong" begins an array of 3`, false},
		"a message of two":       {wire("*2 $7 message $1 c"), `"message" begins an array of 2`, false},
		"an array in an array":   {wire("*3 *1 $1 a"), `'*' begins where a string`, false},
		"a channel as a number":  {wire("*3 $7 message :1 $1 m"), `':' begins where a string`, false},
		"a count as a string":    {wire("*3 $9 subscribe $1 c $1 1"), `'$' begins where a number`, false},
		"a count of no digits":   {wire("*3 $9 subscribe $1 c :x"), `the number "x"`, false},
		"a string too long":      {wire("*3 $7 message $1 c $1 mm"), "where a string should end", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(strings.NewReader(tt.in), readBufferBytes)
			if len(got) != 0 || err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, errWire) == tt.other {
				t.Errorf("%q: %+v, %v, want an error with %q", tt.in, got, err, tt.want)
			}
		})
	}
}

// TestPushReader_EndsAnywhere cuts the stream after each byte.
func TestPushReader_EndsAnywhere(t *testing.T) {
	whole := wire("*3 $9 subscribe $1 a :1 *3 $7 message $1 b $30 " + strings.Repeat("x", 30) + " *2 $4 pong $1 p $1 q +r")
	all, _ := readAll(strings.NewReader(whole), readBufferBytes)
	for _, size := range []int{16, readBufferBytes} { // strings beyond the buffer, and within
		for end := range len(whole) {
			got, err := readAll(strings.NewReader(whole[:end]), size)
			if !errors.Is(err, io.EOF) || len(got) >= len(all) || !slices.Equal(got, all[:len(got)]) {
				t.Fatalf("the first %d bytes: %+v, %v, want the beginning of %+v and EOF", end, got, err, all)
			}
		}
	}
}

// TestPushReader_AllocatesThePayload and nothing else in a busy room.
func TestPushReader_AllocatesThePayload(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want float64
	}{
		"the same channel": {wire("*3 $7 message $1 a $5 hello"), 1},
		"another channel":  {wire("*3 $7 message $3 one $5 hello *3 $7 message $3 two $5 hello"), 4}, // two messages
		"a long message":   {wire("*3 $7 message $1 a $100000 " + strings.Repeat("x", 100_000)), 1},
		"a confirmation":   {wire("*3 $9 subscribe $1 a :1"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			in := strings.NewReader("")
			r := newPushReader(in, readBufferBytes)
			got := testing.AllocsPerRun(100, func() {
				in.Reset(tt.in)
				for in.Len() > 0 || r.in.Buffered() > 0 {
					if _, err := r.read(); err != nil {
						t.Fatal(err)
					}
				}
			})
			if got != tt.want {
				t.Errorf("%v allocations, want %v", got, tt.want)
			}
		})
	}
}

func TestPushReader_ReadsOnBehindARefusal(t *testing.T) {
	r := newPushReader(strings.NewReader(wire("-MOVED_7 *2 $4 pong $4 sync")), readBufferBytes)
	_, err := r.read()
	if want := refusal("MOVED_7"); !errors.Is(err, want) {
		t.Errorf("read = %v, want %v", err, want)
	}
	if p, err := r.read(); err != nil || p.payload != "sync" {
		t.Errorf("then %+v, %v, want the pong", p, err)
	}
}

// FuzzReadPush: whatever comes, reading ends, gives no more than came, and does
// not depend on how the bytes arrive or on the size of the buffer; what was
// read and is written again reads the same.
func FuzzReadPush(f *testing.F) {
	for _, seed := range []string{
		wire("*3 $7 message $19 websocket:broadcast $5 hello"),
		wire("*3 $9 subscribe $1 a :1 *3 $11 unsubscribe $-1 :0"),
		wire("*2 $4 pong $4 sync $4 sync +PONG -ERR"),
		wire("*3 $7 message $1 a $40 0123456789012345678901234567890123456789"),
		wire("*3 $7 message $1 a $67108865"), wire("*-1"), wire("$-2"), "\r\n", "*3\n", "$1\r\nab",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const buffer = 64 // shorter than some strings, longer than the lines that matter
		got, err := readAll(bytes.NewReader(in), buffer)
		size := 0
		var again []byte
		for _, p := range got {
			size += len(p.channel) + len(p.payload)
			again = appendPush(again, p)
		}
		if err == nil || size > len(in) {
			t.Fatalf("%d bytes of strings and %v from %d bytes", size, err, len(in))
		}
		pieces, piecesErr := readAll(iotest.OneByteReader(bytes.NewReader(in)), buffer)
		if !slices.Equal(got, pieces) || err.Error() != piecesErr.Error() {
			t.Fatalf("whole: %+v, %v\nin pieces: %+v, %v", got, err, pieces, piecesErr)
		}
		back, backErr := readAll(bytes.NewReader(again), readBufferBytes)
		if !slices.Equal(got, back) || !errors.Is(backErr, io.EOF) {
			t.Fatalf("read: %+v\nread again: %+v, %v", got, back, backErr)
		}
	})
}

// appendPush appends p as Redis writes it.
func appendPush(dst []byte, p push) []byte {
	if p.kind == pushPong {
		return appendBulk(appendBulk(appendSize(dst, '*', 2), "pong"), p.payload)
	}
	for word, kind := range pushWords {
		if kind == p.kind {
			dst = appendBulk(appendBulk(appendSize(dst, '*', 3), word), p.channel)
			break // with an s in front or not, it reads the same
		}
	}
	if p.kind == pushMessage {
		return appendBulk(dst, p.payload)
	}
	return fmt.Appendf(dst, ":1\r\n")
}

func TestAppendCommands(t *testing.T) {
	for name, tt := range map[string]struct {
		got  []byte
		want string
	}{
		"one channel": {appendSubscription(nil, "SUBSCRIBE", "ws:", []topic{broadcast}), wire("*2 $9 SUBSCRIBE $12 ws:broadcast")},
		"a user's": {
			appendSubscription(nil, "UNSUBSCRIBE", "ws:", []topic{{KindUser, "é"}, {KindRoom, "a:b"}}),
			wire("*4 $11 UNSUBSCRIBE $10 ws:user:é $18 ws:notification:é $11 ws:room:a:b"),
		},
		"logs": {
			appendSubscription(nil, "SUBSCRIBE", "ws:", []topic{{KindRoomLog, "a:b"}, {KindUserLog, "7"}}),
			wire("*3 $9 SUBSCRIBE $17 ws:log:{room:a:b} $15 ws:log:{user:7}"),
		},
		"logs of a cluster": {
			appendSharded(nil, "SSUBSCRIBE", "ws:", []topic{{KindRoomLog, "a:b"}, {KindUserLog, "7"}}),
			wire("*2 $10 SSUBSCRIBE $17 ws:log:{room:a:b} *2 $10 SSUBSCRIBE $15 ws:log:{user:7}"),
		},
		"nodes": {
			appendSubscription(nil, "SUBSCRIBE", "ws:", []topic{{KindControl, ""}, {KindControl, "n1"}}),
			wire("*3 $9 SUBSCRIBE $10 ws:control $13 ws:control:n1"),
		},
		"a ping":         {appendPing(nil, "sync"), wire("*2 $4 PING $4 sync")},
		"no prefix":      {appendSubscription(nil, "SUBSCRIBE", "", []topic{{KindRoom, ""}}), wire("*2 $9 SUBSCRIBE $5 room:")},
		"after the rest": {appendPing([]byte("rest"), ""), "rest" + wire("*2 $4 PING $0 ")},
	} {
		t.Run(name, func(t *testing.T) {
			if string(tt.got) != tt.want {
				t.Errorf("%q, want %q", tt.got, tt.want)
			}
		})
	}
}

func BenchmarkPushReader(b *testing.B) {
	message := wire("*3 $7 message $19 websocket:room:chat $133 " + string(payload))
	in := strings.NewReader("")
	r := newPushReader(in, readBufferBytes)
	b.ReportAllocs()
	for b.Loop() {
		in.Reset(message)
		if _, err := r.read(); err != nil {
			b.Fatal(err)
		}
	}
}
