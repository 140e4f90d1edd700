package message

import (
	"encoding/json"
	"testing"
	"time"
)

func TestServerFrames(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 30, 15, 250e6, time.FixedZone("", 3600))
	welcome := Welcome{ClientID: "c1", UserID: `u"1`, Node: "n1", Time: now, PingInterval: 25 * time.Second, ReconnectWindow: 5 * time.Second}
	tests := map[string]struct{ got, want string }{
		"welcome": {
			string(AppendWelcome(nil, welcome)),
			`{"type":"welcome","content":{"code":0,"message":"connected","level":"info"},"data":{"client_id":"c1","user_id":"u\"1","node":"n1","server_time":"2026-03-01T11:30:15.250Z","ping_interval":25,"reconnect_window_ms":5000,"protocol":1},"timestamp":1772364615}`,
		},
		"pong":             {string(AppendPong(nil, "")), `{"type":"pong"}`},
		"pong, asked":      {string(AppendPong(nil, "7")), `{"type":"pong","id":"7"}`},
		"ack":              {string(AppendAck(nil, "a\nb", nil)), `{"type":"ack","id":"a\nb"}`},
		"ack with content": {string(AppendAck(nil, "7", Raw(`{"users":[]}`))), `{"type":"ack","id":"7","content":{"users":[]}}`},
		"error":            {string(AppendError(nil, "", 4101, "slow down")), `{"type":"error","content":{"code":4101,"message":"slow down"}}`},
		"error, asked":     {string(AppendError(nil, "7", 400, `no "x"`)), `{"type":"error","id":"7","content":{"code":400,"message":"no \"x\""}}`},
		"joined":           {string(AppendJoined(nil, "7", "chat:1")), `{"type":"joined","id":"7","room":"chat:1"}`},
		"joined, unasked":  {string(AppendJoined(nil, "", "chat:1")), `{"type":"joined","room":"chat:1"}`},
		"left":             {string(AppendLeft(nil, "7", "chat:1")), `{"type":"left","id":"7","room":"chat:1"}`},
		"user status":      {string(AppendUserStatus(nil, "u1", "Änn", "online", 9)), `{"type":"user_status","content":{"user_id":"u1","user_name":"Änn","status":"online"},"timestamp":9}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.got != tt.want {
				t.Errorf("got  %s\nwant %s", tt.got, tt.want)
			}
			if !json.Valid([]byte(tt.got)) {
				t.Errorf("%s is not JSON", tt.got)
			}
		})
	}
}

func TestServerFrames_AppendBehindOthers(t *testing.T) {
	t.Parallel()
	dst := []byte("{")
	dst = AppendPong(dst, "1")
	dst = AppendLeft(dst, "2", "r")
	if want := `{{"type":"pong","id":"1"}{"type":"left","id":"2","room":"r"}`; string(dst) != want {
		t.Errorf("got %s, want %s", dst, want)
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "häßlich 😀 \u2028", "\xff\xc3", "a\xed\xa0\x80b", "\uFFFD"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := AppendString(nil, s)
		var got string
		if err := json.Unmarshal(quoted, &got); err != nil {
			t.Fatalf("AppendString(%q) = %s, which is not JSON: %v", s, quoted, err)
		}
		if want := string([]rune(s)); got != want { // replaces what is not UTF-8
			t.Errorf("AppendString(%q) reads as %q, want %q", s, got, want)
		}
		if own, err := stringField("s", quoted); err != nil || own != got {
			t.Errorf("stringField(%s) = %q, %v, want %q", quoted, own, err, got)
		}
	})
}
