package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/session/auth"
)

// What one batch may hold.
const (
	maxBatch      = 1000
	maxBatchBytes = 16 << 20
)

// Kinds of channels.
const (
	Broadcast    = "broadcast"
	User         = "user"
	Notification = "notification"
	Room         = "room"
)

// Channel is where a message goes.
type Channel struct {
	Kind string // Broadcast, User, Notification or Room
	Name string // the user's id or the room; empty for Broadcast
}

// publication is one message to publish.
type publication struct {
	Channel string          `json:"channel"`
	Message json.RawMessage `json:"message"`
	ID      string          `json:"id"`
}

// publish publishes one message.
func (s *Server) publish(r *http.Request) (any, error) {
	var p publication
	if err := decode(r, &p); err != nil {
		return nil, err
	}
	return s.publishOne(r.Context(), p)
}

func (s *Server) publishOne(ctx context.Context, p publication) (any, error) {
	to, err := s.channel(p.Channel)
	if err != nil {
		return nil, err
	}
	if err := s.checkMessage(p); err != nil {
		return nil, err
	}
	return s.backend.Publisher.Publish(ctx, to, p.Message, p.ID)
}

// channel reads "room:chat:1", "websocket:room:chat:1" and the like.
func (s *Server) channel(text string) (Channel, error) {
	text = strings.TrimPrefix(text, s.cfg.Prefix)
	kind, name, _ := strings.Cut(text, ":")
	switch kind {
	case Broadcast:
		if text != Broadcast {
			return Channel{}, badRequest("channel: broadcast has no name")
		}
	case User, Notification:
		if !auth.ValidUserID(name) {
			return Channel{}, badRequest("channel: want " + kind + ":ID with an id of 1 to 128 bytes without control characters")
		}
	case Room:
		if !s.cfg.RoomName(name) {
			return Channel{}, badRequest("channel: want room:NAME with a name of 1 to 255 bytes without control characters")
		}
	default:
		return Channel{}, badRequest("channel: want broadcast, user:ID, notification:ID or room:NAME")
	}
	return Channel{kind, name}, nil
}

// maxMessageID bounds the id of a message in bytes.
const maxMessageID = 128

// checkMessage refuses what nodes would drop.
func (s *Server) checkMessage(p publication) error {
	if len(p.ID) > maxMessageID {
		return badRequest(fmt.Sprintf("id: longer than %d bytes", maxMessageID))
	}
	if len(p.Message) == 0 {
		return badRequest("message is missing")
	}
	var env message.Envelope
	err := s.cfg.Message.DecodePayload(p.Message, &env)
	if errors.Is(err, message.ErrTooLarge) {
		return failure(http.StatusRequestEntityTooLarge, fmt.Sprintf("message: longer than %d bytes", s.cfg.Message.Bytes))
	}
	if err != nil {
		return badRequest("message: " + strings.TrimPrefix(err.Error(), "message: "))
	}
	return nil
}

// outcome is what became of one message of a batch.
type outcome struct {
	Code    int    `json:"code"` // 0, or the status that publish would have answered
	Message string `json:"message,omitempty"`
	Data    any    `json:"data,omitempty"`
}

// publishBatch publishes messages in their order. What is wrong with one does not
// keep the others.
func (s *Server) publishBatch(r *http.Request) (any, error) {
	var batch struct {
		Messages []publication `json:"messages"`
	}
	if err := decode(r, &batch); err != nil {
		return nil, err
	}
	if n := len(batch.Messages); n == 0 || n > maxBatch {
		return nil, badRequest(fmt.Sprintf("messages: %d; want 1 to %d", n, maxBatch))
	}
	outcomes := make([]outcome, len(batch.Messages))
	for i, p := range batch.Messages {
		data, err := s.publishOne(r.Context(), p)
		if err != nil {
			told := statusOf(err)
			outcomes[i] = outcome{Code: told.Status, Message: told.Message}
			continue
		}
		outcomes[i].Data = data
	}
	return map[string]any{"results": outcomes}, nil
}
