package message

import (
	"errors"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		frame string
		want  Envelope // exported fields only
	}{
		"type alone":        {`{"type":"ping"}`, Envelope{Type: TypePing}},
		"space around":      {" \r\n{ \"type\" :\t\"ping\" }\n", Envelope{Type: TypePing}},
		"unknown type":      {`{"type":"made_up"}`, Envelope{Type: "made_up"}},
		"all members":       {`{"type":"chat","id":"7","to":"u2","room":"chat:1","content":{"a":1},"data":{"b":2},"timestamp":-1.5e3}`, Envelope{Type: TypeChat, ID: "7", To: "u2", Room: "chat:1", Content: Raw(`{"a":1}`), Data: Raw(`{"b":2}`), Timestamp: Raw(`-1.5e3`)}},
		"identity dropped":  {`{"type":"chat","from":{"x":[1]},"from_name":7}`, Envelope{Type: TypeChat}},
		"content a string":  {`{"type":"join_room","content":"chat:1"}`, Envelope{Type: TypeJoinRoom, Content: Raw(`"chat:1"`)}},
		"content null":      {`{"type":"ping","content":null}`, Envelope{Type: TypePing, Content: Raw(`null`)}},
		"null is absent":    {`{"type":"ping","id":null,"to":null,"room":null,"data":null,"timestamp":null}`, Envelope{Type: TypePing}},
		"data any JSON":     {`{"type":"ping","data":[1]}`, Envelope{Type: TypePing, Data: Raw(`[1]`)}},
		"escaped names":     {`{"t\u0079pe":"ping","\u0069\u0064":"7"}`, Envelope{Type: TypePing, ID: "7"}},
		"escaped values":    {`{"type":"p\u0069ng","id":"a\"\\\/\b\f\n\r\t\ud83d\ude00"}`, Envelope{Type: TypePing, ID: "a\"\\/\b\f\n\r\t😀"}},
		"last one counts":   {`{"type":"chat","id":"1","type":"ping","id":"2"}`, Envelope{Type: TypePing, ID: "2"}},
		"case is another":   {`{"type":"ping","Type":"chat","ID":7}`, Envelope{Type: TypePing}},
		"unknown members":   {`{"x":{"type":"chat"},"type":"ping","message":{"type":"chat"}}`, Envelope{Type: TypePing}},
		"prefix of a name":  {`{"type":"ping","typ":1,"types":2,"i":3}`, Envelope{Type: TypePing}},
		"long escaped name": {`{"type":"ping","` + strings.Repeat(`\u0069`, 40) + `":1}`, Envelope{Type: TypePing}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e Envelope
			if err := (Limits{}).Decode([]byte(tt.frame), &e); err != nil {
				t.Fatalf("Decode(%s) = %v, want nil", tt.frame, err)
			}
			compareEnvelope(t, &e, &tt.want)
		})
	}
}

func compareEnvelope(t *testing.T, got, want *Envelope) {
	t.Helper()
	for _, c := range []struct{ field, got, want string }{
		{"Type", got.Type, want.Type},
		{"ID", got.ID, want.ID},
		{"To", got.To, want.To},
		{"Room", got.Room, want.Room},
		{"Content", string(got.Content), string(want.Content)},
		{"Data", string(got.Data), string(want.Data)},
		{"Timestamp", string(got.Timestamp), string(want.Timestamp)},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", c.field, c.got, c.want)
		}
	}
}

func TestDecode_Refuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		frame, want string
	}{
		"empty":             {``, "message: invalid JSON at byte 0: an object was expected"},
		"blank":             {"  ", "message: invalid JSON at byte 2: an object was expected"},
		"array":             {`["type"]`, "message: invalid JSON at byte 0: an object was expected"},
		"string":            {`"type"`, "message: invalid JSON at byte 0: an object was expected"},
		"trailing":          {`{"type":"ping"} x`, "message: invalid JSON at byte 15: nothing more was expected"},
		"two objects":       {`{"type":"ping"}{}`, "message: invalid JSON at byte 15: nothing more was expected"},
		"space, then cut":   {` {"type":"ping"`, "message: invalid JSON at byte 15: the text ends too early"},
		"no type":           {`{}`, "message: type is missing"},
		"null type":         {`{"type":null}`, "message: type is missing"},
		"empty type":        {`{"type":""}`, "message: type must not be empty"},
		"number as type":    {`{"type":1}`, "message: type must be a string"},
		"object as id":      {`{"type":"ping","id":{}}`, "message: id must be a string"},
		"number as to":      {`{"type":"ping","to":1}`, "message: to must be a string"},
		"array as room":     {`{"type":"ping","room":[]}`, "message: room must be a string"},
		"string as time":    {`{"type":"ping","timestamp":"now"}`, "message: timestamp must be a number"},
		"bool as time":      {`{"type":"ping","timestamp":true}`, "message: timestamp must be a number"},
		"half a pair":       {`{"type":"ping","room":"a\ud800"}`, "message: room holds half of a surrogate pair"},
		"halves swapped":    {`{"type":"ping","room":"\ude00\ud83d"}`, "message: room holds half of a surrogate pair"},
		"long id":           {`{"type":"ping","id":"` + strings.Repeat("x", 129) + `"}`, "message: id is longer than 128 bytes"},
		"the last is wrong": {`{"type":"ping","id":"a","id":2}`, "message: id must be a string"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e Envelope
			err := (Limits{}).Decode([]byte(tt.frame), &e)
			if err == nil || err.Error() != tt.want {
				t.Errorf("Decode(%s) = %v, want %s", tt.frame, err, tt.want)
			}
		})
	}
}

