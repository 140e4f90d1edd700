package message

import (
	"reflect"
	"strings"
	"testing"
)

func TestSinceOf(t *testing.T) {
	const bad = "content.since.offset must be a whole number from 0 to 2^53 - 1"
	for content, want := range map[string]struct {
		since *Position
		err   string
	}{
		`"chat:1"`:                            {},
		`{"room":"chat:1"}`:                   {},
		`{"since":null}`:                      {},
		`{"since":{"epoch":"e","offset":41}}`: {since: &Position{"e", 41}},
		`{"since":{"ep\u006fch":"\u0065","offset":0}}`: {since: &Position{"e", 0}},
		`{"since":{}}`:                                  {since: &Position{}},
		`{"since":{"offset":9007199254740991}}`:         {since: &Position{"", 1<<53 - 1}},
		`{"since":{"offset":9007199254740992}}`:         {err: bad},
		`{"since":{"offset":-1}}`:                       {err: bad},
		`{"since":{"offset":1.0}}`:                      {err: bad},
		`{"since":{"offset":"1"}}`:                      {err: bad},
		`{"since":[1]}`:                                 {err: "content.since must be an object"},
		`{"since":{"epoch":7}}`:                         {err: "content.since.epoch must be a string"},
		`{"since":{"epoch":"a"},"since":{"epoch":"b"}}`: {since: &Position{"b", 0}},
	} {
		since, err := SinceOf(Raw(content))
		if !reflect.DeepEqual(since, want.since) || (err == nil) != (want.err == "") || err != nil && !strings.HasSuffix(err.Error(), want.err) {
			t.Errorf("SinceOf(%s) = %+v, %v; want %+v, %q", content, since, err, want.since, want.err)
		}
	}
}

func TestAckOf(t *testing.T) {
	seven := uint64(7)
	for content, want := range map[string]struct {
		offset *uint64
		id     string
		fails  bool
	}{
		``:                      {},
		`{}`:                    {},
		`{"offset":7}`:          {offset: &seven},
		`{"id":"n\u0031"}`:      {id: "n1"},
		`{"offset":7,"id":"x"}`: {offset: &seven, id: "x"},
		`{"offset":null}`:       {},
		`{"offset":true}`:       {fails: true},
		`{"id":7}`:              {fails: true},
	} {
		offset, id, err := AckOf(Raw(content))
		if !reflect.DeepEqual(offset, want.offset) || id != want.id || (err != nil) != want.fails {
			t.Errorf("AckOf(%s) = %v, %q, %v; want %+v", content, offset, id, err, want)
		}
	}
}

func TestNotificationID(t *testing.T) {
	for data, want := range map[string]string{
		``: "", `{}`: "", `[]`: "", `{"notification_id":"n1"}`: "n1", `{"notification_id":5}`: "", `{"x":{"notification_id":"n"}}`: "",
	} {
		if got := NotificationID(Raw(data)); got != want {
			t.Errorf("NotificationID(%s) = %q, want %q", data, got, want)
		}
	}
}

func TestAppendDelivery_Positions(t *testing.T) {
	for name, c := range map[string]struct {
		payload string
		fill    Fill
		want    string
	}{
		"added": {`{"type":"x","timestamp":5}`, Fill{Offset: 3}, `{"offset":3,"type":"x","timestamp":5}`},
		"of the payload's own": {
			`{"type":"x","offset":1,"timestamp":5,"offs\u0065t":2,"epoch":null}`, Fill{Offset: 3}, `{"offset":3,"type":"x","timestamp":5}`,
		},
		"where nothing is kept": {`{"epoch":"e","type":"x","timestamp":5,"offset":1}`, Fill{}, `{"type":"x","timestamp":5}`},
		"in the content":        {`{"type":"x","content":{"offset":1},"timestamp":5}`, Fill{}, `{"type":"x","content":{"offset":1},"timestamp":5}`},
		"in another case":       {`{"type":"x","Offset":1,"timestamp":5}`, Fill{}, `{"type":"x","Offset":1,"timestamp":5}`},
		"without a room":        {`{"room":"a","type":"x","timestamp":5,"room":"b"}`, Fill{NoRoom: true, Offset: 1}, `{"offset":1,"type":"x","timestamp":5}`},
		"no room there":         {`{"type":"x","timestamp":5}`, Fill{NoRoom: true}, `{"type":"x","timestamp":5}`},
	} {
		var e Envelope
		if err := DefaultLimits().DecodePayload([]byte(c.payload), &e); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := string(e.AppendDelivery(nil, c.fill)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestServerFrames_OfHistory(t *testing.T) {
	at := Position{"e1", 41}
	for name, c := range map[string]struct{ got, want string }{
		"joined":             {string(AppendJoinedLog(nil, "7", "chat:1", Joined{at, true})), `{"type":"joined","id":"7","room":"chat:1","epoch":"e1","offset":41,"recovered":true}`},
		"joined, unasked":    {string(AppendJoinedLog(nil, "", "chat:1", Joined{at, false})), `{"type":"joined","room":"chat:1","epoch":"e1","offset":41,"recovered":false}`},
		"inbox lost":         {string(AppendJoinedLog(nil, "", "", Joined{at, false})), `{"type":"joined","epoch":"e1","offset":41,"recovered":false}`},
		"inbox opened":       {string(AppendInboxOpened(nil, Inbox{at, 3, true})), `{"type":"joined","epoch":"e1","offset":41,"recovered":true,"data":{"unread":3}}`},
		"unreadable":         {string(AppendUnreadable(nil, "chat:1", 41)), `{"type":"unreadable","room":"chat:1","offset":41}`},
		"unreadable, inbox":  {string(AppendUnreadable(nil, "", 41)), `{"type":"unreadable","offset":41}`},
		"taken":              {string(AppendTaken(nil, 41, false)), `{"offset":41}`},
		"taken before":       {string(AppendTaken(nil, 41, true)), `{"offset":41,"duplicate":true}`},
		"welcome has it too": {string(AppendWelcome(nil, Welcome{Inbox: &Inbox{at, 3, false}})), ``},
	} {
		if c.want == "" {
			if !strings.Contains(c.got, `"protocol":1,"unread":3,"inbox":{"epoch":"e1","offset":41,"recovered":false}},"timestamp"`) {
				t.Errorf("%s: %s", name, c.got)
			}
		} else if c.got != c.want {
			t.Errorf("%s: %s, want %s", name, c.got, c.want)
		}
	}
}
