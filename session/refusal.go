package session

import (
	"errors"
	"strings"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
)

// Codes of error frames, from the same families as close codes: 40xx will not
// work another time either, 41xx may.
const (
	codeBadToken  = 4001
	codeForbidden = 4003
	codeMalformed = 4005
	codeTryAgain  = 4101
	codeExpired   = 4300
	codeRevoked   = 4301
)

// refusalCodes are all of them.
var refusalCodes = [...]int{codeBadToken, codeForbidden, codeMalformed, codeTryAgain, codeExpired, codeRevoked}

// refusal is why one frame was not carried out; the connection goes on.
type refusal struct {
	code    int
	message string // a sentence for the client
	// abuse is why the connection is closed when too many such frames come; nil
	// when they do no harm.
	abuse *reason
}

func (r *refusal) Error() string { return r.message }

func malformed(message string) *refusal {
	return &refusal{code: codeMalformed, message: message, abuse: &reasonAbuse}
}

func forbidden(message string) *refusal { return &refusal{code: codeForbidden, message: message} }
func tryAgain(message string) *refusal  { return &refusal{code: codeTryAgain, message: message} }

// Refusals without a detail of their own.
var (
	errUnknownType  = malformed("unknown type")
	errUserID       = malformed("to must be a user id of 1 to 128 bytes without control characters")
	errUserIDs      = malformed("content.users must hold user ids of 1 to 128 bytes without control characters")
	errNoUsers      = malformed("content.users is missing")
	errNoTarget     = malformed("name a room or a user")
	errTwoTargets   = malformed("name either a room or a user, once")
	errUnsupported  = &refusal{code: codeMalformed, message: "this type is not supported by this gateway"}
	errWhatAcked    = malformed("content must name either an offset or an id")
	errNotInInbox   = forbidden("no message with this id is in the inbox")
	errNotMember    = forbidden("not a member of this room")
	errLeft         = forbidden("the room was left before the join was confirmed")
	errMayNotJoin   = forbidden("this token may not join this room")
	errMayNotSend   = forbidden("this token may not send to this room")
	errNoPresence   = forbidden("presence is off for this room")
	errTooManyRooms = forbidden("too many rooms on this connection")
	errTooManyUsers = forbidden("too many users watched by this connection")
	errTooBig       = forbidden("the message is too big")
	errTooFast      = &refusal{codeTryAgain, "too many frames: slow down", &reasonRate}
	errBadToken     = &refusal{codeBadToken, "this token is not good", &reasonAbuse}
	errExpired      = &refusal{codeExpired, "this token has expired", &reasonAbuse}
	errRevoked      = &refusal{codeRevoked, "this token has been revoked", &reasonAbuse}
	errOtherUser    = &refusal{codeForbidden, "this token is another user's", &reasonAbuse}
	errNoToken      = malformed("content.token is missing")
	errTooMuch      = &refusal{codeTryAgain, "too many bytes: slow down", &reasonRate}
	errUserTooFast  = &refusal{codeTryAgain, "too many frames from this user's devices: slow down", &reasonRate}
	errUserTooMuch  = &refusal{codeTryAgain, "too many bytes from this user's devices: slow down", &reasonRate}
	errUnconfirmed  = tryAgain("the room is not reachable at the moment: try again")
	errNotWelcome   = tryAgain("wait for welcome")
	errBusy         = tryAgain("too much is asked at the moment: try again")
	errNotSent      = tryAgain("the message could not be sent: try again")
	errInternal     = tryAgain("this did not work: try again")
)

// refusalOf turns an error into what the client is told. The sentences of
// package message are made for clients, after the name of the package; nothing
// else is passed on.
func refusalOf(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	for cause, known := range roomRefusals {
		if errors.Is(err, cause) {
			return known
		}
	}
	if isOfMessage(err) {
		return malformed(strings.TrimPrefix(err.Error(), "message: "))
	}
	return errInternal
}

var roomRefusals = map[error]*refusal{
	room.ErrNotMember:      errNotMember,
	room.ErrTooManyRooms:   errTooManyRooms,
	room.ErrTooManyWatched: errTooManyUsers,
	room.ErrUnconfirmed:    errUnconfirmed,
	room.ErrGone:           errLeft,
}

// isOfMessage reports whether err is one of those that package message documents.
func isOfMessage(err error) bool {
	var (
		syntax *message.SyntaxError
		field  *message.FieldError
	)
	return errors.As(err, &syntax) || errors.As(err, &field) ||
		errors.Is(err, message.ErrTooLarge) || errors.Is(err, message.ErrTooDeep) || errors.Is(err, message.ErrNotUTF8)
}
