package auth

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestCaps(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		claim         string
		room          string
		join, publish bool
	}{
		"no claim":                   {``, "any", true, true},
		"empty list":                 {`[]`, "any", false, false},
		"empty object":               {`{}`, "any", false, false},
		"exact":                      {`["chat:a"]`, "chat:a", true, true},
		"another":                    {`["chat:a"]`, "chat:ab", false, false},
		"prefix":                     {`["x","chat:*"]`, "chat:a:b", true, true},
		"prefix ends at the colon":   {`["chat:*"]`, "chats", false, false},
		"prefix needs the colon":     {`["chat:*"]`, "chat", false, false},
		"case matters":               {`["chat:*"]`, "Chat:a", false, false},
		"all":                        {`["*"]`, "any", true, true},
		"star inside is a character": {`["a*b"]`, "axb", false, false},
		"star inside, same":          {`["a*b"]`, "a*b", true, true},
		"join alone":                 {`{"join":["chat:*"]}`, "chat:a", true, false},
		"publish alone":              {`{"publish":["chat:*"]}`, "chat:a", false, true},
		"lists differ":               {`{"join":["*"],"publish":["chat:a"]}`, "chat:b", true, false},
		"list null":                  {`{"join":null,"publish":["*"]}`, "chat:b", false, true},
		"unknown capability":         {`{"admin":7,"join":["*"]}`, "chat:b", true, false},
		"other case grants nothing":  {`{"JOIN":["*"]}`, "chat:b", false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var raw json.RawMessage
			if tt.claim != "" {
				raw = json.RawMessage(tt.claim)
			}
			caps, err := parseCaps(raw)
			if err != nil {
				t.Fatalf("parseCaps(%s) = %v, want nil", tt.claim, err)
			}
			if got := caps.CanJoin(tt.room); got != tt.join {
				t.Errorf("%s: CanJoin(%q) = %v, want %v", tt.claim, tt.room, got, tt.join)
			}
			if got := caps.CanPublish(tt.room); got != tt.publish {
				t.Errorf("%s: CanPublish(%q) = %v, want %v", tt.claim, tt.room, got, tt.publish)
			}
		})
	}
}

func TestCaps_Refused(t *testing.T) {
	t.Parallel()
	for _, claim := range []string{
		`"*"`, `7`, `true`, `[1]`, `[null]`, `[""]`, `["chat*"]`, `["**"]`, `["a\u0000"]`, `["` + strings.Repeat("r", 256) + `"]`,
		`["r"` + strings.Repeat(`,"r"`, maxCaps) + `]`,
		`{"join":"*"}`, `{"join":[1]}`, `{"publish":{}}`, `{"publish":["chat*"]}`,
	} {
		if caps, err := parseCaps(json.RawMessage(claim)); !errors.Is(err, errCaps) || caps != nil {
			t.Errorf("parseCaps(%s) = %v, %v, want errCaps", claim, caps, err)
		}
	}
}

func TestNewCaps_Copies(t *testing.T) {
	t.Parallel()
	list := []string{"a"}
	caps, err := NewCaps(list, list)
	if err != nil {
		t.Fatal(err)
	}
	list[0] = "*"
	if caps.CanJoin("b") || caps.CanPublish("b") {
		t.Error("the caller's list is still in use")
	}
}
