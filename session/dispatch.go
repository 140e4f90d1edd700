package session

import (
	"errors"
	"sync"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
)

// action carries out one type of frame. It answers the frame itself, now or
// later, unless it returns a *refusal or an error of package message. The
// envelope is only valid during the call. Called by the poller.
type action func(s *Session, env *message.Envelope) error

// actions are the frames that a client may send.
var actions = map[string]action{
	message.TypePing:        (*Session).ping,
	message.TypeJoinRoom:    (*Session).joinRoom,
	message.TypeLeaveRoom:   (*Session).leaveRoom,
	message.TypeRoomMessage: (*Session).roomMessage,
	message.TypeUserMessage: (*Session).userMessage,
	message.TypeChat:        (*Session).chat,
	message.TypePresence:    (*Session).presence,
	message.TypeWatch:       (*Session).watch,
	message.TypeUnwatch:     (*Session).unwatch,
	message.TypeAck:         (*Session).unsupported,
	message.TypeRefresh:     (*Session).unsupported,
}

var envelopes = sync.Pool{New: func() any { return new(message.Envelope) }}

// OnMessage implements engine.Handler.
func (s *Session) OnMessage(op engine.Opcode, payload []byte) {
	if op != engine.OpText {
		s.close(reasonBinary)
		return
	}
	env := envelopes.Get().(*message.Envelope)
	defer envelopes.Put(env)
	err := s.manager.cfg.Limits.frames().Decode(payload, env)
	s.manager.stats.frame(env.Type)
	if !s.allow() {
		s.tooFast(env.ID)
		return
	}
	if err == nil {
		err = s.act(env)
	}
	if err != nil {
		s.refuse(env.ID, err)
	}
}

func (s *Session) act(env *message.Envelope) error {
	if env.Type == "" {
		return errNoType
	}
	do, known := actions[env.Type]
	if !known {
		return errUnknownType
	}
	return do(s, env)
}

func (s *Session) unsupported(*message.Envelope) error { return errUnsupported }

// tooFast refuses a frame over the rate; a client that does not slow down is
// closed.
func (s *Session) tooFast(id string) {
	if !s.limiters.errors.Allow() {
		s.close(reasonRate)
		return
	}
	s.sendError(id, errSlowDown)
}

// refuse answers a frame that was not carried out. Called by the poller.
func (s *Session) refuse(id string, err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = malformed(err.Error()) // of package message, whose sentences are made for clients
	}
	if r.malformed && !s.limiters.errors.Allow() {
		s.close(reasonAbuse)
		return
	}
	s.sendError(id, r)
}

func (s *Session) sendError(id string, r *refusal) {
	s.manager.stats.refused(r.code)
	var scratch [256]byte
	_ = s.SendText(message.AppendError(scratch[:0], id, r.code, r.message)) // the client is gone or too slow
}

// ack confirms a frame that carries an id; others are only answered on failure.
func (s *Session) ack(id string, content message.Raw) {
	if id == "" {
		return
	}
	var scratch [256]byte
	_ = s.SendText(message.AppendAck(scratch[:0], id, content)) // the client is gone or too slow
}

// refusalOf turns the errors of package room into what the client is told.
func refusalOf(err error) *refusal {
	switch {
	case errors.Is(err, room.ErrNotMember):
		return errNotMember
	case errors.Is(err, room.ErrTooManyRooms):
		return errTooManyRooms
	case errors.Is(err, room.ErrTooManyWatched):
		return errTooManyUsers
	default:
		return errUnconfirmed
	}
}

// isGone reports whether there is nobody left to answer.
func isGone(err error) bool { return errors.Is(err, room.ErrGone) }

func (s *Session) ping(env *message.Envelope) error {
	var scratch [128]byte
	_ = s.SendText(message.AppendPong(scratch[:0], env.ID)) // the client is gone or too slow
	s.ack(env.ID, nil)
	return nil
}
