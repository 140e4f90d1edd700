package pubsub

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The wire is RESP2 as it is spoken on a subscribed connection. Each line ends
// in CR LF, "$5" announces a string of 5 bytes, "*3" an array of 3:
//
//	us    ► *2 $9 SUBSCRIBE $19 websocket:broadcast          UNSUBSCRIBE likewise
//	Redis ◄ *3 $9 subscribe $19 websocket:broadcast :1       for each channel; unsubscribe likewise
//	Redis ◄ *3 $7 message   $19 websocket:broadcast $5 hello
//	us    ► *2 $4 PING $4 sync
//	Redis ◄ *2 $4 pong $4 sync                               before the first SUBSCRIBE: $4 sync
//	us    ► *2 $4 INFO $11 replication                       only before the first SUBSCRIBE
//	Redis ◄ $621 # Replication ...
//	Redis ◄ -NOPERM this user has no permissions ...         in answer to any command
//
// In a Cluster the live channels of logs are spoken of alike, at the master of
// their slot, with an s before each word: SSUBSCRIBE, ssubscribe, smessage. One
// SSUBSCRIBE has channels of one slot only.
//
//	us    ► *2 $10 SSUBSCRIBE $27 websocket:log:{room:chat:1}
//	Redis ◄ -MOVED 5798 10.0.0.7:6379                        the slot has another master
//	Redis ◄ *3 $12 sunsubscribe $27 websocket:log:{room:chat:1} :0   unasked: it has one from now on
//
// The second line of all in full: "*3\r\n$9\r\nsubscribe\r\n$19\r\nwebsocket:broadcast\r\n:1\r\n".

const (
	// maxStringBytes bounds one string from Redis, 64 MiB. Redis itself ends
	// a subscriber for whom 32 MiB wait, unless client-output-buffer-limit
	// says otherwise.
	maxStringBytes = 64 << 20
	// trustedBytes is how much is allocated on the word of Redis alone;
	// beyond that, memory follows what has arrived.
	trustedBytes = 1 << 20
	// readBufferBytes is what is read from the connection at once. It bounds
	// a line, and a string that fits is copied once.
	readBufferBytes = 64 << 10
)

// errWire is returned when what comes is not what the drawing above shows.
var errWire = errors.New("not the protocol of Redis Pub/Sub")

// refusal is what Redis answers to a command that it does not carry out. The
// pushReader reads on behind it.
type refusal string

func (r refusal) Error() string { return string(r) }

// push is one thing that Redis says.
type push struct {
	kind    pushKind
	channel string // "" with pushPong
	payload string // of pushMessage and pushPong
}

type pushKind uint8

const (
	pushMessage pushKind = iota + 1
	pushSubscribe
	pushUnsubscribe
	pushPong
)

// pushWords holds the words that arrays begin with.
var pushWords = map[string]pushKind{
	"message": pushMessage, "subscribe": pushSubscribe, "unsubscribe": pushUnsubscribe, "pong": pushPong,
	"smessage": pushMessage, "ssubscribe": pushSubscribe, "sunsubscribe": pushUnsubscribe,
}

// pushReader reads pushes. After an error that is no refusal it has lost its
// place.
type pushReader struct {
	in            *bufio.Reader
	word, channel string // of the last array, for the next to share
}

func newPushReader(in io.Reader, bufferBytes int) *pushReader {
	return &pushReader{in: bufio.NewReaderSize(in, bufferBytes)}
}

// read returns the next push, io.EOF when the connection ended, or a refusal. It allocates the payload, and
// the channel when it is not the one before.
func (r *pushReader) read() (push, error) {
	sign, rest, err := r.line()
	if err != nil {
		return push{}, err
	}
	switch sign {
	case '*':
		return r.array(rest)
	case '$':
		payload, err := r.bulk(rest, "")
		return push{kind: pushPong, payload: payload}, err
	case '+':
		return push{kind: pushPong, payload: string(rest)}, nil
	case '-':
		return push{}, refusal(rest)
	}
	return push{}, fmt.Errorf("%w: a reply begins with %q", errWire, sign)
}

// array reads the elements of an array of which size was announced.
func (r *pushReader) array(size []byte) (p push, err error) {
	n, err := number(size)
	if err != nil {
		return push{}, err
	}
	if n < 2 || n > 3 {
		return push{}, fmt.Errorf("%w: an array of %d", errWire, n)
	}
	if r.word, err = r.text(r.word); err != nil {
		return push{}, err
	}
	p.kind = pushWords[r.word]
	if p.kind == 0 || (p.kind == pushPong) != (n == 2) {
		return push{}, fmt.Errorf("%w: %.20q begins an array of %d", errWire, r.word, n)
	}
	if p.kind != pushPong {
		if r.channel, err = r.text(r.channel); err != nil {
			return push{}, err
		}
		p.channel = r.channel
	}
	if p.kind == pushMessage || p.kind == pushPong {
		p.payload, err = r.text("")
	} else {
		err = r.integer() // how many channels are subscribed now
	}
	if err != nil {
		return push{}, err
	}
	return p, nil
}

