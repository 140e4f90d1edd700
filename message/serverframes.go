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
}

// AppendWelcome appends
//
//	{"type":"welcome","content":{"code":0,"message":"connected","level":"info"},
//	 "data":{"client_id":..,"user_id":..,"node":..,"server_time":"2006-01-02T15:04:05.000Z",
//	         "ping_interval":25,"reconnect_window_ms":5000,"protocol":1},"timestamp":..}
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
