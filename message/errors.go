package message

import (
	"errors"
	"strconv"
)

// ErrTooDeep is returned when arrays and objects are nested deeper than the
// limit.
var ErrTooDeep = errors.New("message: arrays and objects are nested too deeply")

// ErrTooLarge is returned for a message that has more bytes than the limit.
var ErrTooLarge = errors.New("message: larger than the limit")

// ErrNotUTF8 is returned for a payload that is not valid UTF-8.
var ErrNotUTF8 = errors.New("message: not valid UTF-8")

// A SyntaxError says where a message is not JSON, or not a JSON object.
type SyntaxError struct {
	Offset int    // byte of the input at which reading stopped
	Reason string // what was expected there
}

// Error returns a sentence that is safe to show to a client.
func (e *SyntaxError) Error() string {
	return "message: invalid JSON at byte " + strconv.Itoa(e.Offset) + ": " + e.Reason
}

// A FieldError says which member of a well-formed message cannot be used.
type FieldError struct {
	Field   string // path of the member, such as "id" or "content.users"
	Problem string // "is missing", "must be a string", ...
}

// Error returns a sentence that is safe to show to a client.
func (e *FieldError) Error() string { return "message: " + e.Field + " " + e.Problem }

const (
	problemMissing = "is missing"
	problemString  = "must be a string"
	problemNumber  = "must be a number"
	problemEscape  = "holds half of a surrogate pair"
)
