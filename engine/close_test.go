package engine

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// codeOf is the close code of an error that the frame reader returned; 0 for
// none, or for another error.
func codeOf(err error) CloseCode {
	var ce *closeError
	if errors.As(err, &ce) {
		return ce.code
	}
	return 0
}

func TestCloseCode_Sendable(t *testing.T) {
	t.Parallel()
	want := map[CloseCode]bool{}
	for _, c := range []CloseCode{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014} {
		want[c] = true
	}
	for c := CloseCode(3000); c <= 4999; c++ {
		want[c] = true
	}
	for c := range CloseCode(0xFFFF) {
		if got := c.sendable(); got != want[c] {
			t.Errorf("CloseCode(%d).sendable() = %v, want %v", c, got, want[c])
		}
	}
}

func TestParseClose(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		payload  string
		want     CloseCode
		wantFail CloseCode
	}{
		"empty":                     {payload: "", want: CloseNoStatus},
		"one byte":                  {payload: "\x03", wantFail: CloseProtocol},
		"code":                      {payload: "\x03\xe8", want: CloseNormal},
		"code and reason":           {payload: "\x03\xe9going", want: CloseGoingAway},
		"longest reason":            {payload: "\x0f\xa0" + strings.Repeat("x", 123), want: 4000},
		"reason not UTF-8":          {payload: "\x03\xe8\xff", wantFail: CloseInvalidData},
		"reason ends in a rune":     {payload: "\x03\xe8\xe2\x82", wantFail: CloseInvalidData},
		"no status on the wire":     {payload: "\x03\xed", wantFail: CloseProtocol},
		"abnormal on the wire":      {payload: "\x03\xee", wantFail: CloseProtocol},
		"TLS failure on the wire":   {payload: "\x03\xf7", wantFail: CloseProtocol},
		"code 0":                    {payload: "\x00\x00", wantFail: CloseProtocol},
		"code before bad reason":    {payload: "\x00\x00\xff", wantFail: CloseProtocol},
		"code above the private":    {payload: "\x13\x88", wantFail: CloseProtocol},
		"unassigned below 3000":     {payload: "\x0b\xb7", wantFail: CloseProtocol},
		"registered with libraries": {payload: "\x0b\xb8", want: 3000},
	} {
		got, err := parseClose([]byte(tt.payload))
		if got != tt.want || codeOf(err) != tt.wantFail {
			t.Errorf("%s: parseClose = %d, %v, want %d, close code %d", name, got, err, tt.want, tt.wantFail)
		}
	}
}

func TestAppendClose(t *testing.T) {
	t.Parallel()
	euros := strings.Repeat("€", 50) // 150 bytes, cut after 41 of them
	for name, tt := range map[string]struct {
		reason CloseReason
		want   string
	}{
		"code":             {CloseReason{Code: 1000}, "\x88\x02\x03\xe8"},
		"code and text":    {CloseReason{4001, "bye"}, "\x88\x05\x0f\xa1bye"},
		"no status":        {CloseReason{Code: CloseNoStatus, Text: "dropped"}, "\x88\x00"},
		"zero":             {CloseReason{}, "\x88\x00"},
		"too long":         {CloseReason{1000, strings.Repeat("x", 200)}, "\x88\x7d\x03\xe8" + strings.Repeat("x", 123)},
		"cut at character": {CloseReason{1000, euros}, "\x88\x7d\x03\xe8" + euros[:123]},
		"cut in character": {CloseReason{1000, "x" + euros}, "\x88\x7b\x03\xe8x" + euros[:120]},
		"never UTF-8":      {CloseReason{1000, "ok\xff"}, "\x88\x04\x03\xe8ok"},
	} {
		got := string(appendClose(nil, tt.reason))
		if got != tt.want || !utf8.ValidString(got[min(4, len(got)):]) {
			t.Errorf("%s: appendClose = %q, want %q", name, got, tt.want)
		}
	}
}

func TestCloseError_SaysCodeAndReason(t *testing.T) {
	t.Parallel()
	if got, want := protocolError("bad").Error(), "engine: close 1002: bad"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
