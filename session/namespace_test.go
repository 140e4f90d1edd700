package session

import (
	"strings"
	"testing"

	"github.com/ginforge/gateway/session/auth"
)

func TestNamespaces_Of(t *testing.T) {
	n := Namespaces{
		DefaultNamespace: {MessageBytes: 1},
		"chat":           {MessageBytes: 2},
		"":               {MessageBytes: 3},
	}
	for room, want := range map[string]int{
		"chat:1":        2,
		"chat:":         2,
		"chat:1:2":      2,
		"chat":          1, // a name without a colon has no namespace
		"Chat:1":        1,
		"chats:1":       1,
		"unknown:1":     1,
		"default:1":     1,
		":1":            3,
		"":              1,
		"x:chat:1":      1,
		"chat\u00a0:1":  1,
		"d\u00e9faut:1": 1,
	} {
		if got := n.of(room).MessageBytes; got != want {
			t.Errorf("of(%q) are rules %d, want %d", room, got, want)
		}
	}
}

func TestPolicy_Allows(t *testing.T) {
	caps, err := auth.NewCaps([]string{"chat:*"}, []string{"chat:1"})
	if err != nil {
		t.Fatal(err)
	}
	canJoin := func(c *auth.Caps) bool { return c.CanJoin("chat:2") }
	canPublish := func(c *auth.Caps) bool { return c.CanPublish("chat:2") }
	for _, tt := range []struct {
		policy Policy
		caps   *auth.Caps
		able   func(*auth.Caps) bool
		want   bool
	}{
		{AllowAny, nil, canJoin, true},
		{AllowAny, caps, canJoin, true},
		{AllowAny, caps, canPublish, false}, // caps restrict everywhere
		{AllowCaps, nil, canJoin, false},    // and are demanded here
		{AllowCaps, caps, canJoin, true},
		{AllowCaps, caps, canPublish, false},
		{AllowNone, nil, canJoin, false},
		{AllowNone, caps, canJoin, false},
		{"", nil, canJoin, false},
		{"typo", caps, canJoin, false},
	} {
		if got := tt.policy.allows(tt.caps, tt.able); got != tt.want {
			t.Errorf("%q.allows(caps %v) = %t, want %t", tt.policy, tt.caps, got, tt.want)
		}
	}
}

func TestValidRoomName(t *testing.T) {
	for name, tt := range map[string]struct {
		room  string
		limit int
		want  bool
	}{
		"plain":             {"chat:room001", 255, true},
		"spaces and dots":   {"a b.c/d", 255, true},
		"not Latin":         {"\u5ba4:\u00e9\U0001f600", 255, true},
		"empty":             {"", 255, false},
		"as long as may be": {strings.Repeat("x", 255), 255, true},
		"a byte too long":   {strings.Repeat("x", 256), 255, false},
		"bytes, not runes":  {strings.Repeat("\u00e9", 128), 255, false},
		"a smaller limit":   {"abcd", 3, false},
		"newline":           {"a\nb", 255, false},
		"NUL":               {"a\x00", 255, false},
		"DEL":               {"a\x7f", 255, false},
		"C1 control":        {"a\u0085", 255, false},
		"not UTF-8":         {"a\xff", 255, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ValidRoomName(tt.room, tt.limit); got != tt.want {
				t.Errorf("ValidRoomName(%q, %d) = %t, want %t", tt.room, tt.limit, got, tt.want)
			}
		})
	}
}
