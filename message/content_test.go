package message

import (
	"slices"
	"testing"
)

func TestRoomOf(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ content, want, err string }{
		"string":          {content: `"chat:1"`, want: "chat:1"},
		"escaped string":  {content: `"ch\u0061t:1"`, want: "chat:1"},
		"object":          {content: `{"x":{"room":"no"},"room":"chat:1","since":{"epoch":"e"}}`, want: "chat:1"},
		"escaped name":    {content: `{"ro\u006fm":"chat:1"}`, want: "chat:1"},
		"last one counts": {content: `{"room":"a","room":"b"}`, want: "b"},
		"null room":       {content: `{"room":"a","room":null}`},
		"absent":          {content: ``},
		"null":            {content: `null`},
		"empty object":    {content: `{}`},
		"number":          {content: `7`},
		"array":           {content: `["chat:1"]`},
		"room a number":   {content: `{"room":7}`, err: "message: content.room must be a string"},
		"half a pair":     {content: `"\udc00"`, err: "message: content holds half of a surrogate pair"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := RoomOf(Raw(tt.content))
			if got != tt.want || errorText(err) != tt.err {
				t.Errorf("RoomOf(%s) = %q, %v, want %q, %s", tt.content, got, err, tt.want, tt.err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestTargetOf(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ content, to, room, err string }{
		"user":        {content: `{"to":"u1","text":"hi"}`, to: "u1"},
		"room":        {content: `{"text":"hi","room":"chat:1"}`, room: "chat:1"},
		"both":        {content: `{"to":"u1","room":"chat:1"}`, to: "u1", room: "chat:1"},
		"neither":     {content: `{"text":"to room"}`},
		"text":        {content: `"chat:1"`},
		"absent":      {content: ``},
		"to a number": {content: `{"to":7}`, err: "message: content.to must be a string"},
		"room a list": {content: `{"to":"u1","room":["a"]}`, to: "u1", err: "message: content.room must be a string"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to, room, err := TargetOf(Raw(tt.content))
			if to != tt.to || room != tt.room || errorText(err) != tt.err {
				t.Errorf("TargetOf(%s) = %q, %q, %v, want %q, %q, %s", tt.content, to, room, err, tt.to, tt.room, tt.err)
			}
		})
	}
}

func TestUsersOf(t *testing.T) {
	t.Parallel()
	const mixture = "message: content.users must hold strings or integers, none of them empty"
	tests := map[string]struct {
		content string
		users   []string
		room    string
		err     string
	}{
		"strings":          {content: `{"users":["a","b"]}`, users: []string{"a", "b"}},
		"integers":         {content: `{"users":[ 1 , 12345678901234567890123 , "c" ]}`, users: []string{"1", "12345678901234567890123", "c"}},
		"none":             {content: `{"users":[ ]}`},
		"room":             {content: `{"room":"chat:1"}`, room: "chat:1"},
		"absent":           {content: ``},
		"as many as may":   {content: `{"users":[1,2,3]}`, users: []string{"1", "2", "3"}},
		"too many":         {content: `{"users":[1,2,3,4]}`, err: "message: content.users holds more than 3 users"},
		"not an array":     {content: `{"users":"a"}`, err: "message: content.users must be an array"},
		"empty":            {content: `{"users":[""]}`, err: mixture},
		"fraction":         {content: `{"users":[1.5]}`, err: mixture},
		"exponent":         {content: `{"users":[1e6]}`, err: mixture},
		"negative":         {content: `{"users":[-1]}`, err: mixture},
		"object":           {content: `{"users":[{}]}`, err: mixture},
		"null in the list": {content: `{"users":[null]}`, err: mixture},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users, room, err := UsersOf(Raw(tt.content), 3)
			if !slices.Equal(users, tt.users) || room != tt.room || errorText(err) != tt.err {
				t.Errorf("UsersOf(%s) = %q, %q, %v, want %q, %q, %s", tt.content, users, room, err, tt.users, tt.room, tt.err)
			}
		})
	}
}
