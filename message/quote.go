package message

import "unicode/utf8"

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, one for each.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0 // of what has not been appended yet
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c < 0x20 || c == '"' || c == '\\' {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			start = i + 1
		}
		i++
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendEscape appends the escape of a control character, a quote or a
// backslash.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}

// appendName appends a member's name and colon, and before it the comma that
// the members of the object being written need. name must need no escapes.
func appendName(dst []byte, name string) []byte {
	dst = appendComma(dst)
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// appendStringMember appends a member whose value is a string.
func appendStringMember(dst []byte, name, value string) []byte {
	return AppendString(appendName(dst, name), value)
}

// appendComma appends a comma unless dst ends where an object or array begins.
// No value ends in an opening brace or bracket, so the last byte tells.
func appendComma(dst []byte) []byte {
	if last := dst[len(dst)-1]; last == '{' || last == '[' {
		return dst
	}
	return append(dst, ',')
}
