package message

import (
	"encoding/json"
	"testing"
)

func decodePayload(t testing.TB, payload string) *Envelope {
	t.Helper()
	var e Envelope
	if err := (Limits{}).DecodePayload([]byte(payload), &e); err != nil {
		t.Fatalf("DecodePayload(%s) = %v, want nil", payload, err)
	}
	return &e
}

func TestEnvelope_AppendDelivery(t *testing.T) {
	t.Parallel()
	notification := Fill{Type: TypeNotification, Timestamp: 9, NotificationID: "n1"}
	tests := map[string]struct {
		payload string
		fill    Fill
		want    string
	}{
		"nothing to change":         {`{ "type":"system", "timestamp":1 }`, Fill{Timestamp: 9}, `{ "type":"system", "timestamp":1 }`},
		"nothing to change, spaced": {" {\"type\":\"system\",\"timestamp\":1}\n", Fill{Timestamp: 9}, `{"type":"system","timestamp":1}`},
		"unwrapped":                 {`{"message": {"type":"system","timestamp":1} }`, Fill{}, `{"type":"system","timestamp":1}`},
		"timestamp missing":         {`{"type":"system","content": {"a" : 1}}`, Fill{Timestamp: 9}, `{"type":"system","content": {"a" : 1},"timestamp":9}`},
		"timestamp null":            {`{"timestamp":null,"type":"system"}`, Fill{Timestamp: 9}, `{"type":"system","timestamp":9}`},
		"same type and room":        {`{"type":"notification","room":"r","timestamp":1}`, Fill{Type: "notification", Room: "r"}, `{"type":"notification","room":"r","timestamp":1}`},
		"other type":                {`{"x":1,"type":"a","timestamp":1,"type":"b"}`, Fill{Type: "c"}, `{"type":"c","x":1,"timestamp":1}`},
		"no room":                   {`{"type":"a","timestamp":1}`, Fill{Room: "r"}, `{"room":"r","type":"a","timestamp":1}`},
		"another room":              {`{"room":"s","type":"a","timestamp":1}`, Fill{Room: "r"}, `{"room":"r","type":"a","timestamp":1}`},
		"from stays":                {`{"type":"a","from":"u1","from_name":"Ann"}`, Fill{Timestamp: 9}, `{"type":"a","from":"u1","from_name":"Ann","timestamp":9}`},
		"notification": {
			`{"type":"x","content":{"title":"t"}}`, notification,
			`{"type":"notification","content":{"title":"t"},"data":{"notification_id":"n1","read":false},"timestamp":9}`,
		},
		"notification, data null": {
			`{"type":"notification","data":null,"timestamp":1}`, notification,
			`{"type":"notification","timestamp":1,"data":{"notification_id":"n1","read":false}}`,
		},
		"notification, data empty": {
			`{"type":"notification","data":{ },"timestamp":1}`, notification,
			`{"type":"notification","timestamp":1,"data":{"notification_id":"n1","read":false}}`,
		},
		"notification, other data": {
			`{"type":"notification","data":{ "k":[1, 2] },"timestamp":1}`, notification,
			`{"type":"notification","timestamp":1,"data":{"notification_id":"n1","read":false,"k":[1, 2] }}`,
		},
		"notification has an id": {
			`{"type":"notification","data":{"notification_\u0069d":"mine"},"timestamp":1}`, notification,
			`{"type":"notification","timestamp":1,"data":{"read":false,"notification_\u0069d":"mine"}}`,
		},
		"notification is read": {
			`{"type":"notification","data":{"read":true},"timestamp":1}`, notification,
			`{"type":"notification","timestamp":1,"data":{"notification_id":"n1","read":true}}`,
		},
		"notification has both": {
			`{"type":"notification","data":{"read":true,"notification_id":"mine"},"timestamp":1}`, notification,
			`{"type":"notification","data":{"read":true,"notification_id":"mine"},"timestamp":1}`,
		},
		"data is not an object": {
			`{"type":"notification","data":[1],"timestamp":1}`, notification,
			`{"type":"notification","data":[1],"timestamp":1}`,
		},
		"data twice: the last counts": {
			`{"data":{"read":true},"type":"notification","data":{"k":1},"timestamp":1}`, notification,
			`{"type":"notification","timestamp":1,"data":{"notification_id":"n1","read":false,"k":1}}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := decodePayload(t, tt.payload).AppendDelivery([]byte("prefix"), tt.fill)
			if want := "prefix" + tt.want; string(got) != want {
				t.Errorf("AppendDelivery() = %s\nwant               %s", got, want)
			}
			if !json.Valid(got[len("prefix"):]) {
				t.Errorf("AppendDelivery() = %s, which is not JSON", got)
			}
		})
	}
}
