package notification

import "github.com/ginforge/gateway/message"

// envelope is what goes on the channel.
type envelope struct {
	Type      string            `json:"type"`
	ID        string            `json:"id"`
	From      string            `json:"from,omitempty"`
	FromName  string            `json:"from_name,omitempty"`
	To        string            `json:"to,omitempty"`
	Room      string            `json:"room,omitempty"`
	Content   any               `json:"content"`
	Data      *notificationData `json:"data,omitempty"`
	Timestamp int64             `json:"timestamp"` // Unix seconds
}

// notificationContent is the content of type notification.
type notificationContent struct {
	Title    string `json:"title"`
	Body     string `json:"body,omitempty"`
	Icon     string `json:"icon,omitempty"`
	Link     string `json:"link,omitempty"`
	Category string `json:"category,omitempty"`
}

// notificationData lets a browser mark a notification as read. Gateways add it
// where it is missing, but each its own: only from here is the id the same on
// a user's devices at different nodes.
type notificationData struct {
	ID   string `json:"notification_id"`
	Read bool   `json:"read"`
}

// notificationEnvelope wraps content with an id, a new one if that is "", which
// is also its notification_id.
func notificationEnvelope(id string, content notificationContent) envelope {
	if id == "" {
		id = newID()
	}
	return envelope{Type: message.TypeNotification, ID: id, Content: content, Data: &notificationData{ID: id}}
}

// systemContent is the content of type system.
type systemContent struct {
	Message string `json:"message"`
	Level   string `json:"level"`
	Code    int    `json:"code"`
}

// textContent is the content of a message that is plain text.
type textContent struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	Text string `json:"text"`
}

// updateContent is the content of type data_update.
type updateContent struct {
	Entity string `json:"entity"`
	Action string `json:"action"`
	ID     string `json:"id,omitempty"`
	Data   any    `json:"data,omitempty"`
}
