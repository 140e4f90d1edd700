package message

import (
	"encoding/json"
	"testing"
)

func decode(t testing.TB, frame string) *Envelope {
	t.Helper()
	var e Envelope
	if err := (Limits{}).Decode([]byte(frame), &e); err != nil {
		t.Fatalf("Decode(%s) = %v, want nil", frame, err)
	}
	return &e
}

func TestEnvelope_AppendForward(t *testing.T) {
	t.Parallel()
	stamp := Stamp{Type: TypeRoomMessage, Room: "chat:1", From: "u1", FromName: "Ann", Timestamp: 9}
	const head = `{"type":"room_message","room":"chat:1","from":"u1","from_name":"Ann"`
	tests := map[string]struct {
		frame string
		stamp Stamp
		want  string
	}{
		"nothing else": {`{"type":"chat"}`, stamp, head + `,"timestamp":9}`},
		"rest verbatim, in order": {
			`{"x" : [1, 2],"content":{"text" : "h\u0069"},"type":"chat", "id":"7" ,"data":{ },"n":1.50}`, stamp,
			head + `,"x" : [1, 2],"content":{"text" : "h\u0069"},"id":"7","data":{ },"n":1.50,"timestamp":9}`,
		},
		"forged identity": {
			`{"type":"chat","from":"root","from_name":"Root","to":"u9","room":"x","timestamp":1,"id":"7"}`, stamp,
			head + `,"id":"7","timestamp":9}`,
		},
		"forged with escapes, twice and of other kinds": {
			`{"type":"chat","fr\u006fm":"root","from":{"a":1},"\u0066\u0072\u006f\u006d":"root","from_n\u0061me":[],"timest\u0061mp":1,"typ\u0065":"chat","id":"7"}`, stamp,
			head + `,"id":"7","timestamp":9}`,
		},
		"who sent it, in another case": {`{"type":"chat","From":"x","FROM":1,"From_Name":"y","fR\u006fm":2}`, stamp, head + `,"timestamp":9}`},
		"other case is another member": {`{"type":"chat","Room":"x","TYPE":1}`, stamp, head + `,"Room":"x","TYPE":1,"timestamp":9}`},
		"a position in history":        {`{"type":"chat","offset":7,"epoch":"e","Offset":8}`, stamp, head + `,"Offset":8,"timestamp":9}`},
		"nested names are content":     {`{"type":"chat","content":{"from":"x"}}`, stamp, head + `,"content":{"from":"x"},"timestamp":9}`},
		"wrapper is a member":          {`{"type":"chat","message":{"from":"x"}}`, stamp, head + `,"message":{"from":"x"},"timestamp":9}`},
		"to a user, sender has no name": {
			`{"type":"chat","content":1}`,
			Stamp{Type: TypeUserMessage, To: "u2", From: "u1", Timestamp: -1},
			`{"type":"user_message","to":"u2","from":"u1","content":1,"timestamp":-1}`,
		},
		"stamp is quoted": {
			`{"type":"chat"}`,
			Stamp{Type: "t", Room: `"`, From: "\\\n\x01", FromName: "ü\xff"},
			`{"type":"t","room":"\"","from":"\\\n\u0001","from_name":"ü` + "\uFFFD" + `","timestamp":0}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := decode(t, tt.frame).AppendForward([]byte("prefix"), tt.stamp)
			if want := "prefix" + tt.want; string(got) != want {
				t.Errorf("AppendForward() = %s\nwant              %s", got, want)
			}
			if !json.Valid(got[len("prefix"):]) {
				t.Errorf("AppendForward() = %s, which is not JSON", got)
			}
		})
	}
}

func TestEnvelope_AppendForwardSurvivesDecodePayload(t *testing.T) {
	t.Parallel()
	forwarded := decode(t, `{"type":"chat","content":{"text":"hi"},"id":"7"}`).
		AppendForward(nil, Stamp{Type: TypeRoomMessage, Room: "chat:1", From: "u1", FromName: "Ann", Timestamp: 9})
	e := decodePayload(t, string(forwarded))
	got := e.AppendDelivery(nil, Fill{Room: "chat:1", Timestamp: 10})
	if string(got) != string(forwarded) {
		t.Errorf("AppendDelivery() = %s, want the published bytes %s", got, forwarded)
	}
}
