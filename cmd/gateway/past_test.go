package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/api"
)

func TestPast_KeepsTenMinutes(t *testing.T) {
	t.Parallel()
	var p past
	now, bytes := time.Unix(10_003, 0), 0
	for second := range 700 {
		p.keep(now.Add(time.Duration(second)*time.Second), func(time.Time) nodeStats {
			return nodeStats{
				Users: int64(second), Handshakes: map[string]uint64{"ok": 7, "expired": 0},
				Refusals: map[int]uint64{4003: 0, 4005: 2}, Closes: map[string]uint64{},
			}
		})
	}
	kept := p.all()
	if len(kept) != 120 || kept[0].At != 10_105 || kept[119].At != 10_700 {
		t.Fatalf("kept are %d, from %d to %d; want 120, from 10105 to 10700", len(kept), kept[0].At, kept[len(kept)-1].At)
	}
	for _, f := range kept {
		bytes += len(f.Stats)
		if text := string(f.Stats); strings.Contains(text, "expired") || strings.Contains(text, "4003") || !strings.Contains(text, `"4005":2`) {
			t.Fatalf("kept is %s, want the counters that count", text)
		}
	}
	if bytes > 100<<10 {
		t.Errorf("kept are %d bytes", bytes)
	}
	if users := fmt.Sprintf(`"users":%d,`, 697); !strings.Contains(string(kept[119].Stats), users) {
		t.Errorf("the last is %s, want the first sample of its five seconds, with %s", kept[119].Stats, users)
	}
}

func TestSideBySide(t *testing.T) {
	t.Parallel()
	of := func(node string, at ...int64) (list []pastFigures) {
		for _, at := range at {
			list = append(list, pastFigures{at, json.RawMessage(quote(fmt.Sprint(node, at)))})
		}
		return list
	}
	got := sideBySide([][]pastFigures{of("a", 10, 15, 20), of("b", 15, 20, 25)}, time.Unix(26, 0))
	want := []api.ConsoleMoment{
		{At: 10_000, Nodes: []json.RawMessage{json.RawMessage(`"a10"`)}},
		{At: 15_000, Nodes: []json.RawMessage{json.RawMessage(`"a15"`), json.RawMessage(`"b15"`)}},
		{At: 20_000, Nodes: []json.RawMessage{json.RawMessage(`"a20"`), json.RawMessage(`"b20"`)}},
	} // a may have no sample of 25 yet
	if !reflect.DeepEqual(got, want) {
		t.Errorf("side by side are\n%v\nwant\n%v", got, want)
	}
}
