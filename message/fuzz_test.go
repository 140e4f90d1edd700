package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// seeds are frames and payloads from which the fuzzer starts.
var seeds = []string{
	`{"type":"ping"}`,
	` {"type":"chat","id":"7","to":"u2","content":{"text":"hi"},"data":{"a":[1,null]},"timestamp":1.5e3} `,
	`{"type":"chat","fr\u006fm":"root","from":1,"from_name":[],"room":"chat:1","content":"\ud83d\ude00"}`,
	`{"message":{"type":"notification","data":{"read":true}},"type":null}`,
	`{"type":"a","type":"b","content":1,"content":2,"data":{},"From":"x"}`,
	`{"type":"p\u0069ng","id":null,"x":"\ud800"}`,
	`{"type":"ping","content":[[[[[[[[[[]]]]]]]]]]}`,
}

// members reads the top level with encoding/json. The names of a map are
// compared with case, unlike those of a struct.
func members(t *testing.T, object []byte) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(object, &m); err != nil {
		t.Fatalf("%q is not a JSON object: %v", object, err)
	}
	return m
}

// stringOf is the meaning of a string member for encoding/json.
func stringOf(t *testing.T, raw json.RawMessage) (s string) {
	t.Helper()
	if raw == nil {
		return ""
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatalf("%s is not a string: %v", raw, err)
	}
	return s
}

func checkDecoded(t *testing.T, e *Envelope, input map[string]json.RawMessage) {
	t.Helper()
	for name, got := range map[string]string{"type": e.Type, "id": e.ID, "to": e.To, "room": e.Room} {
		if want := stringOf(t, input[name]); got != want {
			t.Errorf("%s = %q, encoding/json says %q", name, got, want)
		}
	}
	if !bytes.Equal(e.Content, input["content"]) {
		t.Errorf("content = %q, encoding/json says %q", e.Content, input["content"])
	}
}

// checkError fails unless err is one of those that Decode may return.
func checkError(t *testing.T, err error) {
	t.Helper()
	var (
		syntax *SyntaxError
		field  *FieldError
	)
	if !errors.As(err, &syntax) && !errors.As(err, &field) && !errors.Is(err, ErrTooDeep) &&
		!errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrNotUTF8) {
		t.Errorf("unexpected error %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !utf8.Valid(b) {
			return // the engine never passes it on
		}
		var e Envelope
		if err := (Limits{Depth: 1000}).Decode(b, &e); err != nil {
			checkError(t, err)
			return
		}
		checkDecoded(t, &e, members(t, b))
		for _, content := range []Raw{e.Content, e.Data} { // any JSON must do
			_, _ = RoomOf(content)
			_, _, _ = TargetOf(content)
			_, _, _ = UsersOf(content, 10)
		}
	})
}

func FuzzDecodePayload(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), "r", "n1")
	}
	f.Fuzz(func(t *testing.T, b []byte, room, id string) {
		var e Envelope
		if err := (Limits{Depth: 1000}).DecodePayload(b, &e); err != nil {
			checkError(t, err)
			return
		}
		input := members(t, b)
		if stringOf(t, input["type"]) == "" {
			input = members(t, input["message"])
		}
		checkDecoded(t, &e, input)

		out := e.AppendDelivery(nil, Fill{Type: TypeNotification, Room: room, Timestamp: 9, NotificationID: id})
		if !utf8.Valid(out) {
			t.Errorf("delivery %q is not UTF-8", out)
		}
		got := members(t, out)
		if typ := stringOf(t, got["type"]); typ != TypeNotification {
			t.Errorf("type of the delivery = %q", typ)
		}
		if want := string([]rune(room)); room != "" && stringOf(t, got["room"]) != want {
			t.Errorf("room of the delivery = %s, want %q", got["room"], want)
		}
		if !bytes.Equal(got["content"], input["content"]) || !bytes.Equal(got["from"], input["from"]) {
			t.Errorf("delivery %s changes content or sender of %s", out, b)
		}
		if ts := got["timestamp"]; ts == nil || string(ts) == "null" {
			t.Errorf("delivery %s has no timestamp", out)
		}
		checkNotification(t, id, got["data"])
	})
}

func checkNotification(t *testing.T, id string, data json.RawMessage) {
	t.Helper()
	if id == "" || (data != nil && data[0] != '{') {
		return
	}
	m := members(t, data)
	if m["notification_id"] == nil || m["read"] == nil {
		t.Errorf("data = %s, want notification_id and read", data)
	}
}

func FuzzForward(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), "u1", "Ann")
	}
	f.Fuzz(func(t *testing.T, b []byte, from, name string) {
		var e Envelope
		if !utf8.Valid(b) || (Limits{Depth: 1000}).Decode(b, &e) != nil {
			return
		}
		out := e.AppendForward(nil, Stamp{Type: TypeRoomMessage, Room: "chat:1", From: from, FromName: name, Timestamp: 9})
		if !utf8.Valid(out) {
			t.Errorf("forward %q is not UTF-8", out)
		}
		got := members(t, out)
		want := map[string]string{"type": TypeRoomMessage, "room": "chat:1", "to": "", "from": string([]rune(from)), "from_name": string([]rune(name))}
		for field, value := range want {
			if s := stringOf(t, got[field]); s != value {
				t.Errorf("%s = %q, want %q", field, s, value)
			}
			delete(got, field)
		}
		if string(got["timestamp"]) != "9" {
			t.Errorf("timestamp = %s, want 9", got["timestamp"])
		}
		for field := range got {
			if strings.EqualFold(field, "from") || strings.EqualFold(field, "from_name") || field == "offset" || field == "epoch" {
				t.Errorf("the client's %s passed", field)
			}
		}
		for field, value := range members(t, b) {
			if _, stampedField := want[field]; stampedField || field == "timestamp" || field == "offset" || field == "epoch" || reserved([]byte(field)) {
				continue
			}
			if !bytes.Equal(got[field], value) {
				t.Errorf("%s = %s, want %s", field, got[field], value)
			}
		}
	})
}
