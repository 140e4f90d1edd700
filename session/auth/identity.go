package auth

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxUserIDBytes = 128
	maxNameBytes   = 128
	maxRoomBytes   = 255
	maxRooms       = 100
)

// Identity is who holds a token and what the token lets them do. Its strings
// are copies that keep nothing else alive.
type Identity struct {
	UserID  string    // 1 to 128 bytes of UTF-8 without control characters
	Name    string    // at most 128 bytes, never empty
	Expires time.Time // when Verify will begin to refuse the token (exp and leeway); zero: never
	Rooms   []string  // to be joined at connect
	Caps    *Caps     // nil: no restriction
	Issued  time.Time // iat; zero when the token does not say
	Token   TokenID   // which token this is
}

// ValidUserID reports whether s can be a user's id, as Identity.UserID.
func ValidUserID(s string) bool { return isName(s, maxUserIDBytes) }

// isName reports whether s can name a user or a room. U+FFFD is refused
// because it is what a JSON decoder makes of bytes and escapes that stand for
// no character: two different names could become one.
func isName(s string, maxBytes int) bool {
	return s != "" && len(s) <= maxBytes && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == utf8.RuneError
	})
}

// shorten cuts s to at most maxBytes without cutting a character.
func shorten(s string, maxBytes int) string {
	if len(s) <= maxBytes {
		return s
	}
	for maxBytes > 0 && !utf8.RuneStart(s[maxBytes]) {
		maxBytes--
	}
	return strings.Clone(s[:maxBytes])
}
