package message

// PresentUser is a user in the answer to a presence query.
type PresentUser struct {
	ID      string
	Name    string
	Devices int
}

// AppendRoomPresence appends the answer to presence for a room:
//
//	{"type":"presence","id":..,"content":{"room":..,"connections":..,
//	 "users":[{"user_id":..,"user_name":..,"devices":..},..]}}
//
// connections counts what users may leave out: the list is bounded.
func AppendRoomPresence(dst []byte, id, room string, users []PresentUser, connections int) []byte {
	dst = appendContent(appendStart(dst, TypePresence, id))
	dst = appendStringMember(dst, "room", room)
	dst = appendIntMember(dst, "connections", int64(connections))
	dst = AppendUsers(dst, users)
	return append(dst, '}', '}')
}

// AppendUsers appends the member "users" with a list of users to the object that
// dst ends in.
func AppendUsers(dst []byte, users []PresentUser) []byte {
	dst = append(appendName(dst, "users"), '[')
	for _, u := range users {
		dst = append(appendComma(dst), '{')
		dst = appendStringMember(dst, "user_id", u.ID)
		dst = appendStringMember(dst, "user_name", u.Name)
		dst = appendIntMember(dst, "devices", int64(u.Devices))
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// AppendUserPresence appends the answer to presence for users, in the order in
// which they were asked for:
//
//	{"type":"presence","id":..,"content":{"users":[{"user_id":..,"status":"online"},..]}}
func AppendUserPresence(dst []byte, id string, users []string, online []bool) []byte {
	dst = appendContent(appendStart(dst, TypePresence, id))
	dst = append(appendName(dst, "users"), '[')
	for i, u := range users {
		dst = append(appendComma(dst), '{')
		dst = appendStringMember(dst, "user_id", u)
		dst = appendStringMember(dst, "status", statusText(online[i]))
		dst = append(dst, '}')
	}
	return append(dst, ']', '}', '}')
}

// AppendOnline appends {"online":[..]}, the content of the ack for watch: those
// of users, who are watched, that are online now.
func AppendOnline(dst []byte, users []string, online []bool) []byte {
	dst = append(appendName(append(dst, '{'), "online"), '[')
	for i, u := range users {
		if online[i] {
			dst = AppendString(appendComma(dst), u)
		}
	}
	return append(dst, ']', '}')
}

// Values of status in user_status and in presence.
const (
	StatusOnline  = "online"
	StatusOffline = "offline"
)

func statusText(online bool) string {
	if online {
		return StatusOnline
	}
	return StatusOffline
}
