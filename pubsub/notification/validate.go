package notification

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The longest names the gateways accept, in bytes.
const (
	maxIDBytes   = 128
	maxUserBytes = 128
	maxRoomBytes = 255
)

var levels = []string{LevelInfo, LevelWarning, LevelError}

// FieldError says what is wrong with a request: its first field that no gateway
// would deliver.
type FieldError struct {
	Field   string // as it stands in JSON: "user_id"
	Problem string // "is missing"
}

// Error returns the field and the problem.
func (e *FieldError) Error() string { return "notification: " + e.Field + ": " + e.Problem }

// errNoRequest is returned for a nil request.
var errNoRequest = errors.New("notification: the request is nil")

func (r *SystemNotificationRequest) validate() error {
	if r == nil {
		return errNoRequest
	}
	return cmp.Or(identity(r.ID), required("title", r.Title))
}

func (r *UserNotificationRequest) validate() error {
	if r == nil {
		return errNoRequest
	}
	return cmp.Or(identity(r.ID), name("user_id", r.UserID, maxUserBytes), required("title", r.Title))
}

func (r *SystemMessageRequest) validate() error {
	if r == nil {
		return errNoRequest
	}
	if r.Level != "" && !slices.Contains(levels, r.Level) {
		return &FieldError{"level", "is none of " + strings.Join(levels, ", ")}
	}
	return cmp.Or(identity(r.ID), required("message", r.Message))
}

func (r *UserMessageRequest) validate() error {
	if r == nil {
		return errNoRequest
	}
	return cmp.Or(identity(r.ID), name("to", r.To, maxUserBytes), textOrContent(r.Text, r.Content))
}

func (r *RoomMessageRequest) validate() error {
	if r == nil {
		return errNoRequest
	}
	return cmp.Or(identity(r.ID), name("room", r.Room, maxRoomBytes), textOrContent(r.Text, r.Content))
}

// identity checks an id, which may be missing.
func identity(id string) error {
	if id == "" {
		return nil
	}
	return name("id", id, maxIDBytes)
}

// textOrContent wants exactly one of the two.
func textOrContent(text string, content any) error {
	switch {
	case text == "" && content == nil:
		return &FieldError{"text", "is missing, and so is content"}
	case text != "" && content != nil:
		return &FieldError{"content", "is there besides text; want one of them"}
	}
	return nil
}

// name checks what becomes part of a channel's name.
func name(field, value string, maxBytes int) error {
	switch {
	case value == "":
		return required(field, value)
	case len(value) > maxBytes:
		return &FieldError{field, fmt.Sprintf("has %d bytes, allowed are %d", len(value), maxBytes)}
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return &FieldError{field, "is not UTF-8 without control characters"}
	}
	return nil
}

func required(field, value string) error {
	if value == "" {
		return &FieldError{field, "is missing"}
	}
	return nil
}
