package message

import (
	"strings"
	"testing"
)

var benchFrames = map[string]string{
	"ping":      `{"type":"ping"}`,
	"room/133B": `{"type":"room_message","room":"chat:room001","content":{"text":"` + strings.Repeat("hello ", 10) + `"},"timestamp":1697356800}`,
	"room/8KB":  `{"type":"room_message","room":"chat:room001","content":{"text":"` + strings.Repeat("hello ", 1350) + `"}}`,
	"room/8KB of numbers": `{"type":"room_message","room":"chat:room001","content":[` +
		strings.Repeat(`{"x":12.5,"y":-3},`, 450) + `0]}`,
}

func BenchmarkLimits_Decode(b *testing.B) {
	for name, frame := range benchFrames {
		b.Run(name, func(b *testing.B) {
			in := []byte(frame)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			var e Envelope
			for b.Loop() {
				if err := (Limits{}).Decode(in, &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLimits_DecodePayload(b *testing.B) {
	in := []byte(`{"message":` + benchFrames["room/133B"] + `}`)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	var e Envelope
	for b.Loop() {
		if err := (Limits{}).DecodePayload(in, &e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEnvelope_AppendForward(b *testing.B) {
	e := decode(b, benchFrames["room/133B"])
	stamp := Stamp{Type: TypeRoomMessage, Room: "chat:room001", From: "user_123", FromName: "Ann", Timestamp: 1697356800}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = e.AppendForward(dst[:0], stamp)
	}
}

func BenchmarkEnvelope_AppendDelivery(b *testing.B) {
	for name, fill := range map[string]Fill{
		"unchanged":    {Room: "chat:room001"},
		"notification": {Type: TypeNotification, NotificationID: "0123456789abcdef"},
	} {
		b.Run(name, func(b *testing.B) {
			e := decodePayload(b, benchFrames["room/133B"])
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				dst = e.AppendDelivery(dst[:0], fill)
			}
		})
	}
}

// TestAllocations pins what the hot path may allocate: the strings that it
// returns and nothing else.
func TestAllocations(t *testing.T) {
	frame := []byte(`{"t\u0079pe":"chat","content":{"text":"hi","room":7},"x":[1,2],"data":{"k":1}}`)
	withRoom := []byte(`{"type":"room_message","id":"7000","room":"chat:1","timestamp":1}`)
	var (
		e   Envelope
		dst = make([]byte, 0, 1024)
	)
	tests := map[string]struct {
		want float64
		run  func() error
	}{
		"decode":            {0, func() error { return (Limits{}).Decode(frame, &e) }},
		"decode, id, room":  {2, func() error { return (Limits{}).Decode(withRoom, &e) }},
		"payload, id, room": {2, func() error { return (Limits{}).DecodePayload(withRoom, &e) }},
		"target of content": {0, func() error { _, _, err := TargetOf(Raw(`{"text":"hi"}`)); return err }},
		"forward": {0, func() error {
			dst = e.AppendForward(dst[:0], Stamp{Type: TypeRoomMessage, Room: "r", From: "u1", FromName: "Ann"})
			return nil
		}},
		"delivery": {0, func() error {
			dst = e.AppendDelivery(dst[:0], Fill{Type: TypeNotification, Room: "r", NotificationID: "n"})
			return nil
		}},
	}
	for name, tt := range tests {
		if err := tt.run(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := testing.AllocsPerRun(100, func() { _ = tt.run() }); got != tt.want {
			t.Errorf("%s: %v allocations, want %v", name, got, tt.want)
		}
	}
}
