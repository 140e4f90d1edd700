package message

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// typeField is stringField for the type, which must be there; known ones do
// not allocate.
func typeField(v Raw) (string, error) {
	if v == nil {
		return "", &FieldError{Field: "type", Problem: problemMissing}
	}
	if v[0] == '"' && bytes.IndexByte(v, '\\') < 0 && len(v) > len(`""`) {
		return internType(v[1 : len(v)-1]), nil
	}
	s, err := stringField("type", v)
	if err == nil && s == "" {
		err = &FieldError{Field: "type", Problem: "must not be empty"}
	}
	return s, err
}

// stringField copies a string value; a nil one is the empty string. path is
// the name that errors give to it.
func stringField(path string, v Raw) (string, error) {
	if v == nil {
		return "", nil
	}
	if v[0] != '"' {
		return "", &FieldError{Field: path, Problem: problemString}
	}
	quoted := v[1 : len(v)-1]
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted), nil
	}
	s, ok := appendUnquoted(make([]byte, 0, len(quoted)), quoted)
	if !ok {
		return "", &FieldError{Field: path, Problem: problemEscape}
	}
	return string(s), nil
}

// appendUnquoted appends the characters of a string that the scanner has
// passed, given without its quotes. ok is false when it holds half of a
// surrogate pair, which is no character: U+FFFD is appended for it.
func appendUnquoted(dst, s []byte) (out []byte, ok bool) {
	ok = true
	for i := 0; i < len(s); {
		switch {
		case s[i] != '\\':
			dst = append(dst, s[i])
			i++
		case s[i+1] != 'u':
			dst = append(dst, unescape(s[i+1]))
			i += 2
		default:
			r, n := unescapeUnicode(s[i:])
			ok = ok && !utf16.IsSurrogate(r)
			dst = utf8.AppendRune(dst, r) // writes a surrogate as U+FFFD
			i += n
		}
	}
	return dst, ok
}

// unescape returns the character that a backslash and c stand for.
func unescape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// unescapeUnicode reads the \u escape that s starts with, and the one behind it
// when both are halves of one character. It returns how many bytes it took. A
// half that stands alone is returned as the surrogate that it is.
func unescapeUnicode(s []byte) (r rune, n int) {
	const size = len(`\u0000`)
	r, _ = hex4(s[2:])
	if utf16.IsSurrogate(r) && len(s) >= 2*size && s[size] == '\\' && s[size+1] == 'u' {
		low, _ := hex4(s[size+2:])
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 2 * size
		}
	}
	return r, size
}