func TestDecode_FieldErrorKeepsID(t *testing.T) {
	t.Parallel()
	for _, frame := range []string{
		`{"id":"7"}`,
		`{"type":1,"id":"7"}`,
		`{"room":1,"type":"chat","id":"7"}`,
		`{"timestamp":"x","type":"chat","id":"7"}`,
	} {
		var e Envelope
		var field *FieldError
		if err := (Limits{}).Decode([]byte(frame), &e); !errors.As(err, &field) {
			t.Errorf("Decode(%s) = %v, want a FieldError", frame, err)
		}
		if e.ID != "7" {
			t.Errorf("after Decode(%s) ID = %q, want 7", frame, e.ID)
		}
	}
}

func TestDecode_Limits(t *testing.T) {
	t.Parallel()
	nested := func(levels int) string { // the envelope is the first
		return `{"type":"ping","content":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`
	}
	tests := map[string]struct {
		limits Limits
		frame  string
		want   error
	}{
		"size, just":              {Limits{Bytes: 15}, `{"type":"ping"}`, nil},
		"size, one over":          {Limits{Bytes: 14}, `{"type":"ping"}`, ErrTooLarge},
		"default size, one over":  {Limits{}, `{"type":"ping"}` + strings.Repeat(" ", 64<<10-14), ErrTooLarge},
		"depth, just":             {Limits{Depth: 3}, nested(3), nil},
		"depth, one over":         {Limits{Depth: 3}, nested(4), ErrTooDeep},
		"default depth, just":     {Limits{}, nested(32), nil},
		"default depth, one over": {Limits{}, nested(33), ErrTooDeep},
		"depth of the envelope":   {Limits{Depth: 1}, `{"type":"ping"}`, nil},
		"mixed depth":             {Limits{Depth: 3}, `{"type":"ping","content":[{"a":{}}]}`, ErrTooDeep},
		"brackets in a string":    {Limits{Depth: 2}, `{"type":"ping","content":["[[[\"[[{{"]}`, nil},
		"no recursion for ever":   {Limits{Bytes: 1 << 22, Depth: 1 << 30}, nested(1 << 20), ErrTooDeep},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e Envelope
			if err := tt.limits.Decode([]byte(tt.frame), &e); !errors.Is(err, tt.want) {
				t.Errorf("Decode() = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestDecode_ReusesEnvelope(t *testing.T) {
	t.Parallel()
	var e Envelope
	for _, frame := range []string{
		`{"type":"chat","id":"7","to":"u2","room":"chat:1","content":{},"data":{},"timestamp":1,"x":1}`,
		`{"type":"chat",` + strings.Repeat(`"x":1,`, 2*keptMembers) + `"y":2}`,
		`nonsense`,
	} {
		_ = (Limits{}).Decode([]byte(frame), &e)
		if err := (Limits{}).Decode([]byte(`{"type":"ping"}`), &e); err != nil {
			t.Fatalf("Decode() = %v, want nil", err)
		}
		compareEnvelope(t, &e, &Envelope{Type: TypePing})
		if cap(e.members) > keptMembers {
			t.Errorf("%d member positions kept, want at most %d", cap(e.members), keptMembers)
		}
	}
}

func TestDecodePayload(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		payload string
		want    Envelope
	}{
		"bare":                     {`{"type":"system","content":1}`, Envelope{Type: TypeSystem, Content: Raw("1")}},
		"wrapped":                  {` { "message" : {"type":"system","content":1} , "type":null, "content":2} `, Envelope{Type: TypeSystem, Content: Raw("1")}},
		"wrapper's name escaped":   {`{"mess\u0061ge":{"type":"system"}}`, Envelope{Type: TypeSystem}},
		"a type beside message":    {`{"type":"system","message":{"type":"chat"}}`, Envelope{Type: TypeSystem}},
		"identity is the sender's": {`{"type":"user_message","from":"u1","from_name":null,"to":"u2"}`, Envelope{Type: TypeUserMessage, To: "u2"}},
		"long id":                  {`{"type":"system","id":"` + strings.Repeat("x", 129) + `"}`, Envelope{Type: TypeSystem, ID: strings.Repeat("x", 129)}},
		"a type of its own":        {`{"type":"order_shipped"}`, Envelope{Type: "order_shipped"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e Envelope
			if err := (Limits{}).DecodePayload([]byte(tt.payload), &e); err != nil {
				t.Fatalf("DecodePayload(%s) = %v, want nil", tt.payload, err)
			}
			compareEnvelope(t, &e, &tt.want)
		})
	}
}

func TestDecodePayload_Refuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		payload, want string
	}{
		"text":               {`hello`, "message: invalid JSON at byte 0: an object was expected"},
		"no type":            {`{"content":1}`, "message: type is missing"},
		"message a string":   {`{"message":"hi"}`, "message: type is missing"},
		"wrapped, no type":   {`{"message":{"content":1}}`, "message: type is missing"},
		"wrapped twice":      {`{"message":{"message":{"type":"system"}}}`, "message: type is missing"},
		"from not a string":  {`{"type":"system","from":1}`, "message: from must be a string"},
		"name not a string":  {`{"type":"system","from_name":[]}`, "message: from_name must be a string"},
		"not UTF-8":          {"{\"type\":\"system\",\"content\":\"\xff\"}", "message: not valid UTF-8"},
		"not UTF-8 in space": {"{\"type\":\"system\"}\xc3", "message: invalid JSON at byte 17: nothing more was expected"},
		"surrogate as UTF-8": {"{\"type\":\"system\",\"content\":\"\xed\xa0\x80\"}", "message: not valid UTF-8"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e Envelope
			err := (Limits{}).DecodePayload([]byte(tt.payload), &e)
			if err == nil || err.Error() != tt.want {
				t.Errorf("DecodePayload(%s) = %v, want %s", tt.payload, err, tt.want)
			}
		})
	}
}
