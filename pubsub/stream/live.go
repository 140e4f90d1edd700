package stream

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What is published on a log's live channel is
//
//	OFFSET EPOCH TOKEN PAYLOAD
//
// with one space after each of the first three. OFFSET is decimal, EPOCH a
// word, TOKEN the dedupe token of the message or "-", PAYLOAD the message as
// it was appended. Without a PAYLOAD it announces a position: a history was
// put back, or begins anew, and who is behind should read.

const (
	// MaxOffset is the greatest offset, 2^53 - 1: the greatest integer that
	// browsers and Redis's scripts count exactly.
	MaxOffset = 1<<53 - 1
	// maxWordBytes bounds an epoch and a token.
	maxWordBytes = 64
	// noToken stands for the token of a message without dedupe key.
	noToken = "-"
)

// ErrLive is returned for a payload of a live channel that does not begin as
// it should.
var ErrLive = errors.New("stream: not a message of a log")

// Live is what was published on the live channel of a log. Its strings share
// the memory of the payload that was parsed: clone an epoch before keeping it.
type Live struct {
	Position        // of the message, or the current one when Payload is ""
	Token    string // the dedupe token, "" for none
	Payload  string // the message; "" announces the position
}

// ParseLive reads a payload of a live channel. It allocates nothing unless it
// fails.
func ParseLive(s string) (Live, error) {
	offset, rest, ok1 := cutWord(s, len("9007199254740991"))
	epoch, rest, ok2 := cutWord(rest, maxWordBytes)
	token, payload, ok3 := cutWord(rest, maxWordBytes)
	if !ok1 || !ok2 || !ok3 {
		return Live{}, fmt.Errorf("%w: %.40q", ErrLive, s)
	}
	n, err := parseOffset(offset)
	if err != nil {
		return Live{}, fmt.Errorf("%w: %w", ErrLive, err)
	}
	if token == noToken {
		token = ""
	}
	return Live{Position{epoch, n}, token, payload}, nil
}

// AppendLive appends to dst what ParseLive reads.
func AppendLive(dst []byte, l Live) []byte {
	dst = append(strconv.AppendUint(dst, l.Offset, 10), ' ')
	dst = append(append(dst, l.Epoch...), ' ')
	dst = append(append(dst, wire(l.Token)...), ' ')
	return append(dst, l.Payload...)
}

// cutWord returns what stands before the first space: 1 to most bytes of it.
func cutWord(s string, most int) (word, rest string, ok bool) {
	i := strings.IndexByte(s[:min(len(s), most+1)], ' ')
	if i <= 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// parseOffset reads an offset as digits, without sign or leading zeros.
func parseOffset(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > MaxOffset || len(s) > 1 && s[0] == '0' {
		return 0, fmt.Errorf("the offset %.20q", s)
	}
	return n, nil
}

// Token returns what stands for a dedupe key in Redis and on the wire: the key
// itself when it is a short plain word, as ids are, else a hash of it. Two keys
// never have the same token but by a collision of SHA-256. That of "" is "".
func Token(dedupe string) string {
	if plainWord(dedupe) {
		return dedupe
	}
	sum := sha256.Sum256([]byte(dedupe))
	return "#" + base64.RawURLEncoding.EncodeToString(sum[:24])
}

// plainWord reports whether s can stand for itself.
func plainWord(s string) bool {
	if len(s) > maxWordBytes || s == noToken {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.:", rune(c)) {
			return false
		}
	}
	return true
}

// wire returns how a token, which may be "", is written.
func wire(token string) string {
	if token == "" {
		return noToken
	}
	return token
}
