package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
)

func TestRefusalOf(t *testing.T) {
	for name, tt := range map[string]struct {
		err     error
		code    int
		message string
		abuse   *reason
	}{
		"a refusal":        {errNotMember, 4003, "not a member of this room", nil},
		"wrapped":          {fmt.Errorf("x: %w", errTooFast), 4101, "too many frames: slow down", &reasonRate},
		"not a member":     {room.ErrNotMember, 4003, "not a member of this room", nil},
		"too many rooms":   {room.ErrTooManyRooms, 4003, "too many rooms on this connection", nil},
		"too many watched": {room.ErrTooManyWatched, 4003, "too many users watched by this connection", nil},
		"unconfirmed":      {room.ErrUnconfirmed, 4101, "the room is not reachable at the moment: try again", nil},
		"gone":             {room.ErrGone, 4003, "the room was left before the join was confirmed", nil},
		"syntax": {
			&message.SyntaxError{Offset: 3, Reason: "a value was expected"}, 4005,
			"invalid JSON at byte 3: a value was expected", &reasonAbuse,
		},
		"field": {
			&message.FieldError{Field: "id", Problem: "must be a string"}, 4005,
			"id must be a string", &reasonAbuse,
		},
		"too deep":  {message.ErrTooDeep, 4005, "arrays and objects are nested too deeply", &reasonAbuse},
		"too large": {message.ErrTooLarge, 4005, "larger than the limit", &reasonAbuse},
		"not UTF-8": {message.ErrNotUTF8, 4005, "not valid UTF-8", &reasonAbuse},
		"internal":  {errors.New("dial 10.0.0.7: secret"), 4101, "this did not work: try again", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := refusalOf(tt.err)
			if r.code != tt.code || r.message != tt.message || r.abuse != tt.abuse {
				t.Errorf("refusalOf(%v) = %d %q (abuse %v), want %d %q (abuse %v)",
					tt.err, r.code, r.message, r.abuse, tt.code, tt.message, tt.abuse)
			}
			if !slices.Contains(refusalCodes[:], r.code) {
				t.Errorf("code %d is not counted", r.code)
			}
			if strings.Contains(r.Error(), "room: ") || strings.Contains(r.Error(), "message: ") {
				t.Errorf("%q names a package", r)
			}
		})
	}
}
