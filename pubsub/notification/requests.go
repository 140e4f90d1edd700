package notification

// The levels of a system message.
const (
	LevelInfo    = "info"
	LevelWarning = "warning"
	LevelError   = "error"
)

// SystemNotificationRequest is a notification for everybody.
type SystemNotificationRequest struct {
	ID       string `json:"id"`    // of the message; a new one when empty. Two with the same are one
	Title    string `json:"title"` // needed
	Body     string `json:"body"`
	Icon     string `json:"icon"`     // a name the front end knows, such as "User"
	Link     string `json:"link"`     // where a click leads, such as "/system/users"
	Category string `json:"category"` // for the front end to sort by
}

// UserNotificationRequest is a notification for one user.
type UserNotificationRequest struct {
	ID       string `json:"id"`      // of the message; a new one when empty. Two with the same are one
	UserID   string `json:"user_id"` // needed
	Title    string `json:"title"`   // needed
	Body     string `json:"body"`
	Icon     string `json:"icon"`     // a name the front end knows, such as "User"
	Link     string `json:"link"`     // where a click leads, such as "/system/users"
	Category string `json:"category"` // for the front end to sort by
}

// SystemMessageRequest is an announcement to everybody.
type SystemMessageRequest struct {
	ID      string `json:"id"`      // of the message; a new one when empty. Two with the same are one
	Message string `json:"message"` // needed
	Level   string `json:"level"`   // LevelInfo when empty
	Code    int    `json:"code"`    // the application's own
}

// UserMessageRequest is a message to one user, of text or of any content.
type UserMessageRequest struct {
	ID       string `json:"id"`        // of the message; a new one when empty. Two with the same are one
	From     string `json:"from"`      // user id of the sender, "" for the system
	FromName string `json:"from_name"` // the sender's name to show
	To       string `json:"to"`        // user id; needed
	Text     string `json:"text"`      // either this
	Content  any    `json:"content"`   // or this, whatever json.Marshal takes
}

// RoomMessageRequest is a message to the members of a room, of text or of any
// content.
type RoomMessageRequest struct {
	ID       string `json:"id"`        // of the message; a new one when empty. Two with the same are one
	Room     string `json:"room"`      // needed
	From     string `json:"from"`      // user id of the sender, "" for the system
	FromName string `json:"from_name"` // the sender's name to show
	Text     string `json:"text"`      // either this
	Content  any    `json:"content"`   // or this, whatever json.Marshal takes
}
