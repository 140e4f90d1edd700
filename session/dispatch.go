package session

import (
	"sync"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/session/admission"
)

// action carries out one type of frame. It answers the frame itself, now or
// later, unless it returns an error that refusalOf knows. The envelope is only
// valid during the call. Called by the poller.
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
	message.TypeAck:         (*Session).ackInbox,
	message.TypeRefresh:     (*Session).refresh,
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
	m := s.manager
	err := m.cfg.Limits.frames().Decode(payload, env)
	m.stats.frame(env.Type)
	if tooMuch := s.charge(len(payload)); tooMuch != nil {
		err = tooMuch
	}
	if err == nil && m.undecided.has(s.number) {
		err = errNotWelcome
	}
	if err == nil {
		err = s.act(env)
	}
	if err != nil {
		s.refuse(env.ID, refusalOf(err))
	}
}

// charge takes a frame from what the client, and all devices of its user, may
// send. Called by the poller.
func (s *Session) charge(bytes int) error {
	m := s.manager
	now := m.now()
	if !s.frames.take(m.frameRate, now, 1) {
		return errTooFast
	}
	if !s.bytes.take(m.byteRate, now, bytes) {
		return errTooMuch
	}
	switch m.gate.Frame(s.member.UserID(), bytes) {
	case admission.TooManyFrames:
		return errUserTooFast
	case admission.TooManyBytes:
		return errUserTooMuch
	default:
		return nil
	}
}

func (s *Session) act(env *message.Envelope) error {
	do, known := actions[env.Type]
	if !known {
		return errUnknownType
	}
	return do(s, env)
}

// refuse answers a frame that was not carried out, or closes the connection of
// a client that sends nothing but such frames. Called by the poller.
func (s *Session) refuse(id string, r *refusal) {
	if r.abuse != nil && !s.abuse.take(s.manager.abuseRate, s.manager.now(), 1) {
		s.close(*r.abuse)
		return
	}
	s.fail(id, r)
}

// The functions below answer frames and may be called from any goroutine. They
// return nothing: when a frame cannot be sent the client is gone, or so slow
// that OnSlow has closed its connection.

// fail tells the client why a frame was not carried out.
func (s *Session) fail(id string, r *refusal) {
	s.manager.stats.refused(r.code)
	s.reply(func(dst []byte) []byte { return message.AppendError(dst, id, r.code, r.message) })
}

// ack confirms a frame that carries an id; others are only answered on failure.
func (s *Session) ack(id string, content message.Raw) {
	if id == "" {
		return
	}
	s.reply(func(dst []byte) []byte { return message.AppendAck(dst, id, content) })
}

// reply sends what frame appends to a buffer that is used again.
func (s *Session) reply(frame func(dst []byte) []byte) {
	buf := replies.Get().(*[]byte)
	defer replies.Put(buf)
	*buf = frame((*buf)[:0])
	_ = s.conn().SendText(*buf)
	if cap(*buf) > maxReplyBuffer {
		*buf = nil
	}
}

// maxReplyBuffer is the size in bytes beyond which a buffer is not kept.
const maxReplyBuffer = 64 << 10

var replies = sync.Pool{New: func() any { return new([]byte) }}

func (s *Session) ping(env *message.Envelope) error {
	id := env.ID
	s.reply(func(dst []byte) []byte { return message.AppendPong(dst, id) })
	s.ack(id, nil)
	return nil
}
