package message

import (
	"strconv"
	"time"
)

// protocolVersion is what welcome tells clients.
const protocolVersion = 1

// Welcome is the first frame of a connection.
type Welcome struct {
	ClientID        string // of the connection
	UserID          string
	Node            string
	Time            time.Time     // now, on the server
	PingInterval    time.Duration // rounded down to seconds
	ReconnectWindow time.Duration // over which clients spread their reconnects
	Inbox           *Inbox        // nil: none, or not known
}

// Position is a place in the log of a room or an inbox.
type Position struct {
	Epoch  string
	Offset uint64
}

// Inbox is what a device is told of its user's inbox.
type Inbox struct {
	Position       // of the newest message
	Unread    int  // messages that this device has not confirmed
	Recovered bool // all of those follow
}

// AppendWelcome appends
//
//	{"type":"welcome","content":{"code":0,"message":"connected","level":"info"},
//	 "data":{"client_id":..,"user_id":..,"node":..,"server_time":"2006-01-02T15:04:05.000Z",
//	         "ping_interval":25,"reconnect_window_ms":5000,"protocol":1},"timestamp":..}
//
// with "unread":..,"inbox":{"epoch":..,"offset":..,"recovered":..} in data where there is an inbox.
func AppendWelcome(dst []byte, w Welcome) []byte {
	dst = append(dst, `{"type":"welcome","content":{"code":0,"message":"connected","level":"info"},"data":{`...)
	dst = appendStringMember(dst, "client_id", w.ClientID)
	dst = appendStringMember(dst, "user_id", w.UserID)
	dst = appendStringMember(dst, "node", w.Node)
	dst = append(appendName(dst, "server_time"), '"')
	dst = append(w.Time.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z"), '"')
	dst = appendIntMember(dst, "ping_interval", int64(w.PingInterval/time.Second))
	dst = appendIntMember(dst, "reconnect_window_ms", w.ReconnectWindow.Milliseconds())
	dst = appendIntMember(dst, "protocol", protocolVersion)
	if w.Inbox != nil {
		dst = appendIntMember(dst, "unread", int64(w.Inbox.Unread))
		dst = append(appendName(dst, "inbox"), '{')
		dst = w.Inbox.append(dst)
		dst = append(strconv.AppendBool(appendName(dst, "recovered"), w.Inbox.Recovered), '}')
	}
	dst = append(dst, '}')
	return appendEnd(dst, w.Time.Unix())
}

// AppendPong appends the answer to a JSON ping: {"type":"pong","id":..}, or
// without id when it is empty.
func AppendPong(dst []byte, id string) []byte {
	return append(appendStart(dst, TypePong, id), '}')
}

// AppendAck appends {"type":"ack","id":..,"content":..}. A nil content is left
// out; any other must be valid JSON.
func AppendAck(dst []byte, id string, content Raw) []byte {
	dst = appendStart(dst, TypeAck, id)
	if content != nil {
		dst = append(appendName(dst, "content"), content...)
	}
	return append(dst, '}')
}

// AppendError appends the refusal of a frame,
// {"type":"error","id":..,"content":{"code":..,"message":".."}}, or without id
// when the frame had none.
func AppendError(dst []byte, id string, code int, message string) []byte {
	dst = appendContent(appendStart(dst, TypeError, id))
	dst = appendIntMember(dst, "code", int64(code))
	dst = appendStringMember(dst, "message", message)
	return append(dst, '}', '}')
}

// AppendJoined appends {"type":"joined","id":..,"room":..}, or without id when
// nobody asked for it.
func AppendJoined(dst []byte, id, room string) []byte {
	return append(appendStringMember(appendStart(dst, TypeJoined, id), "room", room), '}')
}

// Joined says where a member of a room with history begins to hear.
type Joined struct {
	Position
	Recovered bool // everything since what the client asked for precedes it
}

// append appends the members of an open object.
func (p Position) append(dst []byte) []byte {
	dst = appendStringMember(dst, "epoch", p.Epoch)
	return strconv.AppendUint(appendName(dst, "offset"), p.Offset, 10)
}

// AppendJoinedLog appends what a member of a room with history is answered, and
// told when messages were lost; an empty room stands for the user's inbox:
//
//	{"type":"joined","id":..,"room":..,"epoch":..,"offset":..,"recovered":..}
func AppendJoinedLog(dst []byte, id, room string, j Joined) []byte {
	dst = appendStart(dst, TypeJoined, id)
	if room != "" {
		dst = appendStringMember(dst, "room", room)
	}
	dst = j.append(dst)
	return append(strconv.AppendBool(appendName(dst, "recovered"), j.Recovered), '}')
}

// AppendInboxOpened appends what a device is told whose inbox could not be read
// when it was welcomed:
//
//	{"type":"joined","epoch":..,"offset":..,"recovered":..,"data":{"unread":..}}
func AppendInboxOpened(dst []byte, in Inbox) []byte {
	dst = AppendJoinedLog(dst, "", "", Joined{in.Position, in.Recovered})
	dst = append(appendName(dst[:len(dst)-1], "data"), '{')
	return append(appendIntMember(dst, "unread", int64(in.Unread)), '}', '}')
}

// AppendUnreadable appends what stands for a kept message that cannot be
// delivered, so that its offset is not missed:
//
//	{"type":"unreadable","room":..,"offset":..}
func AppendUnreadable(dst []byte, room string, offset uint64) []byte {
	dst = appendStart(dst, TypeUnreadable, "")
	if room != "" {
		dst = appendStringMember(dst, "room", room)
	}
	return append(strconv.AppendUint(appendName(dst, "offset"), offset, 10), '}')
}

// AppendTaken appends the content of the ack for a message that a log has taken,
// {"offset":..}, with "duplicate":true when it had it before.
func AppendTaken(dst []byte, offset uint64, duplicate bool) Raw {
	dst = strconv.AppendUint(appendName(append(dst, '{'), "offset"), offset, 10)
	if duplicate {
		dst = append(appendName(dst, "duplicate"), "true"...)
	}
	return append(dst, '}')
}

// AppendLeft appends {"type":"left","id":..,"room":..}, or without id when
// nobody asked for it.
func AppendLeft(dst []byte, id, room string) []byte {
	return append(appendStringMember(appendStart(dst, TypeLeft, id), "room", room), '}')
}

// AppendReconnect appends the frame that asks for a new connection before this one
// is closed, grace after, with the code given; unix is the time in seconds:
//
//	{"type":"reconnect","content":{"code":4200,"reason":"draining","delay_ms":0,"grace_ms":5000},"timestamp":..}
func AppendReconnect(dst []byte, code int, reason string, grace time.Duration, unix int64) []byte {
	dst = appendContent(appendStart(dst, TypeReconnect, ""))
	dst = appendIntMember(dst, "code", int64(code))
	dst = appendStringMember(dst, "reason", reason)
	dst = appendIntMember(dst, "delay_ms", 0)
	dst = appendIntMember(dst, "grace_ms", grace.Milliseconds())
	return appendEnd(append(dst, '}'), unix)
}

// AppendSystem appends a notice of the gateway itself. event says to programs what
// text says to people; level is "info" or "warning" and unix the time in seconds:
//
//	{"type":"system","content":{"event":"degraded","message":..,"level":"warning"},"timestamp":..}
func AppendSystem(dst []byte, event, text, level string, unix int64) []byte {
	dst = appendContent(appendStart(dst, TypeSystem, ""))
	dst = appendStringMember(dst, "event", event)
	dst = appendStringMember(dst, "message", text)
	dst = appendStringMember(dst, "level", level)
	return appendEnd(append(dst, '}'), unix)
}

// AppendUserStatus appends the edge of a user's presence; status is "online"
// or "offline" and unix the time in seconds:
//
//	{"type":"user_status","content":{"user_id":..,"user_name":..,"status":..},"timestamp":..}
func AppendUserStatus(dst []byte, userID, userName, status string, unix int64) []byte {
	dst = appendContent(appendStart(dst, TypeUserStatus, ""))
	dst = appendStringMember(dst, "user_id", userID)
	dst = appendStringMember(dst, "user_name", userName)
	dst = appendStringMember(dst, "status", status)
	return appendEnd(append(dst, '}'), unix)
}

// appendStart opens a frame and writes its type and, unless empty, its id.
func appendStart(dst []byte, typ, id string) []byte {
	dst = appendStringMember(append(dst, '{'), "type", typ)
	if id != "" {
		dst = appendStringMember(dst, "id", id)
	}
	return dst
}

// appendContent opens the content object.
func appendContent(dst []byte) []byte { return append(appendName(dst, "content"), '{') }

// appendEnd writes the timestamp and closes the frame.
func appendEnd(dst []byte, unix int64) []byte { return append(appendTimestamp(dst, unix), '}') }

func appendIntMember(dst []byte, name string, value int64) []byte {
	return strconv.AppendInt(appendName(dst, name), value, 10)
}
