package message

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// valid reports whether b is one JSON value as the scanner sees it.
func valid(b []byte) bool {
	end, err := skipValue(b, skipSpace(b, 0), maxDepth)
	return err == nil && skipSpace(b, end) == len(b)
}

func TestSkipValue_Accepts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`null`, `true`, `false`, `0`, `-0`, `10`, `-1.5`, `1e5`, `1E+5`, `1.25e-07`, `1e400`, `""`, `"a"`,
		`"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"`, `"\ud800"`, "\"\x7f\"", `"häßlich"`, "\"\u2028\"",
		`[]`, `[ ]`, `{}`, "{\n}", `[1,[2,[3]],{"a":{"b":[]}}]`, `{"":0,"":1}`, " \t\r\n[ 1 , 2 ] \n",
	} {
		if !valid([]byte(text)) {
			t.Errorf("valid(%q) = false, want true", text)
		}
	}
}

func TestSkipValue_Refuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", "\x00", "\ufeff{}", "\v1", "\u00a01", "x",
		// Literals.
		"t", "tru", "truex", "True", "nul", "nulL", "f", "fals", "NaN", "nan", "Infinity", "-Infinity", "undefined",
		// Numbers.
		"01", "-01", "00", "1.", ".5", "+1", "-", "--1", "1e", "1e+", "1.e5", "1.0.0", "0x10", "1_000", "1a",
		// Strings.
		`"`, `"abc`, `"\`, `"\"`, `"\x"`, `"\u"`, `"\u12"`, `"\u12G4"`, `"\u123`, `"\U0041"`, `'a'`,
		"\"a\x01b\"", "\"a\nb\"", "\"\t\"", "\"\x00\"", "\"0123456789abcdef\x1f\"", `"0123456789\q"`,
		// Arrays and objects.
		"[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[}", "[truefalse]",
		"{", "}", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,"a":1}`, `{"a" 1}`, `{"a"::1}`, `{"a":}`,
		`{"a":1 "b":2}`, `{a:1}`, `{'a':1}`, `{1:1}`, `{null:1}`, `{"a":1}}`, `{]`, "{\"a\x01\":1}", `{"\x":1}`,
		// Extensions.
		`{"a":1}//`, `{"a":/**/1}`, `[1;2]`,
	} {
		if valid([]byte(text)) {
			t.Errorf("valid(%q) = true, want false", text)
		}
	}
}

// TestSkipValue_IgnoresWhatFollows hands the scanner slices of a longer buffer,
// as frames are: what lies behind them must not complete a value.
func TestSkipValue_IgnoresWhatFollows(t *testing.T) {
	t.Parallel()
	const text = `{"a":[true,false,null,-1.5e+3,"x\u00e9y"],"b":{"c":""}}`
	for n := range text {
		_, err := skipValue([]byte(text)[:n], 0, maxDepth)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("skipValue(%q) = %v, want a SyntaxError", text[:n], err)
		} else if syntax.Offset > n {
			t.Errorf("skipValue(%q) stopped at %d, behind its end", text[:n], syntax.Offset)
		}
	}
}

// TestPlain compares the eight-byte test with the obvious one, with every byte
// at every place between neighbours that might lend to it or borrow from it.
func TestPlain(t *testing.T) {
	t.Parallel()
	for _, around := range []byte{0x20, 0x21, 'a', '[', ']', 0x7f, 0x80, 0xff} {
		for b := range 256 {
			for at := range 8 {
				w := uint64(around) * ones
				w &^= 0xff << (8 * at)
				w |= uint64(b) << (8 * at)
				want := b >= 0x20 && b != '"' && b != '\\'
				if got := plain(w); got != want {
					t.Fatalf("plain(%#x) = %v, want %v", w, got, want)
				}
			}
		}
	}
}

func FuzzSkipValue(f *testing.F) {
	f.Add([]byte(`{"a":[true,false,null,-1.5e+3,"x\u00e9y \"quoted\" \\ text"],"b":{"c":""}}`))
	f.Add([]byte(`["a` + strings.Repeat("\x7f", 9) + "\x1f" + `"]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := valid(b), json.Valid(b); got != want {
			t.Errorf("valid(%q) = %v, encoding/json says %v", b, got, want)
		}
	})
}
