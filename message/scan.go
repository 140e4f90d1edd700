package message

import "encoding/binary"

// The scanner checks the JSON grammar of RFC 8259 over a byte slice, in one
// pass, without recursion deeper than the limit it is given and without
// allocating. It decodes nothing: what a caller keeps of a value is its span.
//
// It does not check UTF-8: the engine has done so for client frames, and
// DecodePayload does it for what comes from Redis.
//
// Every skip function takes the offset of the first byte of what it skips and
// returns the offset behind its last byte. An offset equal to len(b) is valid
// input and means that the text ends too early.

// skipSpace returns the offset of the first byte at or after i that is not
// JSON white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue skips one value of any kind. depth is how many levels of arrays
// and objects it may open.
func skipValue(b []byte, i, depth int) (int, error) {
	if i >= len(b) {
		return i, errEnd(b)
	}
	switch c := b[i]; {
	case c == '"':
		return skipString(b, i)
	case c == '{':
		return skipObject(b, i, depth)
	case c == '[':
		return skipArray(b, i, depth)
	case c == '-' || isDigit(c):
		return skipNumber(b, i)
	case c == 't':
		return skipLiteral(b, i, "true")
	case c == 'f':
		return skipLiteral(b, i, "false")
	case c == 'n':
		return skipLiteral(b, i, "null")
	}
	return i, &SyntaxError{Offset: i, Reason: "a value was expected"}
}

// skipObject skips an object, whose opening brace is at i.
func skipObject(b []byte, i, depth int) (int, error) {
	if depth <= 0 {
		return i, ErrTooDeep
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	for {
		var err error
		if _, i, err = skipName(b, i); err != nil {
			return i, err
		}
		if i, err = skipValue(b, i, depth-1); err != nil {
			return i, err
		}
		var done bool
		if i, done, err = skipSeparator(b, i, '}'); done || err != nil {
			return i, err
		}
	}
}

// skipArray skips an array, whose opening bracket is at i.
func skipArray(b []byte, i, depth int) (int, error) {
	if depth <= 0 {
		return i, ErrTooDeep
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1, nil
	}
	for {
		var err error
		if i, err = skipValue(b, i, depth-1); err != nil {
			return i, err
		}
		var done bool
		if i, done, err = skipSeparator(b, i, ']'); done || err != nil {
			return i, err
		}
	}
}

// skipName skips the name of a member with the colon and the space behind it.
// nameEnd is the offset behind the closing quote, value that of the value.
func skipName(b []byte, i int) (nameEnd, value int, err error) {
	if i >= len(b) {
		return i, i, errEnd(b)
	}
	if b[i] != '"' {
		return i, i, &SyntaxError{Offset: i, Reason: "a member name in double quotes was expected"}
	}
	if nameEnd, err = skipString(b, i); err != nil {
		return nameEnd, nameEnd, err
	}
	i = skipSpace(b, nameEnd)
	if i >= len(b) {
		return nameEnd, i, errEnd(b)
	}
	if b[i] != ':' {
		return nameEnd, i, &SyntaxError{Offset: i, Reason: "a colon was expected after the member name"}
	}
	return nameEnd, skipSpace(b, i+1), nil
}

// skipSeparator skips what stands between two values: a comma, after which
// another one must follow, or the closing byte, for which done is true.
func skipSeparator(b []byte, i int, closing byte) (next int, done bool, err error) {
	i = skipSpace(b, i)
	if i >= len(b) {
		return i, false, errEnd(b)
	}
	switch b[i] {
	case ',':
		return skipSpace(b, i+1), false, nil
	case closing:
		return i + 1, true, nil
	}
	return i, false, &SyntaxError{Offset: i, Reason: "a comma or the closing bracket was expected"}
}

// Constants for looking at eight bytes of a string at once: ones and highs
// have the lowest and the highest bit of every byte set.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain reports whether the eight bytes of w hold no quote, no backslash and
// no control character. Each term has the high bit of a byte set where the
// byte is what it looks for; a borrow can only spoil bytes above such a hit,
// so that the answer for the word is exact.
func plain(w uint64) bool {
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	hit := ((w - ones*0x20) &^ w) | ((quote - ones) &^ quote) | ((slash - ones) &^ slash)
	return hit&highs == 0
}

// skipString skips a string, whose opening quote is at i.
func skipString(b []byte, i int) (int, error) {
	for i++; ; {
		for i+8 <= len(b) && plain(binary.LittleEndian.Uint64(b[i:])) {
			i += 8
		}
		if i >= len(b) {
			return i, errEnd(b)
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, nil
		case c < 0x20:
			return i, &SyntaxError{Offset: i, Reason: "control characters in a string must be escaped"}
		case c == '\\':
			var err error
			if i, err = skipEscape(b, i); err != nil {
				return i, err
			}
		default:
			i++
		}
	}
}

// skipEscape skips an escape sequence, whose backslash is at i.
func skipEscape(b []byte, i int) (int, error) {
	if i+1 >= len(b) {
		return i, errEnd(b)
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
		if _, ok := hex4(b[i+2:]); ok {
			return i + 6, nil
		}
	}
	return i, &SyntaxError{Offset: i, Reason: "unknown escape in a string"}
}

// hex4 reads the four hexadecimal digits of a \u escape.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// skipNumber skips a number, whose first byte, a digit or a minus, is at i.
func skipNumber(b []byte, i int) (int, error) {
	start := i
	if b[i] == '-' {
		i++
	}
	digits := skipDigits(b, i)
	if digits == i || (b[i] == '0' && digits > i+1) {
		return start, errNumber(start)
	}
	i = digits
	if i < len(b) && b[i] == '.' {
		if digits = skipDigits(b, i+1); digits == i+1 {
			return start, errNumber(start)
		}
		i = digits
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if digits = skipDigits(b, i); digits == i {
			return start, errNumber(start)
		}
		i = digits
	}
	return i, nil
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// skipLiteral skips true, false or null.
func skipLiteral(b []byte, i int, word string) (int, error) {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return i, &SyntaxError{Offset: i, Reason: "a value was expected"}
	}
	return i + len(word), nil
}

func errEnd(b []byte) error {
	return &SyntaxError{Offset: len(b), Reason: "the text ends too early"}
}

func errNumber(offset int) error {
	return &SyntaxError{Offset: offset, Reason: "not a JSON number"}
}
