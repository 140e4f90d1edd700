package stream

import (
	"errors"
	"strings"
	"testing"
)

func TestParseLive(t *testing.T) {
	long := strings.Repeat("e", maxWordBytes)
	for name, tt := range map[string]struct {
		payload string
		want    Live // zero for an error
	}{
		"a message":            {`42 k3v9a - {"type":"x"}`, Live{Position{"k3v9a", 42}, "", `{"type":"x"}`}},
		"a token":              {`42 k3v9a id-1 {}`, Live{Position{"k3v9a", 42}, "id-1", `{}`}},
		"spaces in a message":  {`1 e -   x y `, Live{Position{"e", 1}, "", `  x y `}},
		"an announcement":      {`0 e - `, Live{Position{"e", 0}, "", ""}},
		"the greatest":         {`9007199254740991 ` + long + ` ` + long + ` x`, Live{Position{long, MaxOffset}, long, "x"}},
		"too great":            {`9007199254740992 e - x`, Live{}},
		"far too great":        {`99999999999999999 e - x`, Live{}},
		"a sign":               {`+1 e - x`, Live{}},
		"leading zeros":        {`01 e - x`, Live{}},
		"no number":            {`x e - x`, Live{}},
		"a long epoch":         {`1 ` + long + `e - x`, Live{}},
		"no epoch":             {`1  - x`, Live{}},
		"no token":             {`1 e {"type":"x"}`, Live{}},
		"no space at the end":  {`1 e -`, Live{}},
		"nothing":              {``, Live{}},
		"an envelope":          {`{"type":"room_message","content":{"text":"hi there all"}}`, Live{}},
		"a space to begin":     {` 1 e - x`, Live{}},
		"something else wrong": {"1\te\t-\tx", Live{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseLive(tt.payload)
			if got != tt.want || (err == nil) == (tt.want == Live{}) || err != nil && !errors.Is(err, ErrLive) {
				t.Errorf("ParseLive(%q) = %+v, %v, want %+v", tt.payload, got, err, tt.want)
			}
		})
	}
}

func FuzzParseLive(f *testing.F) {
	for _, seed := range []string{`42 k3v9a - {"type":"x"}`, `42 k3v9a id-1 {}`, `0 e - `, `01 e - x`, `1 e`, " ", "9007199254740992 e - x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLive(s)
		if err != nil {
			if l != (Live{}) {
				t.Errorf("an error, and %+v", l)
			}
			return
		}
		if l.Epoch == "" || len(l.Epoch) > maxWordBytes || len(l.Token) > maxWordBytes || l.Offset > MaxOffset {
			t.Errorf("ParseLive(%q) = %+v", s, l)
		}
		if got := string(AppendLive(nil, l)); got != s {
			t.Errorf("%q comes back as %q", s, got)
		}
	})
}

func TestParseLive_AllocatesNothing(t *testing.T) {
	const s = `42 k3v9a id-1 {"type":"room_message"}`
	if n := testing.AllocsPerRun(100, func() { _, _ = ParseLive(s) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestToken(t *testing.T) {
	for dedupe, plain := range map[string]bool{
		"": true, "6f1c-11ee_A.b:2": true, strings.Repeat("x", 64): true,
		strings.Repeat("x", 65): false, "-": false, "a b": false, "#a": false, "ä": false, "a}": false,
	} {
		token := Token(dedupe)
		if (token == dedupe) != plain {
			t.Errorf("Token(%q) = %q, plain: %v", dedupe, token, plain)
		}
		if l, err := ParseLive(string(AppendLive(nil, Live{Position{"e", 1}, token, "x"}))); err != nil || l.Token != token {
			t.Errorf("the token %q comes back as %+v, %v", token, l, err)
		}
	}
	if Token("a b") == Token("a c") {
		t.Error("two keys have one token")
	}
}

func TestChannel_RoundTrip(t *testing.T) {
	for _, k := range []Key{{Room, "chat:1"}, {User, "7"}, {Room, "odd}{"}, {User, "room:x"}} {
		got, ok := ParseChannel(Channel("", k))
		if !ok || got != k {
			t.Errorf("%v comes back as %v, %v", k, got, ok)
		}
	}
	for _, s := range []string{"", "log:{", "log:{room:x", "log:{other:x}", "room:x", "log:{room:x}:meta"} {
		if k, ok := ParseChannel(s); ok {
			t.Errorf("ParseChannel(%q) = %v", s, k)
		}
	}
}