// text reads a string with its announcement. It returns last instead when that
// is the same.
func (r *pushReader) text(last string) (string, error) {
	sign, size, err := r.line()
	if err != nil {
		return "", err
	}
	if sign != '$' {
		return "", fmt.Errorf("%w: %q begins where a string should", errWire, sign)
	}
	return r.bulk(size, last)
}

// bulk reads a string of which size was announced; see text. The null string,
// of size -1, is "".
func (r *pushReader) bulk(size []byte, last string) (s string, err error) {
	n, err := number(size)
	switch {
	case err != nil:
		return "", err
	case n == -1:
		return "", nil
	case n < 0:
		return "", fmt.Errorf("%w: a string of %d bytes", errWire, n)
	case n > maxStringBytes:
		return "", fmt.Errorf("redis sends a string of %d bytes, of which at most %d are taken", n, maxStringBytes)
	case n > r.in.Size():
		s, err = r.long(n)
	default:
		s, err = r.short(n, last)
	}
	if err != nil {
		return "", err
	}
	return s, r.lineEnd()
}

// short reads n bytes that fit the buffer. It returns last instead when that is
// the same.
func (r *pushReader) short(n int, last string) (string, error) {
	b, err := r.in.Peek(n)
	if err != nil {
		return "", err
	}
	if string(b) != last {
		last = string(b)
	}
	_, err = r.in.Discard(n)
	return last, err
}

// long reads n bytes, a buffer at a time.
func (r *pushReader) long(n int) (string, error) {
	var s strings.Builder
	s.Grow(min(n, trustedBytes))
	for s.Len() < n {
		if _, err := r.in.Peek(1); err != nil { // fills an empty buffer
			return "", err
		}
		b, err := r.in.Peek(min(n-s.Len(), r.in.Buffered()))
		if err != nil {
			return "", err
		}
		s.Write(b)
		if _, err = r.in.Discard(len(b)); err != nil {
			return "", err
		}
	}
	return s.String(), nil
}

// integer reads a number with its sign, and has no use for it.
func (r *pushReader) integer() error {
	sign, rest, err := r.line()
	if err != nil {
		return err
	}
	if sign != ':' {
		return fmt.Errorf("%w: %q begins where a number should", errWire, sign)
	}
	_, err = number(rest)
	return err
}

// line reads a line and splits it after its first byte. rest is valid until the
// next read.
func (r *pushReader) line() (sign byte, rest []byte, err error) {
	line, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return 0, nil, fmt.Errorf("%w: a line of more than %d bytes", errWire, r.in.Size())
	}
	if err != nil {
		return 0, nil, err
	}
	if len(line) < len("x\r\n") || line[len(line)-2] != '\r' {
		return 0, nil, fmt.Errorf("%w: a line is %.20q", errWire, line)
	}
	return line[0], line[1 : len(line)-2], nil
}

// lineEnd reads what follows a string.
func (r *pushReader) lineEnd() error {
	b, err := r.in.Peek(2)
	if err != nil {
		return err
	}
	if string(b) != "\r\n" {
		return fmt.Errorf("%w: %q where a string should end", errWire, b)
	}
	_, err = r.in.Discard(2)
	return err
}

func number(digits []byte) (int, error) {
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return 0, fmt.Errorf("%w: the number %.20q", errWire, digits)
	}
	return n, nil
}

// appendSubscription appends verb, SUBSCRIBE or UNSUBSCRIBE, with the channels
// of topics. To Redis an UNSUBSCRIBE without any would mean all.
func appendSubscription(dst []byte, verb, prefix string, topics []topic) []byte {
	size := 1
	for _, t := range topics {
		size += len(t.channels())
	}
	dst = appendBulk(appendSize(dst, '*', size), verb)
	for _, t := range topics {
		for _, kind := range t.channels() {
			before, after := segmentsOf(kind, t.name)
			dst = appendBulk(dst, prefix, before, t.name, after)
		}
	}
	return dst
}

// appendSharded appends one command for each of topics: verb, SSUBSCRIBE or
// SUNSUBSCRIBE, with its channel.
func appendSharded(dst []byte, verb, prefix string, topics []topic) []byte {
	for i := range topics {
		dst = appendSubscription(dst, verb, prefix, topics[i:i+1])
	}
	return dst
}

// appendPing appends a PING that payload will come back to.
func appendPing(dst []byte, payload string) []byte {
	return appendBulk(appendBulk(appendSize(dst, '*', 2), "PING"), payload)
}

// appendInfo appends an INFO for one section.
func appendInfo(dst []byte, section string) []byte {
	return appendBulk(appendBulk(appendSize(dst, '*', 2), "INFO"), section)
}

// appendBulk appends the string of parts in a row.
func appendBulk(dst []byte, parts ...string) []byte {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	dst = appendSize(dst, '$', size)
	for _, part := range parts {
		dst = append(dst, part...)
	}
	return append(dst, "\r\n"...)
}

func appendSize(dst []byte, sign byte, size int) []byte {
	return append(strconv.AppendInt(append(dst, sign), int64(size), 10), "\r\n"...)
}
