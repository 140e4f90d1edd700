package message

// Types that clients send.
const (
	TypePing      = "ping"
	TypeJoinRoom  = "join_room"
	TypeLeaveRoom = "leave_room"
	TypeChat      = "chat"
	TypePresence  = "presence"
	TypeWatch     = "watch"
	TypeUnwatch   = "unwatch"
	TypeRefresh   = "refresh"
)

// Types that travel in both directions.
const (
	TypeRoomMessage = "room_message"
	TypeUserMessage = "user_message"
	TypeAck         = "ack"
)

// Types that the gateway and the backends send.
const (
	TypeWelcome      = "welcome"
	TypePong         = "pong"
	TypeError        = "error"
	TypeJoined       = "joined"
	TypeLeft         = "left"
	TypeNotification = "notification"
	TypeSystem       = "system"
	TypeDataUpdate   = "data_update"
	TypeBroadcast    = "broadcast"
	TypeUserStatus   = "user_status"
	TypeReconnect    = "reconnect"
	TypeUnreadable   = "unreadable"
)

// internType returns the constant of a known type, so that decoding one does
// not allocate, and a copy of any other.
func internType(b []byte) string {
	switch string(b) {
	case TypePing:
		return TypePing
	case TypeJoinRoom:
		return TypeJoinRoom
	case TypeLeaveRoom:
		return TypeLeaveRoom
	case TypeChat:
		return TypeChat
	case TypePresence:
		return TypePresence
	case TypeWatch:
		return TypeWatch
	case TypeUnwatch:
		return TypeUnwatch
	case TypeRefresh:
		return TypeRefresh
	case TypeRoomMessage:
		return TypeRoomMessage
	case TypeUserMessage:
		return TypeUserMessage
	case TypeAck:
		return TypeAck
	}
	return internServerType(b)
}

// internServerType is internType for what arrives through Redis.
func internServerType(b []byte) string {
	switch string(b) {
	case TypeNotification:
		return TypeNotification
	case TypeSystem:
		return TypeSystem
	case TypeDataUpdate:
		return TypeDataUpdate
	case TypeBroadcast:
		return TypeBroadcast
	case TypeUserStatus:
		return TypeUserStatus
	}
	return string(b)
}
