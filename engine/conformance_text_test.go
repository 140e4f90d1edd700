package engine

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

const kosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5" // κόσμε

// textSequences are those of Markus Kuhn's UTF-8 decoder stress test that the
// Autobahn suite sends, in its order: subgroups 6.5 and up. Which of them are
// valid is what Unicode says, and with it Go's utf8 package.
func textSequences() [][]string {
	var prefixes []string
	for i := 1; i <= len(kosme); i++ {
		prefixes = append(prefixes, kosme[:i])
	}
	all80 := ""
	for b := 0x80; b < 0xBF; b++ {
		all80 += string([]byte{byte(b)})
	}
	var lonely []string
	for _, r := range [][2]int{{0xC0, 0xDF}, {0xE0, 0xEF}, {0xF0, 0xF7}, {0xF8, 0xFB}, {0xFC, 0xFD}} {
		s := ""
		for b := r[0]; b < r[1]; b++ {
			s += string([]byte{byte(b), ' '})
		}
		lonely = append(lonely, s)
	}
	cut := []string{
		"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
		"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf",
	}
	var noncharacters []string
	for plane := rune(0); plane <= 0x10; plane++ {
		noncharacters = append(noncharacters, string(plane<<16|0xFFFE), string(plane<<16|0xFFFF))
	}
	return [][]string{
		{"hello$world", "hello¢world", "hello€world", "hello\U00024B62world", kosme},
		prefixes,
		{"\x00", "\u0080", "\u0800", "\U00010000"},
		{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"},
		{"\x7f", "\u07ff", "\uffff", "\U0010ffff"},
		{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"},
		{"\ud7ff", "\ue000", "\ufffd", "\U0010ffff", "\xf4\x90\x80\x80"},
		{
			"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80",
			"\x80\xbf\x80\xbf\x80\xbf", all80,
		},
		lonely,
		cut,
		{strings.Join(cut, "")},
		{"\xfe", "\xff", "\xfe\xfe\xff\xff"},
		{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"},
		{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"},
		{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"},
		{
			"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf",
		},
		{
			"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80", "\xed\xad\xbf\xed\xbf\xbf",
			"\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf", "\xed\xaf\xbf\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf",
		},
		noncharacters,
		{"\ufff9", "\ufffa", "\ufffb", "\ufffc", "\ufffd", "\ufffe", "\uffff"},
	}
}

func TestConformance6_Text(t *testing.T) {
	t.Parallel()
	hello := "Hello-µ@ßöäüàá-UTF-8!!"
	bad := kosme + "\xed\xa0\x80" + "edited"
	cases := []conformanceCase{
		{"6.1.1", echoed(0x81, nil)},
		{"6.1.2", func(p *peer) { p.send(frames(0x01, "", 0x00, "", 0x80, "")); wants(textFrame(""))(p) }},
		{"6.1.3", func(p *peer) { p.send(frames(0x01, "", 0x00, "middle", 0x80, "")); wants(textFrame("middle"))(p) }},
		{"6.2.1", echoed(0x81, []byte(hello))},
		{"6.2.2", func(p *peer) { p.send(frames(0x01, hello[:12], 0x80, hello[12:])); wants(textFrame(hello))(p) }},
		{"6.2.3", func(p *peer) { p.send(fragments(0x81, []byte(hello), 1)); wants(textFrame(hello))(p) }},
		{"6.2.4", func(p *peer) { p.send(fragments(0x81, []byte(kosme), 1)); wants(textFrame(kosme))(p) }},
		{"6.3.1", fails(frames(0x81, bad), CloseInvalidData)},
		{"6.3.2", fails(fragments(0x81, []byte(bad), 1), CloseInvalidData)},
	}
	for i, group := range textSequences() {
		for j, s := range group {
			c := conformanceCase{id: fmt.Sprintf("6.%d.%d", i+5, j+1)}
			if utf8.ValidString(s) {
				c.run = echoed(0x81, []byte(s))
			} else {
				c.run = fails(frames(0x81, s), CloseInvalidData)
			}
			cases = append(cases, c)
		}
	}
	runConformance(t, nil, nil, cases)
}

// Bad UTF-8 is refused as soon as it is seen, though more of the message would
// follow.
func TestConformance64_FailFast(t *testing.T) {
	t.Parallel()
	for i, part2 := range []string{"\xf4\x90\x80\x80", "\xf4\x90"} { // U+110000: bad from its second byte on
		// The rest never comes: what follows in a frame, and the last fragment.
		whole := masked(0x81, []byte(kosme+part2+"\x65\x64\x69\x74\x65\x64"))
		header := len(whole) - len(kosme+part2) - 6
		end := header + len(kosme) + len(part2)
		runConformance(t, nil, nil, []conformanceCase{
			{fmt.Sprintf("6.4.%d", i+1), func(p *peer) {
				p.send(frames(0x01, kosme, 0x89, "first is fine"))
				p.want(0x8A, []byte("first is fine"))
				p.send(frames(0x00, part2))
				p.wantClose(CloseInvalidData)
			}},
			{fmt.Sprintf("6.4.%d", i+3), func(p *peer) {
				p.send(whole[:header+len(kosme)])
				p.send(whole[header+len(kosme) : end])
				p.wantClose(CloseInvalidData)
			}},
			{fmt.Sprintf("6.4.%d by bytes", i+3), func(p *peer) {
				p.sendChopped(whole[:end], 1)
				p.wantClose(CloseInvalidData)
			}},
		})
	}
}
