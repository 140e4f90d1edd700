package notification

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/message"
)

// The channels, after the prefix.
const (
	channelBroadcast    = "broadcast"
	channelUser         = "user:"
	channelNotification = "notification:"
	channelRoom         = "room:"
)

// defaultPrefix starts every channel unless WithPrefix says otherwise.
const defaultPrefix = "websocket:"

// ErrTooLarge is returned for a message that the gateways would drop for its
// size.
var ErrTooLarge = errors.New("notification: message is too large")

// Client publishes to the gateways. Its methods may be called from any
// goroutine; each waits for Redis to take the message.
type Client struct {
	redis    redis.UniversalClient
	prefix   string
	maxBytes int
	durable  bool
	replicas int // that must have a durable message
}

// Option changes a Client.
type Option func(*Client)

// WithPrefix sets what every channel starts with, "websocket:" by default. It
// is the gateways' redis.prefix.
func WithPrefix(prefix string) Option {
	return func(c *Client) { c.prefix = prefix }
}

// WithMaxBytes sets the largest message in bytes, 65,536 by default. It is the
// gateways' limits.message_bytes.
func WithMaxBytes(n int) Option {
	return func(c *Client) { c.maxBytes = n }
}

// NewClient returns a Client that publishes with r, which stays the caller's to
// close.
func NewClient(r redis.UniversalClient, options ...Option) *Client {
	c := &Client{redis: r, prefix: defaultPrefix, maxBytes: message.DefaultLimits().Bytes}
	for _, option := range options {
		option(c)
	}
	return c
}

// SendSystemNotification shows a notification to everybody who is connected.
func (c *Client) SendSystemNotification(ctx context.Context, r *SystemNotificationRequest) error {
	if err := r.validate(); err != nil {
		return err
	}
	return c.publish(ctx, channelBroadcast, notificationEnvelope(r.ID, notificationContent{
		Title: r.Title, Body: r.Body, Icon: r.Icon, Link: r.Link, Category: r.Category,
	}))
}

// SendUserNotification shows a notification on all devices of a user.
func (c *Client) SendUserNotification(ctx context.Context, r *UserNotificationRequest) error {
	if err := r.validate(); err != nil {
		return err
	}
	return c.publish(ctx, channelNotification+r.UserID, notificationEnvelope(r.ID, notificationContent{
		Title: r.Title, Body: r.Body, Icon: r.Icon, Link: r.Link, Category: r.Category,
	}))
}

// SendSystemMessage announces something to everybody who is connected.
func (c *Client) SendSystemMessage(ctx context.Context, r *SystemMessageRequest) error {
	if err := r.validate(); err != nil {
		return err
	}
	content := systemContent{Message: r.Message, Level: cmp.Or(r.Level, LevelInfo), Code: r.Code}
	return c.publish(ctx, channelBroadcast, envelope{Type: message.TypeSystem, ID: r.ID, Content: content})
}

// SendUserMessage sends a message to all devices of a user.
func (c *Client) SendUserMessage(ctx context.Context, r *UserMessageRequest) error {
	if err := r.validate(); err != nil {
		return err
	}
	e := envelope{Type: message.TypeUserMessage, ID: r.ID, From: r.From, FromName: r.FromName, To: r.To, Content: r.Content}
	if r.Text != "" {
		e.Content = textContent{From: r.From, To: r.To, Text: r.Text}
	}
	return c.publish(ctx, channelUser+r.To, e)
}

// SendToRoom sends a message to every member of a room.
func (c *Client) SendToRoom(ctx context.Context, r *RoomMessageRequest) error {
	if err := r.validate(); err != nil {
		return err
	}
	e := envelope{Type: message.TypeRoomMessage, ID: r.ID, From: r.From, FromName: r.FromName, Room: r.Room, Content: r.Content}
	if r.Text != "" {
		e.Content = textContent{Text: r.Text}
	}
	return c.publish(ctx, channelRoom+r.Room, e)
}

// BroadcastDataUpdate tells everybody who is connected that something has
// changed, so that pages that show it can follow. Entity is what kind of thing
// ("user"), action what happened to it ("create"), id which one it was, "" when
// there is no single one. Data, which may be nil, is whatever json.Marshal
// takes.
func (c *Client) BroadcastDataUpdate(ctx context.Context, entity, action, id string, data any) error {
	if err := cmp.Or(required("entity", entity), required("action", action)); err != nil {
		return err
	}
	return c.publish(ctx, channelBroadcast, envelope{
		Type: message.TypeDataUpdate, Content: updateContent{Entity: entity, Action: action, ID: id, Data: data},
	})
}

// Broadcast sends a message of any type to everybody who is connected. Content
// is whatever json.Marshal takes.
func (c *Client) Broadcast(ctx context.Context, typ string, content any) error {
	if err := required("type", typ); err != nil {
		return err
	}
	return c.publish(ctx, channelBroadcast, envelope{Type: typ, Content: content})
}

// publish stamps e, encodes it and gives it to Redis. An e that has its id
// keeps it.
func (c *Client) publish(ctx context.Context, channel string, e envelope) error {
	if e.ID == "" {
		e.ID = newID()
	}
	e.Timestamp = time.Now().Unix()
	payload, err := encode(e)
	if err != nil {
		return &FieldError{Field: "content", Problem: err.Error()}
	}
	if len(payload) > c.maxBytes {
		return fmt.Errorf("%w: %d bytes, allowed are %d", ErrTooLarge, len(payload), c.maxBytes)
	}
	if c.durable {
		err = c.append(ctx, channel, payload, e.ID)
	} else {
		err = c.redis.Publish(ctx, c.prefix+channel, payload).Err()
	}
	if err != nil {
		return fmt.Errorf("notification: publish on %s: %w", c.prefix+channel, err)
	}
	return nil
}

// encode is json.Marshal that leaves <, > and & as they are: browsers get the
// bytes, not a page.
func encode(e envelope) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// newID returns 128 random bits in hexadecimal.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
